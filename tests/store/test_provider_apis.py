import pytest

from gateway.store.provider_apis import FAILURES, ProviderApis


@pytest.fixture
def apis(store):
    return ProviderApis(store)


def test_api_rests_after_many_failures_in_a_row(apis):
    for _ in range(FAILURES - 1):
        apis.failed("toy")
    assert 0 == apis.rests("toy")
    apis.failed("toy")

    assert apis.rests("toy") > 0
    assert 0 == apis.rests("other")


def test_answer_forgets_the_failures_before(apis):
    for _ in range(FAILURES - 1):
        apis.failed("toy")
    apis.answered("toy")
    apis.failed("toy")

    assert 0 == apis.rests("toy")


@pytest.mark.parametrize(("asked", "most"), [(0, 1), (60, 60), (10**9, 3600)])
def test_rest_has_its_bounds(apis, asked, most):
    apis.let_rest("toy", asked)

    assert 0 < apis.rests("toy") <= most


def test_kept_answer_comes_back_for_its_call_only(apis):
    apis.keep(b"call", b"answer", 60)

    assert b"answer" == apis.recall(b"call")
    assert apis.recall(b"other") is None
