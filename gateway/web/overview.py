"""The overview over HTTP: what needs a person, each provider's day, the store and the workers."""

from flask_smorest import Blueprint
from marshmallow import Schema, fields

from gateway.store.tokens import Scope
from gateway.web.auth import Authenticator
from gateway.web.services import Services
from jobs.overview import Overview, Topic, look


class NeedView(Schema):
    """Something that a person has to look at; `name`: of the list, the provider or the queue."""

    topic = fields.Enum(Topic, by_value=True, required=True)
    name = fields.String(required=True)
    text = fields.String(required=True)


class ProviderHourView(Schema):
    """One hour: in how many seconds 95 % were received, and applied; null: there were none."""

    start = fields.AwareDateTime(required=True)
    received_within = fields.Float(required=True, allow_none=True)
    applied_within = fields.Float(required=True, allow_none=True)


class ProviderDayView(Schema):
    """A provider's counts of the last hour and day, and the day's hours, oldest first."""

    name = fields.String(required=True)
    last_hour = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    last_day = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    hours = fields.List(fields.Nested(ProviderHourView), required=True)


class StoreView(Schema):
    """The store's health; memory in bytes, `max_memory` 0: without a limit."""

    faults = fields.List(fields.String(), required=True)
    warnings = fields.List(fields.String(), required=True)
    used_memory = fields.Integer(required=True)
    max_memory = fields.Integer(required=True)
    clock_ahead = fields.Float(required=True)


class WaitingView(Schema):
    """The webhooks that wait to be applied."""

    count = fields.Integer(required=True)
    oldest_at = fields.AwareDateTime(required=True, allow_none=True)


class QueueView(Schema):
    """How many jobs wait in a queue, and how many workers listen to it."""

    name = fields.String(required=True)
    jobs = fields.Integer(required=True)
    workers = fields.Integer(required=True)


class OverviewView(Schema):
    """Everything at one glance. No queues: their server cannot be reached."""

    needs = fields.List(fields.Nested(NeedView), required=True)
    providers = fields.List(fields.Nested(ProviderDayView), required=True)
    store = fields.Nested(StoreView, required=True)
    waiting = fields.Nested(WaitingView, required=True)
    queues = fields.List(fields.Nested(QueueView), required=True)


def blueprint(services: Services, auth: Authenticator) -> Blueprint:
    routes = Blueprint("overview", __name__, description="How things are")

    @routes.route("/overview", methods=["GET"])
    @auth.require(Scope.READ)
    @routes.response(200, OverviewView)
    def overview() -> Overview:
        """What needs a person, each provider's last hour and day, the store and the workers."""
        return look(services.runtime, services.health())

    return routes
