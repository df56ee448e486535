"""The floor: what Flask on the same server costs when it does one thing in the same store."""

import os

from flask import Flask, Response, request
from redis import BlockingConnectionPool, Redis

app = Flask(__name__, static_folder=None)
# The same kind of pool and patience as the gateway's own.
_pool = BlockingConnectionPool.from_url(
    os.environ["GATEWAY_STORE_URL"], max_connections=64, timeout=0.8, socket_timeout=0.8
)
_store = Redis.from_pool(_pool)


@app.post("/floor/<key>")
def write(key: str) -> Response:
    _store.set(f"floor:{key}", request.get_data())
    return Response("", 200)


@app.get("/floor/<key>")
def read(key: str) -> Response:
    return Response(_store.get(f"floor:{key}"), content_type="application/json")
