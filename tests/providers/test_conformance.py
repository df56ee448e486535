"""What every adapter has to do, whatever its provider. Nothing here knows one of them."""

import ast
import inspect
import json
import random
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from marshmallow import ValidationError
from provider_cases import (
    ADAPTERS,
    AT,
    KINDS,
    VECTORS,
    WRONG_SECRET,
    bare_settings,
    body_of,
    case_of,
    encoded_like,
    instance_of,
    live_secrets,
    outcome,
    recorded,
    secrets_in,
)

import providers
from gateway.domain.errors import Cause, Rejected
from providers import registry, simulator
from providers.conformance import run_vector

# Those that sign a time: the others have no window to be outside of.
TIMED = [name for name in ADAPTERS if hasattr(registry.adapter(name).scheme, "tolerance")]
GENUINE = [param for param in VECTORS if param.values[0]["expect"]["verified"]]
ALLOWED_IMPORTS = ("gateway.domain", "marshmallow", "cryptography")
SHARED = ("contract", "asking", "schemes", "payload", "shapes", "configuration", "meanings")


def test_every_adapter_of_this_tree_has_vectors():
    here = {path.stem for path in Path(providers.__file__).parent.glob("*.py")}
    assert here.intersection(ADAPTERS) <= {param.values[0]["provider"] for param in VECTORS}


@pytest.mark.parametrize("vector", VECTORS)
def test_vector_passes(vector):
    assert [] == run_vector(vector)


@pytest.mark.parametrize("vector", GENUINE)
def test_flipped_byte_is_refused_or_changes_nothing(vector):
    """Where only some fields are signed, those that say what happened are among them."""
    case, chance = recorded(vector), random.Random(vector["name"])
    if not case.delivery.body or case.covers_nothing():
        return
    genuine, body = outcome(case) or [], case.delivery.body
    signs_bytes, settled = case.signs_bytes(), case.verify().settled
    same = list if signs_bytes or not settled else essence
    case = replace(case, known=case.asked())
    everywhere = range(len(body))
    positions = everywhere if len(body) < 600 else sorted(chance.sample(everywhere, 300))
    for position in positions:
        flipped = bytearray(body)
        flipped[position] ^= 1 << chance.randrange(8)
        altered = outcome(case.altered(body=bytes(flipped)))
        nothing = altered is None or (altered == [] and not signs_bytes)
        assert nothing or same(genuine) == same(altered), f"byte {position}"


