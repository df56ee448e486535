import json
from dataclasses import replace
from datetime import timedelta

import pytest
from provider_cases import ADAPTERS, case_of, instance_of, live_secrets, secrets_in

from gateway.domain.errors import Cause, Rejected
from providers.diagnosis import Diagnosis, diagnose, verifies
from providers.registry import Instance, adapter

TIMED = [name for name in ADAPTERS if hasattr(adapter(name).scheme, "tolerance")]


def refusal(case):
    try:
        case.verify()
    except Rejected as error:
        return error.cause
    return None


def other_secret(value):
    """A secret of the same form that is not the one."""
    return value[:-1] + ("1" if value[-1] == "0" else "0")


def with_other_secrets(adapter_id):
    """The same provider with other secrets, under another name; None where it has no such."""
    usual = instance_of(adapter_id)
    changed = {}
    for name, values in live_secrets(usual.config):
        if isinstance(values, list):
            changed[name] = [other_secret(value) for value in values]
    if not changed:
        return None
    try:
        made = instance_of(adapter_id, **changed)
    except Exception:  # noqa: BLE001 - a secret of another form: nothing to compare
        return None
    return Instance("other", made.adapter, made.config)


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_missing_and_doubled_headers_are_named(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    for name in case.signature_headers():
        (value,) = case.delivery.header_values(name)
        lacking, doubled = case.with_header(name, []), case.with_header(name, [value, value])

        found = diagnose(lacking.delivery, Cause.MISSING_SIGNATURE, case.instance)
        assert name in found.missing_headers
        assert name in found.advice
        found = diagnose(doubled.delivery, Cause.MISSING_SIGNATURE, case.instance)
        assert name in found.doubled_headers


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_instance_that_would_believe_it_is_named(adapter_id):
    other = with_other_secrets(adapter_id)
    case = case_of(instance_of(adapter_id), "authorized")
    if other is None or verifies(case.delivery, other):
        return
    cause = refusal(case.judged_by(other)) or Cause.BAD_SIGNATURE

    found = diagnose(case.delivery, cause, other, [other, case.instance])

    assert case.instance.name == found.other_instance


@pytest.mark.parametrize("adapter_id", TIMED)
def test_skew_of_a_clock_is_found(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    late = case.altered(received_at=case.delivery.received_at + timedelta(days=8))
    if refusal(late) is not Cause.STALE_TIMESTAMP:
        return  # its window is open by default

    found = diagnose(late.delivery, Cause.STALE_TIMESTAMP, case.instance)

    assert abs(8 * 86_400 - found.clock_skew) <= 1
    assert "clocks" in found.advice


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_body_that_was_written_anew_is_found(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    if not case.signs_bytes() or not case.signature_headers():
        return
    try:
        document = json.loads(case.delivery.body)
    except ValueError:
        return
    compact = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    genuine = case.signed(compact)
    rewritten = genuine.altered(body=json.dumps(document, indent=3).encode())
    if refusal(genuine) is not None or refusal(rewritten) is None:
        return

    found = diagnose(rewritten.delivery, Cause.BAD_SIGNATURE, case.instance)

    assert "compact JSON" == found.rewritten


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_garbage_is_diagnosed_without_a_word_of_any_secret(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    for body in (b"", b"\xff\xfe", b"[" * 100_000, b"x=1&y=%ff", b'{"a": NaN}', b"\x00" * 70_000):
        garbage = replace(case.delivery, body=body, headers=(("X-Odd", "\udcff"),))
        found = diagnose(garbage, Cause.MALFORMED, case.instance, [case.instance])

        told = json.dumps(found.as_json())
        assert found == Diagnosis.from_json(json.loads(told))
        assert not [value for value in secrets_in(case.config) if value in told]
        assert found.advice
