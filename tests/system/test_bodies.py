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


def half_sent(gateway, delivery):
    """A connection on which a webhook was begun, and not gone on with."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    headers = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers)
    head = f"POST {delivery.path} HTTP/1.1\r\nHost: gateway\r\n{headers}"
    connection.sendall(f"{head}Content-Length: {len(delivery.body)}\r\n\r\n{{".encode())
    return connection


def closed_by_the_gateway(connection):
    """What came before the gateway closed the connection."""
    came = b""
    try:
        while chunk := connection.recv(65536):
            came += chunk
    except OSError:
        pass
    return came


def test_slow_bodies_are_cut_off_and_hold_up_nobody(gateway):
    """More of them than the server has threads: others are answered all the same."""
    gateway.create("ps_1")
    told = stripe("evt_1", "payment_intent.succeeded", "ps_1")
    slow = [half_sent(gateway, told) for _ in range(600)]
    try:
        eventually(lambda: gateway.post(told, timeout=30) == 200, "a whole webhook is taken")
        came = [closed_by_the_gateway(connection) for connection in slow]
    finally:
        for connection in slow:
            connection.close()

    assert {b"", b"HTTP/1.1 408"} >= {one[:12] for one in came}
    eventually(lambda: gateway.status("ps_1") == "authorized", "applied")


def test_idle_connections_are_closed(gateway):
    where = ("127.0.0.1", gateway.port)
    with (
        socket.create_connection(where, timeout=60) as silent,
        socket.create_connection(where, timeout=60) as served,
    ):
        served.sendall(b"GET /live HTTP/1.1\r\nHost: gateway\r\n\r\n")

        assert b"" == closed_by_the_gateway(silent)
        assert closed_by_the_gateway(served).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "headers",
    [b"X-Long: " + b"x" * 500_000 + b"\r\n", b"".join(b"X-%d: x\r\n" % n for n in range(300))],
)
def test_too_many_headers_are_refused(gateway, headers):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: gateway\r\n" + headers + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 431")
