import pytest

from gateway.config import Face
from gateway.store.health import Health
from gateway.web.app import create_app

POLL, HOOK = "/sessions/ps_1", "/webhooks/toy"


@pytest.mark.parametrize(
    ("faces", "path", "method", "status"),
    [
        ({Face.API}, HOOK, "POST", 404),
        ({Face.API}, POLL, "GET", 401),
        ({Face.WEBHOOKS}, HOOK, "POST", 401),
        ({Face.WEBHOOKS}, POLL, "GET", 404),
        ({Face.WEBHOOKS}, "/collections/x", "GET", 404),
    ],
)
def test_process_serves_only_its_faces(fake, make_services, faces, path, method, status):
    client = create_app(make_services(fake, faces=frozenset(faces))).test_client()

    assert status == client.open(path, method=method).status_code
    assert 200 == client.get("/live").status_code


def test_ready_tells_why_not(client, health):
    assert (200, True) == (client.get("/ready").status_code, client.get("/ready").json["ready"])
    health.health = Health(faults=("The store does not persist.",), warnings=("w",))

    answer = client.get("/ready")

    assert 503 == answer.status_code
    assert ["The store does not persist."] == answer.json["reasons"]
    assert ["w"] == answer.json["warnings"]


def test_openapi_document_is_served(client):
    document = client.get("/openapi.json").json

    assert document["openapi"].startswith("3.1")
    assert {"/sessions", "/sessions/{session_id}"} <= set(document["paths"])


def test_document_tells_only_what_the_process_serves(fake, make_services):
    public = create_app(make_services(fake, faces=frozenset({Face.WEBHOOKS}))).test_client()
    private = create_app(make_services(fake, faces=frozenset({Face.API}))).test_client()

    assert {"/webhooks/{provider}", "/live", "/ready"} == set(
        public.get("/openapi.json").json["paths"]
    )
    assert "/webhooks/{provider}" not in private.get("/openapi.json").json["paths"]


def test_reference_page_tells_every_operation_and_needs_no_outside_host(client):
    page = client.get("/reference").text

    assert all(path in page for path in client.get("/openapi.json").json["paths"])
    assert "SessionView" in page
    assert not [word for word in ("http://", "https://", "<script", "//cdn") if word in page]


def test_unknown_path_is_a_problem(client):
    answer = client.get("/nothing/here")

    assert 404 == answer.status_code
    assert "application/problem+json" == answer.content_type


def test_failure_of_ours_is_a_problem_without_its_reason(services, monkeypatch):
    app = create_app(services)

    @app.get("/boom")
    def boom():
        raise RuntimeError("secret detail")

    answer = app.test_client().get("/boom")

    assert 500 == answer.status_code
    assert "secret detail" not in answer.text
