"""The helper modules of the tests and benchmarks share one import path."""

import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_helper_module_hides_another() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    modules = Counter(
        module.stem
        for folder in options["pythonpath"]
        for module in (ROOT / folder).glob("*.py")
        # Scripts and what pytest collects are never imported by their bare name.
        if module.stem not in {"run", "conftest"} and not module.stem.startswith("test_")
    )
    assert [name for name, times in modules.items() if times > 1] == []
