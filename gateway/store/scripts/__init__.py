"""The store's atomic steps, as one function library that the server keeps and replicates.

The library's name and its functions' names carry a digest of the source, so that processes of two
versions can work side by side during a deploy.
"""

import hashlib
from functools import cache
from importlib.resources import files

from redis import Redis
from redis.exceptions import ResponseError

FUNCTIONS = (
    "append",
    "finish",
    "annotate",
    "count_try",
    "requeue",
    "commit",
    "claim_place",
    "leave_place",
    "select_place",
    "replace_record",
    "rewrite",
    "journal",
    "forget_rejected",
    "list_sessions",
)


@cache
def _source() -> tuple[str, str]:
    code = files(__name__).joinpath("gateway.lua").read_text(encoding="utf-8")
    return code, hashlib.sha256(code.encode()).hexdigest()[:12]


@cache
def name(function: str) -> str:
    """The name under which the server knows a function of this version."""
    return f"gateway_{function}_{_source()[1]}"


def load(client: "Redis") -> None:
    """Brings the library to the server; harmless if it is there."""
    code, digest = _source()
    registered = "\n".join(
        f"redis.register_function('{name(function)}', {function})" for function in FUNCTIONS
    )
    client.function_load(f"#!lua name=gateway_{digest}\n{code}\n{registered}\n", replace=True)


def is_missing(error: ResponseError) -> bool:
    """The server does not know the library: it is new, or was emptied."""
    return "function not found" in str(error).lower()
