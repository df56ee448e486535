import socket

import pytest
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout

from gateway.web import reading as module
from gateway.web.reading import BodyReader


def pieces(*given):
    """A stream that gives these pieces one by one."""
    left = list(given)
    return lambda _: left.pop(0) if left else b""


def refuse_to_read(_):
    raise AssertionError("nothing must be read")


def test_body_is_read_whole():
    assert b"abc" == BodyReader().read(pieces(b"a", b"bc"), 10, 3, "192.0.2.1")
    assert b"abc" == BodyReader().read(pieces(b"a", b"bc"), 3, None, "192.0.2.1")
    assert b"" == BodyReader().read(refuse_to_read, 10, 0, "192.0.2.1")


def test_body_that_says_it_is_too_long_is_not_read():
    with pytest.raises(RequestEntityTooLarge, match="more than 10 bytes"):
        BodyReader().read(refuse_to_read, 10, 11, "192.0.2.1")


def test_chunked_body_over_the_limit_is_left_off():
    with pytest.raises(RequestEntityTooLarge):
        BodyReader().read(lambda _: b"xxxx", 10, None, "192.0.2.1")


def test_body_that_ends_early_is_no_body():
    with pytest.raises(BadRequest, match="Content-Length"):
        BodyReader().read(pieces(b"ab"), 10, 3, "192.0.2.1")


def test_slow_body_is_cut_off(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    sender = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    with listener, sender, ours:
        sender.sendall(b"x")

        with pytest.raises(RequestTimeout):
            BodyReader().read(ours.recv, 10, 3, "127.0.0.1")
