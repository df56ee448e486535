"""Bodies as they come over the wire, where the test client cannot go."""

import socket

import pytest
from processes import eventually, stripe

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

LIMIT = 256 * 1024


def answer(gateway, delivery, pieces):
    """The status line for a delivery whose body is sent in chunks."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers)
    head = (
        f"POST {delivery.path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
        f"Transfer-Encoding: chunked\r\n{headers}\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(head.encode())
        for piece in pieces:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        return connection.recv(4096).split(b"\r\n")[0]


def test_chunked_body_is_verified_over_its_exact_bytes(gateway):
    gateway.create("ps_1")
    told = stripe("evt_1", "payment_intent.succeeded", "ps_1")
    pieces = [told.body[at : at + 50] for at in range(0, len(told.body), 50)]

    assert b"HTTP/1.1 200 OK" == answer(gateway, told, pieces)
    eventually(lambda: gateway.status("ps_1") == "authorized", "applied")


def test_chunked_body_over_the_limit_is_413(gateway):
    told = stripe("evt_1", "payment_intent.succeeded", "ps_1")

    assert answer(gateway, told, [b"x" * LIMIT, b"x"]).startswith(b"HTTP/1.1 413")
