import json

import pytest

from gateway.domain.errors import Cause, Rejected
from providers.configuration import Secret
from providers.contract import ApiAnswer
from providers.schemes.api_answer import (
    basic_get,
    bearer_get,
    found_object,
    key_get,
    object_named,
)


def answer(document, status=200):
    return ApiAnswer(status, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (404, Cause.UNKNOWN_PAYMENT),
        (410, Cause.UNKNOWN_PAYMENT),
        (401, Cause.UNVERIFIABLE),
        (302, Cause.UNVERIFIABLE),
        (204, Cause.UNVERIFIABLE),
    ],
)
def test_answer_without_an_object_says_why(status, cause):
    with pytest.raises(Rejected) as refused:
        found_object(answer({"id": "a"}, status))
    assert cause == refused.value.cause


def test_object_is_found_by_its_id():
    assert {"id": "a", "x": 1} == object_named(answer({"id": "a", "x": 1}), "a")
    assert {"id": "a"} == object_named(answer({"data": {"id": "a"}}), "a", under="data")


@pytest.mark.parametrize(
    "document", [{}, {"id": "b"}, {"id": None}, {"data": {"id": "a"}}, {"id": ["a"]}]
)
def test_object_of_another_id_is_not_what_was_asked_for(document):
    with pytest.raises(Rejected) as refused:
        object_named(answer(document), "a")
    assert Cause.UNVERIFIABLE == refused.value.cause


@pytest.mark.parametrize("document", [{"id": "a"}, {"data": "a"}, {"data": [{"id": "a"}]}])
def test_object_stands_where_the_api_puts_it(document):
    with pytest.raises(Rejected):
        object_named(answer(document), "a", under="data")


def test_bearer_token_goes_with_what_else_the_api_wants():
    request = bearer_get("https://x.example/a", Secret("fake", "token"), ("Version", "1"))
    assert {"Authorization": "Bearer fake", "Version": "1"} == dict(request.headers)
    assert "fake" not in repr(request)


def test_user_and_password_are_sent_in_base64():
    request = basic_get("https://x.example/a", "user", Secret("fake", "password"))
    assert (("Authorization", "Basic dXNlcjpmYWtl"),) == request.headers


def test_key_is_a_user_without_a_password():
    request = key_get("https://x.example/a", Secret("fake", "key"), ("Version", "1"))
    assert {"Authorization": "Basic ZmFrZTo=", "Version": "1"} == dict(request.headers)


@pytest.mark.parametrize(
    ("ask", "credentials"),
    [(bearer_get, (None,)), (basic_get, ("user", None)), (key_get, (None,))],
)
def test_without_credentials_nothing_is_asked(ask, credentials):
    with pytest.raises(Rejected) as refused:
        ask("https://x.example/a", *credentials)
    assert Cause.UNVERIFIABLE == refused.value.cause
