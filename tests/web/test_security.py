"""Claims of SECURITY.md that no other test holds."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
import toy
from provider_cases import ADAPTERS, case_of, instance_of, secrets_in
from structlog.testing import capture_logs

import providers
from gateway.config import describe, load
from gateway.domain.errors import Rejected
from gateway.store.sealing import new_key
from providers.diagnosis import diagnose

SCHEMES = sorted((Path(providers.__file__).parent / "schemes").glob("*.py"))
# What names that hold something to be compared with a secret are called.
SECRET_WORDS = ("signature", "digest", "given", "secret", "token", "password", "hmac", "hash")


# What is compared there is no secret: the name of a field, and a text with its own other spelling.
NO_SECRETS = {("timestamped_hmac", "signature"), ("certificates", "signature")}


def compared(tree):
    """The names on both sides of every == and != in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            for side in (node.left, *node.comparators):
                name = getattr(side, "id", None) or getattr(side, "attr", None)
                if name:
                    yield name, node.lineno


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SCHEMES])
def test_nothing_secret_is_compared_with_an_equals_sign(path):
    found = [
        (name, line)
        for name, line in compared(ast.parse(path.read_text(encoding="utf-8")))
        if any(word in name.lower() for word in SECRET_WORDS)
        and (path.stem, name) not in NO_SECRETS
    ]

    assert [] == found


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_secrets_stay_out_of_reprs_errors_and_diagnoses(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    told = [repr(case.instance), repr(case.config), repr(case.delivery)]
    for altered in (case.altered(body=b"{}"), case.altered(headers=())):
        try:
            altered.verify()
        except Rejected as error:
            told += [str(error), repr(error)]
            told.append(repr(diagnose(altered.delivery, error.cause, case.instance)))

    for value in secrets_in(case.config):
        assert not [text for text in told if value in text]


def test_logs_hold_neither_secret_nor_signature_nor_body(client, post, services):
    genuine = toy.signed(toy.told("e1", detail="ada@example.org"))
    (signature,) = genuine.header_values("X-Toy-Signature")
    with capture_logs() as logs:
        assert 200 == post(genuine).status_code
        assert 401 == post(replace(genuine, body=genuine.body + b" ")).status_code
        bearer = {"Authorization": "Bearer s3cret"}
        assert 401 == client.get("/sessions/ps_1", headers=bearer).status_code

    written = json.dumps(logs, default=str)
    assert {"delivery_refused"} == {line["event"] for line in logs}
    for private in ("toy-secret", signature, "ada@example.org", "s3cret"):
        assert private not in written


def test_printed_settings_hold_no_secret():
    key = new_key()
    settings = load(
        {
            "GATEWAY_STORE_URL": "redis://:hunter2@store:6379",
            "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_private",
            "GATEWAY_BODY_KEYS": key,
        }
    )

    shown = json.dumps(describe(settings)) + repr(settings)
    for private in ("hunter2", "whsec_private", key):
        assert private not in shown