@pytest.mark.parametrize("adapter_id", ADAPTERS)
@pytest.mark.parametrize("how", ["missing", "empty", "doubled"])
def test_spoilt_header_is_a_missing_signature(adapter_id, how):
    case = case_of(instance_of(adapter_id), "authorized")
    for name in case.signature_headers():
        (value,) = case.delivery.header_values(name)
        spoilt = {"missing": [], "empty": [""], "doubled": [value, value]}[how]
        expected = {Cause.MISSING_SIGNATURE}
        if name.lower() == "authorization":
            expected.add(Cause.BAD_CREDENTIALS)
        if how == "doubled":
            expected.add(None)  # some providers send a header for every live secret
        assert case.with_header(name, spoilt).refusal() in expected, name


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_truncated_header_is_refused(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    for name in case.signature_headers():
        (value,) = case.delivery.header_values(name)
        for length in range(1, len(value)):
            assert case.with_header(name, [value[:length]]).refusal() is not None, value[:length]


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_header_names_have_no_case(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    odd = case.altered(headers=tuple((n.swapcase(), v) for n, v in case.delivery.headers))
    assert case.events() == odd.events()


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_wrong_secret_is_refused(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    wrong = {name: others_of(values) for name, values in live_secrets(case.config)}
    if wrong:
        assert case.judged_by(instance_of(adapter_id, **wrong)).refusal() in WRONG_SECRET


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_without_a_secret_everything_is_refused(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    try:
        bare = case.judged_by(instance_of(adapter_id, bare_settings(adapter_id)))
    except ValidationError:
        return  # it cannot even be configured
    expected = {Cause.NOT_CONFIGURED}
    if not dict(live_secrets(case.config)):
        # Certificates and API keys are no secrets of a signature.
        expected |= {Cause.UNVERIFIABLE, Cause.UNTRUSTED_CERTIFICATE}
    assert bare.refusal() in expected
    assert bare.altered(body=b"", headers=()).refusal() is not None


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_old_and_new_secret_are_accepted_and_the_matching_one_named(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    for name, values in live_secrets(case.config):
        names = set()
        for pair in rotations(values):
            rotated = case.judged_by(instance_of(adapter_id, **{name: pair}))
            names.add(rotated.verify().secret)
        if isinstance(values, list) and case.verify().secret.startswith(name):
            assert {f"{name}[0]", f"{name}[1]"} == names


@pytest.mark.parametrize("adapter_id", TIMED)
def test_window_ends_where_it_should(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    tolerance = case.instance.adapter.scheme.tolerance
    width = tolerance(case.config) if callable(tolerance) else tolerance
    if width is None:
        return  # the operator has switched it off
    expected = {-width - 1: Cause.STALE_TIMESTAMP, -width: None, width: None}
    expected[width + 1] = Cause.STALE_TIMESTAMP
    for seconds, cause in expected.items():
        judged = case.altered(received_at=AT + timedelta(seconds=seconds))
        assert cause == judged.refusal(), seconds


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_reserialised_body_is_refused_or_says_the_same(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    document = body_of(case)
    if not isinstance(document, dict):
        return
    again = case.altered(body=json.dumps(document, indent=7).encode())
    if case.signs_bytes():
        assert Cause.BAD_SIGNATURE == again.refusal()
    else:
        assert outcome(again) in (None, outcome(case))


@pytest.mark.parametrize(("adapter_id", "kind"), KINDS)
def test_unknown_fields_are_let_be(adapter_id, kind):
    case = case_of(instance_of(adapter_id), kind)
    document = body_of(case)
    if document is None:
        return
    richer = case.signed(encoded_like(case, with_more(document)))
    assert outcome(case) == outcome(richer)
    assert outcome(case) == outcome(richer.answered(with_more))


@pytest.mark.parametrize(("adapter_id", "kind"), KINDS)
def test_genuine_delivery_says_something_and_names_what_proves_it(adapter_id, kind):
    case = case_of(instance_of(adapter_id), kind)
    verdict = case.verify()
    # What is not settled has to be asked, so the samples must hold the answers.
    assert verdict.settled or case.calls or kind in ("ignored", "unknown")
    assert verdict.secret or not dict(live_secrets(case.config)) or not verdict.settled
    concerning = [event for event in case.events() if event.concerns_payment]
    assert bool(concerning) == (kind not in ("ignored", "unknown"))


@pytest.mark.parametrize(
    ("adapter_id", "kind"), [pair for pair in KINDS if pair[1] in ("unknown", "ignored")]
)
def test_type_of_no_concern_is_recorded_and_does_nothing(adapter_id, kind):
    for event in case_of(instance_of(adapter_id), kind).events():
        assert not event.concerns_payment
        assert (kind == "ignored") == event.recognized


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_redelivery_is_the_same_event(adapter_id):
    for kind in simulator.kinds(adapter_id):
        first = case_of(instance_of(adapter_id), kind)
        later = first.altered(received_at=AT + timedelta(days=3))
        again = later.signed(later.delivery.body)
        assert first.ids() == again.ids()
        assert first.key() == again.key()


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_different_facts_are_different_events(adapter_id):
    """Where money is taken at once, an authorization and a capture are the same fact."""
    instance, told = instance_of(adapter_id), {}
    for kind in simulator.kinds(adapter_id):
        case = case_of(instance, kind)
        for name in {tuple(case.ids()) or None, case.key()} - {None}:
            assert outcome(case) == told.setdefault(name, outcome(case)), kind


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_no_secret_is_ever_printed(adapter_id):
    case = case_of(instance_of(adapter_id), "authorized")
    printed = [case.instance, case.config, str(case.config), case.verify(), case.delivery]
    spoilt = [case.altered(headers=()), case.altered(body=b"{}"), case.altered(body=b"")]
    spoilt += [replace(case, calls=()), case.answered(lambda body: {})]
    for one in spoilt:
        try:
            one.events()
        except Rejected as error:
            printed += [error, str(error), error.detail]
    text = " ".join(map(repr, [*printed, *case.asked()]))
    assert [] == [value for value in secrets_in(case.config) if value in text]


@pytest.mark.parametrize("adapter_id", ADAPTERS)
def test_module_stays_within_its_budget(adapter_id):
    """One file a provider; what is too much for it belongs to the schemes and shared modules."""
    path = Path(inspect.getfile(type(registry.adapter(adapter_id))))
    beside = {other.stem for other in path.parent.glob(f"{adapter_id}_*.py")}
    assert set() == beside - set(ADAPTERS)
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    tree = ast.parse(source)
    assert "https://" in ast.get_docstring(tree)
    assert [] == [name for name in imported(tree) if not is_allowed(name)]


def essence(told):
    return [
        (one.session_status, one.payment_change and one.payment_change.kind, one.amount)
        for one in told
    ]


def others_of(values):
    """Other secrets of the same form, under the same names."""
    if isinstance(values, dict):
        return {name: another(value) for name, value in values.items()}
    return [another(value) for value in values]


def rotations(values):
    """The live secrets with another one, in either order."""
    if isinstance(values, dict):
        new = {"another": another(next(iter(values.values())))}
        return [values | new, new | values]
    return [[*values, another(values[0])], [another(values[0]), *values]]


def another(secret):
    """A secret of the same form: hex stays hex, base64 stays base64."""
    middle = len(secret) // 2
    return f"{secret[:middle]}{'B' if secret[middle] != 'B' else 'C'}{secret[middle + 1 :]}"


def with_more(document):
    if isinstance(document, dict):
        more = {name: with_more(value) for name, value in document.items()}
        return more | {"never_heard_of": {"a": [1, None]}}
    if isinstance(document, list):
        return [with_more(value) for value in document]
    return document


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module


def is_allowed(name):
    top, _, rest = name.partition(".")
    if top == "providers":
        return rest.partition(".")[0] in ("", *SHARED)
    return top in sys.stdlib_module_names or name.startswith(ALLOWED_IMPORTS)
