from gateway.store.connection import edge_client


def test_edge_survives_the_death_of_its_idle_connections(valkey, valkey_url):
    edge = edge_client(valkey_url)
    edge.set("k", "v")
    valkey.client_kill_filter(_type="normal", skipme=True)

    assert b"v" == edge.get("k")
    edge.close()
