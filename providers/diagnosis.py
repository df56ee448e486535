"""Why a request was refused: what an operator would try out by hand, tried out.

Pure, of bounded work, and the same for all adapters: a scheme can sign, so it can be asked which
headers it wants, and verify, so it can be asked whether something else would do.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery
from providers.configuration import secret_labels
from providers.registry import Instance

REDACTED = "[redacted]"
"""Stands for a credential that was not stored."""

# Past these, trying out is not worth its cost.
_MAX_BODY = 64 * 1024
_MAX_TIMES = 8
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{10}(?:[0-9]{3})?(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found. Labels and names only: never a secret, a signature or a body.

    `clock_skew` is by how many seconds the receipt lies after the signature's own time, if it
    would have been genuine then. `other_instance` would have believed it. `rewritten` says in
    which form the body would verify, if it was written anew on its way.
    """

    secrets: tuple[str, ...] = ()
    missing_headers: tuple[str, ...] = ()
    doubled_headers: tuple[str, ...] = ()
    clock_skew: int | None = None
    other_instance: str | None = None
    rewritten: str | None = None
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Without what was not found."""
        return {name: value for name, value in asdict(self).items() if value not in ((), None, "")}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Diagnosis":
        """What a later version has found besides is left out."""
        known = {one.name for one in fields(cls)}
        given = ((k, tuple(v) if isinstance(v, list) else v) for k, v in found.items())
        values: dict[str, Any] = {name: value for name, value in given if name in known}
        return cls(**values)


def diagnose(
    delivery: Delivery, cause: Cause, instance: Instance, others: Iterable[Instance] = ()
) -> Diagnosis:
    """What speaks for the refusal of a delivery by an instance; `others` are all instances."""
    names = _signature_headers(delivery, instance)
    counts = {name: len(delivery.header_values(name)) for name in names}
    found = Diagnosis(
        secrets=tuple(secret_labels(instance.config)),
        missing_headers=tuple(name for name, count in counts.items() if not count),
        doubled_headers=tuple(name for name, count in counts.items() if count > 1),
    )
    if cause is not Cause.NOT_CONFIGURED and len(delivery.body) <= _MAX_BODY:
        found = replace(
            found,
            clock_skew=_clock_skew(delivery, instance, names),
            other_instance=_other_instance(delivery, instance, others),
            rewritten=_rewritten(delivery, instance),
        )
    return replace(found, advice=_advice(cause, found))


def verifies(delivery: Delivery, instance: Instance) -> bool:
    """Whether an instance would believe a delivery, judged at its receipt."""
    try:
        instance.adapter.verify(delivery, instance.config)
    except Rejected:
        return False
    return True


def _signature_headers(delivery: Delivery, instance: Instance) -> tuple[str, ...]:
    """The headers that a genuine delivery would bring: those that signing adds."""
    bare = replace(delivery, headers=(("Content-Type", "application/json"),))
    try:
        signed = instance.adapter.scheme.sign(bare, instance.config)
    except Rejected:
        return ()  # only the provider has the key, or the body is no form to sign
    return tuple(name for name, _ in signed.headers if name.lower() != "content-type")


def _clock_skew(delivery: Delivery, instance: Instance, names: Iterable[str]) -> int | None:
    """By how much the receipt is off the signature's own time, if only that is wrong with it."""
    if verifies(delivery, instance):
        return None
    values = [value for name in names for value in delivery.header_values(name)]
    stamps = [stamp for value in values for stamp in _stamps(value)]
    for stamp in stamps[:_MAX_TIMES]:
        if verifies(replace(delivery, received_at=stamp), instance):
            return int((delivery.received_at - stamp).total_seconds())
    return None


def _stamps(value: str) -> Iterator[datetime]:
    """The times in a header's value, in the forms in which providers write them."""
    for text in _NUMBER.findall(value):
        yield datetime.fromtimestamp(int(text[:10]), UTC)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        yield found if found.tzinfo else found.replace(tzinfo=UTC)


def _other_instance(
    delivery: Delivery, instance: Instance, others: Iterable[Instance]
) -> str | None:
    alike = (o for o in others if o.adapter.id == instance.adapter.id and o.name != instance.name)
    fits = (o.name for o in alike if verifies(replace(delivery, provider_id=o.name), o))
    return next(fits, None)


def _rewritten(delivery: Delivery, instance: Instance) -> str | None:
    for form, body in _variants(delivery.body):
        if body != delivery.body and verifies(replace(delivery, body=body), instance):
            return form
    return None


def _variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What a body may have been before a proxy or a framework wrote it anew."""
    yield "without white space at its ends", body.strip()
    yield "with a line feed at its end", body + b"\n"
    try:
        text = body.decode()
        document = json.loads(text)
    except (ValueError, RecursionError):
        yield from _form_variants(body)
        return
    for ascii_only in (False, True):
        for form, style in (
            ("compact JSON", {"separators": (",", ":")}),
            ("JSON with spaces", {"separators": (", ", ": ")}),
            ("indented JSON", {"indent": 2}),
            ("JSON indented by four", {"indent": 4}),
        ):
            written = json.dumps(document, ensure_ascii=ascii_only, **style)
            told = f"{form}, characters escaped" if ascii_only else form
            yield told, written.encode("utf-8", "surrogatepass")
            yield (
                f"{told}, slashes escaped",
                written.replace("/", "\\/").encode("utf-8", "surrogatepass"),
            )


def _form_variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    if pairs:
        yield "a form encoded anew", urlencode(pairs).encode()


_UNKNOWN_SECRET = frozenset({Cause.BAD_SIGNATURE, Cause.BAD_CREDENTIALS, Cause.UNKNOWN_KEY})


def _advice(cause: Cause, found: Diagnosis) -> str:
    """One sentence: what to look at first."""
    lacks, doubled = ", ".join(found.missing_headers), ", ".join(found.doubled_headers)
    told = {
        "Configure this provider's secrets, then verify the request again.": (
            cause is Cause.NOT_CONFIGURED
        ),
        f"It lacks {lacks}: a proxy drops it, or the request is not the provider's.": lacks,
        f"{doubled} came twice: a proxy adds to the headers.": doubled,
        f"It is genuine but for its time, {found.clock_skew} s before the receipt: see clocks.": (
            found.clock_skew is not None
        ),
        f"It is {found.other_instance}'s: the provider posts to the wrong URL.": (
            found.other_instance
        ),
        f"It verifies as {found.rewritten}: something on the way writes the body anew.": (
            found.rewritten
        ),
        "No configured secret fits: compare them with the provider's, or it is not theirs.": (
            cause in _UNKNOWN_SECRET
        ),
    }
    fitting = (advice for advice, holds in told.items() if holds)
    return next(fitting, "Compare the request with the provider's page.")
