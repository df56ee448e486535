import os
import subprocess
import sys
from pathlib import Path

import pytest

from providers import scaffold

ROOT = Path(__file__).parents[2]


def run(*words, folder, path=()):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_scaffold_writes_the_files_of_an_adapter(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert 0 == scaffold.main(["acme_pay"])
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        "providers/acme_pay.py",
        "providers/samples/acme_pay.json",
        "tests/vectors/acme_pay.json",
        "docs/providers/acme_pay.md",
    } == written
    assert "_BUILT_IN" in capsys.readouterr().out


def test_scaffold_writes_over_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scaffold.main(["acme"])

    with pytest.raises(SystemExit):
        scaffold.main(["acme"])


@pytest.mark.parametrize("name", ["Acme", "a", "acme-pay", "../acme", "1acme", ""])
def test_strange_name_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit):
        scaffold.main([name])
    assert [] == list(tmp_path.iterdir())


def test_adapter_of_an_outside_package_passes_the_same_suite(tmp_path):
    package, installed = tmp_path / "package", tmp_path / "installed"
    scaffold.main(["acme", "--outside", str(package)])
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = run(*pip, "--target", installed, package, folder=tmp_path)
    assert 0 == done.returncode, done.stderr

    vectors = package / "vectors" / "acme.json"
    done = run("-m", "providers.conformance", vectors, folder=tmp_path, path=[installed])
    assert "1 passed, 0 failed" in done.stdout, done.stdout + done.stderr

    suite = ["-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-k", "acme"]
    suite += ["tests/providers/test_conformance.py", "tests/providers/test_robustness.py"]
    done = run(*suite, folder=ROOT, path=[installed])
    assert 0 == done.returncode, done.stdout
    assert " passed" in done.stdout
