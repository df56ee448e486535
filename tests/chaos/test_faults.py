"""Every fault of `make chaos` in its short form."""

import break_apis  # noqa: F401 - each module adds its faults
import break_floods  # noqa: F401
import break_hosts  # noqa: F401
import break_inputs  # noqa: F401
import break_processes  # noqa: F401
import break_servers  # noqa: F401
import break_store  # noqa: F401
import pytest
from hosts import NoHosts
from scene import FAULTS, SHORT

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.mark.parametrize("name", FAULTS)
def test_fault_loses_and_doubles_nothing(name):
    try:
        row = FAULTS[name](SHORT)
    except NoHosts as why:
        pytest.skip(f"no network namespaces here: {why}")

    assert (0, 0) == (row.lost, row.doubled)
    assert row.acknowledged
    assert set(row.answers) <= {0, 200, 400, 503}
