"""The SDKs are installed for `make test-sdk` alone: without them there is nothing to collect."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("stripe") else ["test_*.py"]
