"""Bodies at rest: sealed with the first of the configured keys, opened with any of them."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.domain.errors import StoreRefused


class Seal:
    """What bodies are sealed with; without keys they are kept as they came."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Raises ValueError for a key that is none."""
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    @property
    def closes(self) -> bool:
        return self._fernet is not None

    def close(self, body: bytes) -> bytes:
        return self._fernet.encrypt(body) if self._fernet else body

    def open(self, sealed: bytes) -> bytes:
        """Raises StoreRefused if none of the keys is the one."""
        try:
            if self._fernet is not None:
                return self._fernet.decrypt(sealed)
        except InvalidToken:
            pass
        raise StoreRefused("A body is sealed with a key that GATEWAY_BODY_KEYS lacks; add it.")


def new_key() -> str:
    """256 random bits, as a setting holds them."""
    return Fernet.generate_key().decode()
