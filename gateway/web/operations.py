"""For those who run it: is the process alive, and can it keep its promises?"""

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from gateway import metrics
from gateway.store.tokens import Scope
from gateway.web.auth import Authenticator
from gateway.web.gauges import Gauges
from gateway.web.services import Services


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("operations", __name__)

    @routes.get("/live")
    def live() -> Response:
        """The process answers; that is all it says."""
        return jsonify(status="alive")

    @routes.get("/ready")
    def ready() -> tuple[Response, int]:
        """Whether webhooks can be acknowledged, and if not, why."""
        health = services.health()
        body = {
            "ready": health.ok,
            "reasons": list(health.faults),
            "warnings": list(health.warnings),
            "turned_away": services.health.turned_away,
            "clock_ahead_seconds": round(health.clock_ahead, 3),
        }
        return jsonify(body), 200 if health.ok else 503

    return routes


def metrics_blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("metrics", __name__)
    looked_up, folder = Gauges(services), services.settings.metrics_dir

    @routes.get("/metrics")
    @auth.require(Scope.READ)
    def scrape() -> Response:
        """All metrics, as Prometheus reads them."""
        return Response(metrics.exposition(looked_up, folder), content_type=CONTENT_TYPE_LATEST)

    return routes
