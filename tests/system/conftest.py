import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from processes import running

# A shell starts what is in its background with SIGINT ignored, and every child inherits that:
# a test that presses Ctrl-C would wait forever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def short_folder():
    """A folder whose path is short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="pwg-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def gateway():
    """A gateway of its own for each test: it may be killed at will."""
    with running() as made:
        yield made
