"""The whole contract of an adapter. Everything here is pure: `jobs` performs what needs I/O.

Whatever bytes come in, the only exception that leaves an adapter is `Rejected`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Generic, Protocol, TypeVar

from gateway.domain.errors import Cause, Rejected
from gateway.domain.events import Delivery, PaymentEvent
from providers.meanings import Meaning, by_word, meaning_of
from providers.payload import peek
from providers.shapes import id_at

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Verified:
    """The delivery is genuine, and which secret said so (its label, never its value).

    `settled` False means "not yet": the delivery is kept, and `settle` asks the provider's API
    before anything is applied.
    """

    secret: str = ""
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider wants to be answered."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A call to the provider's API. The host comes from configuration, never from a delivery.

    With `cache_seconds` the answer may be an earlier one (a certificate, an access token).
    `timed_headers` makes the headers that hold the time of the call, when it is made.
    """

    method: str
    url: str
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    cache_seconds: int = 0
    timed_headers: Callable[[datetime], Headers] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """Without the query: there are providers that want a secret in it."""
        return f"ApiRequest({self.method} {self.url.partition('?')[0]})"


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the provider's API answered. Answers of 429 and 5xx never get here: they are retried."""

    status: int
    body: bytes = field(repr=False)


Settlement = Generator[ApiRequest, ApiAnswer, Iterable[PaymentEvent]]
"""Yields the calls to make, is sent their answers, and returns the events."""


class Scheme(Protocol[C_contra]):
    """How deliveries of one family are verified, and signed for tests, simulator and load."""

    def verify(self, delivery: Delivery, config: C_contra) -> Verified:
        """Raises Rejected. Tries every live secret; judges times by `delivery.received_at`."""
        ...

    def sign(self, delivery: Delivery, config: C_contra) -> Delivery:
        """The delivery as the provider would send it, signed with the first live secret."""
        ...


class Adapter(ABC, Generic[C]):
    """One provider: data, and one or two small pure functions. `C` is its configuration.

    `Config` is a frozen dataclass of what the operator supplies (see `providers.configuration`).
    The first line of its module names the provider's page.
    """

    id: ClassVar[str]
    Config: type[C]
    scheme: Scheme[C]
    reply: ClassVar[Reply] = Reply()
    refusal_status: ClassVar[int] = 400
    # How deliveries come; a handshake may come by any method.
    methods: ClassVar[tuple[str, ...]] = ("POST",)
    # Headers whose values are secrets themselves (static tokens): they are not stored.
    secret_headers: ClassVar[tuple[str, ...]] = ()
    # The same of the query: the names of its parameters.
    secret_query: ClassVar[tuple[str, ...]] = ()
    # The provider's words, several in a row with commas between them, and what they mean.
    meanings: ClassVar[Mapping[str, Meaning]] = {}
    # Words of no concern to a payment, by name or by family ("payout.*").
    ignored: ClassVar[tuple[str, ...]] = ()
    # For the operator: what of a delivery nothing proves, and what is done about that.
    unproven: ClassVar[str] = ""
    # Where a JSON body has the id that a repeated delivery repeats, `|` between alternatives (see
    # `providers.shapes`); empty: all of the body counts; None: no delivery repeats another one.
    key_path: ClassVar[str | None] = ""
    # The currencies whose minor unit the provider takes otherwise than ISO 4217: their decimals.
    decimals: ClassVar[Mapping[str, int]] = {}

    @cached_property
    def words(self) -> dict[str, Meaning]:
        """The meanings of single words."""
        return by_word(self.meanings)

    def meaning(self, *words: str) -> Meaning | None:
        """What the first word means that the adapter knows; see `meaning_of`."""
        return meaning_of(words, self.words, self.ignored)

    def key(self, delivery: Delivery, config: C) -> bytes | None:
        """What makes two deliveries the same one; None: the same bytes may mean something new."""
        if self.key_path is None:
            return None
        found = id_at(peek(delivery.body), self.key_path) if self.key_path else None
        return found.encode() if found else delivery.body

    def handshake(self, delivery: Delivery, config: C) -> Reply | None:
        """The answer to a probe or a challenge that is no delivery; None for everything else."""
        return None

    @abstractmethod
    def read(self, delivery: Delivery, config: C) -> Iterable[PaymentEvent]:
        """The events of a verified delivery. Raises Rejected(MALFORMED) if they cannot be read."""

    def settle(self, delivery: Delivery, config: C) -> Settlement:
        """The events of a delivery that `verify` left unsettled, from the provider's API."""
        raise Rejected(Cause.UNVERIFIABLE, f"{self.id} has no API to ask")
        yield

    def asks(self, delivery: Delivery, config: C) -> bool:
        """Whether `settle` has to ask what a delivery means, however well it is signed."""
        return False

    def verify(self, delivery: Delivery, config: C) -> Verified:
        """The scheme's verdict; unsettled where the API has to be asked. Raises Rejected."""
        verdict = self.scheme.verify(delivery, config)
        if verdict.settled and self.asks(delivery, config):
            return replace(verdict, settled=False)
        return verdict
