import pytest

from gateway.store.addresses import Kind, parse


def test_one_server_is_what_redis_py_makes_of_its_url():
    found = parse("rediss://gateway:s3cret@store:6380/2?ssl_ca_certs=/etc/ca.pem")
    assert Kind.ONE is found.kind
    assert ("store", 6380, 2, "gateway", "s3cret", "/etc/ca.pem") == tuple(
        found.options[name]
        for name in ("host", "port", "db", "username", "password", "ssl_ca_certs")
    )


@pytest.mark.parametrize(
    ("url", "hosts", "service", "db"),
    [
        ("redis+sentinel://one/gateway", (("one", 26379),), "gateway", 0),
        (
            "redis+sentinel://u:p@one:1,two:2,[::1]:3/main/4",
            (("one", 1), ("two", 2), ("::1", 3)),
            "main",
            4,
        ),
    ],
)
def test_sentinels_are_named_with_the_primary_that_they_watch(url, hosts, service, db):
    found = parse(url)
    assert (Kind.SENTINEL, hosts, service) == (found.kind, found.hosts, found.service)
    assert db == found.options["db"]
    assert "host" not in found.options


def test_cluster_is_named_by_some_of_its_nodes():
    found = parse("rediss+cluster://gateway:a%2Fb@one,two:7000?ssl_certfile=/c.pem")
    assert (Kind.CLUSTER, (("one", 6379), ("two", 7000))) == (found.kind, found.hosts)
    assert ("gateway", "a/b", "/c.pem") == tuple(
        found.options[name] for name in ("username", "password", "ssl_certfile")
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret@store",
        "redis+other://u:s3cret@store",
        "redis+sentinel://u:s3cret@store",
        "redis+sentinel://u:s3cret@store/gateway/first",
        "redis+cluster://u:s3cret@one,,two",
        "redis+cluster://u:s3cret@one:port",
        "redis://u:s3cret@store?socket_timeout=long",
        "redis://u:s3cret@store:port",
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(url):
    with pytest.raises(ValueError, match=r"^must ") as raised:
        parse(url)
    assert "s3cret" not in str(raised.value)


def test_password_is_in_no_repr():
    for url in ("redis://u:s3cret@store", "redis+cluster://u:s3cret@store"):
        assert "s3cret" not in repr(parse(url))
