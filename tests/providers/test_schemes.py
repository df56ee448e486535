from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import Secret, Secrets
from providers.schemes.basic_auth import check_basic_auth
from providers.schemes.body_hmac import BodyHmac
from providers.schemes.optional_hmac import OptionalHmac
from providers.schemes.parts import (
    as_base64,
    base64_bytes,
    check_window,
    header,
    hex_key,
    same_as_any,
    secret_named,
    unix_stamp,
    usable_by,
    with_headers,
)


@dataclass(frozen=True)
class Config:
    secrets: Secrets


@dataclass(frozen=True)
class Credentials:
    username: str
    password: Secret


TWO = Config((Secret("new", "secrets[0]"), Secret("old", "secrets[1]")))
OLD = Config((Secret("old", "secrets[0]"),))


@pytest.fixture
def delivery():
    return Delivery("x", b"body", (("X-Sign", "abc"),), datetime(2025, 1, 1, tzinfo=UTC))


def cause_of(action, *arguments):
    try:
        action(*arguments)
    except Rejected as error:
        return error.cause
    return None


@pytest.mark.parametrize("encode", [as_base64, bytes.hex])
@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_body_hmac_signs_what_it_verifies(encode, prefix, delivery):
    scheme = BodyHmac("X-Sign", lambda config: config.secrets, encode=encode, prefix=prefix)
    signed = scheme.sign(delivery, OLD)
    assert signed.header_values("x-sign")[0].startswith(prefix)
    assert "secrets[1]" == scheme.verify(signed, TWO).secret
    assert Cause.BAD_SIGNATURE == cause_of(scheme.verify, replace(signed, body=b"Body"), TWO)


def test_body_hmac_without_secrets_refuses_before_it_looks(delivery):
    scheme = BodyHmac("X-Sign", lambda config: config.secrets)
    assert Cause.NOT_CONFIGURED == cause_of(scheme.verify, delivery, Config(()))
    assert Cause.NOT_CONFIGURED == cause_of(scheme.sign, delivery, Config(()))


def test_signature_may_lack_but_never_be_wrong(delivery):
    bare = replace(delivery, headers=())
    strict = OptionalHmac("X-Sign", lambda config: config.secrets)
    lenient = replace(strict, may_lack=lambda _: True)
    assert Cause.MISSING_SIGNATURE == cause_of(strict.verify, bare, TWO)
    assert not lenient.verify(bare, TWO).settled
    for scheme in (strict, lenient):
        assert Cause.BAD_SIGNATURE == cause_of(scheme.verify, delivery, TWO)
        assert scheme.verify(scheme.sign(bare, TWO), TWO).settled
        assert Cause.NOT_CONFIGURED == cause_of(scheme.verify, bare, Config(()))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("A", " b "),), None),
        ((), Cause.MISSING_SIGNATURE),
        ((("A", " "),), Cause.MISSING_SIGNATURE),
        ((("A", "b"), ("a", "b")), Cause.MISSING_SIGNATURE),
    ],
)
def test_header_must_be_there_once(headers, expected, delivery):
    assert expected == cause_of(header, replace(delivery, headers=headers), "a")


def test_replaced_header_leaves_no_namesake(delivery):
    assert (("x-sign", "new"),) == with_headers(delivery, ("x-sign", "new")).headers


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1 ", "٣", "1" * 16, "0x1"])
def test_stamp_that_is_not_digits_is_malformed(text):
    assert Cause.MALFORMED == cause_of(unix_stamp, text)


def test_window_is_closed_at_both_ends(delivery):
    now = int(delivery.received_at.timestamp())
    found = [cause_of(check_window, delivery, now + x, 5) for x in (-6, -5, 0, 5, 6)]
    assert [Cause.STALE_TIMESTAMP, None, None, None, Cause.STALE_TIMESTAMP] == found


def test_secret_is_found_by_its_label():
    assert "old" == secret_named(TWO.secrets, "secrets[1]").value
    assert "new" == secret_named(TWO.secrets, "").value
    assert Cause.NOT_CONFIGURED == cause_of(secret_named, (), "secrets[0]")


def test_any_of_the_given_may_match():
    assert same_as_any("a", ["b", "\ud800", "a"])
    assert not same_as_any("a", ["b", ""])
    assert not same_as_any("a", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("YQ==", b"a"), ("YQ", b"a"), ("", b""), ("Y", None), ("Y!==", None), ("é", None)],
)
def test_base64_is_read_with_or_without_padding(text, expected):
    assert expected == base64_bytes(text)


def test_hex_key_names_the_secret_at_fault_and_not_its_value():
    with pytest.raises(Rejected, match=r"keys\[1\]") as refused:
        hex_key(Secret("topsecret", "keys[1]"))
    assert "topsecret" not in str(refused.value)


def test_unusable_secret_is_a_fault_of_the_configuration():
    usable_by(hex_key)((Secret("00ff", "keys[0]"),))
    with pytest.raises(ValidationError, match=r"keys\[1\]"):
        usable_by(hex_key)((Secret("00ff", "keys[0]"), Secret("zz", "keys[1]")))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Basic dTrDpA=="], None),
        (["basic  dTrDpA== "], None),
        (["Basic dTrk"], Cause.BAD_CREDENTIALS),
        (["Bearer dTrDpA=="], Cause.BAD_CREDENTIALS),
        (["dTrDpA=="], Cause.BAD_CREDENTIALS),
        (["Basic"], Cause.BAD_CREDENTIALS),
        (["Basic \ud800"], Cause.BAD_CREDENTIALS),
        (["Basic dTrDpA==", "Basic dTrDpA=="], Cause.BAD_CREDENTIALS),
        ([], Cause.BAD_CREDENTIALS),
    ],
)
def test_basic_auth_compares_the_token(values, expected, delivery):
    given = replace(delivery, headers=tuple(("authorization", value) for value in values))
    wanted = Credentials("u", Secret("ä", "password"))
    assert expected == cause_of(check_basic_auth, given, wanted)
