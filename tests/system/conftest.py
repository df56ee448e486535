import shutil
import tempfile
from pathlib import Path

import pytest
from processes import Gateway


@pytest.fixture
def gateway():
    """A gateway of its own for each test: it may be killed at will."""
    folder = Path(tempfile.mkdtemp(prefix="pwg-"))
    made = Gateway(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
