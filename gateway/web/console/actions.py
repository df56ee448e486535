"""What the console's buttons do: the same as the API's calls, in the name of who is logged in."""

from flask import Blueprint, redirect, render_template, request, url_for
from marshmallow import EXCLUDE, Schema, fields, validate
from werkzeug.wrappers import Response

from gateway.domain.actions import accept, refuse
from gateway.domain.errors import InvalidInput
from gateway.web.console.deliveries import query_of, selection
from gateway.web.console.login import operator
from gateway.web.deliveries import MOST_REPLAYED, stored_delivery
from gateway.web.schemas import Answering
from gateway.web.services import Services
from jobs import replay
from jobs.quarantine import Claimed, give_answer
from jobs.reverify import reverify

_ANSWERS = {"accept": accept, "refuse": refuse}


class _Answer(Answering):
    """The form of an answer to a claim."""

    answer = fields.String(required=True, validate=validate.OneOf(tuple(_ANSWERS)))


# The form's own key comes along, and was looked at already.
_ANSWER: Schema = _Answer(unknown=EXCLUDE)


def add(routes: Blueprint, services: Services) -> None:
    runtime = services.runtime

    @routes.post("/deliveries/<delivery_id>/replay")
    def replay_one(delivery_id: str) -> Response:
        stored = stored_delivery(services, delivery_id)
        done = replay.replay(runtime, [stored.id], operator(services))
        asked = "replayed" if done else "waiting"
        return redirect(url_for("console.delivery", delivery_id=stored.id, asked=asked))

    @routes.post("/deliveries/replay")
    def replay_many() -> Response | str:
        """All that fit the filter of the page, or only what that would do."""
        wanted = query_of(request.form)
        found = replay.find(runtime, selection(wanted), MOST_REPLAYED)
        if "dry_run" in request.form:
            previews = [replay.preview(runtime, one) for one in found.deliveries]
            return render_template("console/dry_run.html", previews=previews, wanted=wanted)
        ids = [stored.id for stored in found.deliveries]
        done = replay.replay(runtime, ids, operator(services))
        return redirect(url_for("console.deliveries", **wanted, replayed=str(done)))

    @routes.post("/refused/<provider_id>/<entry_id>/reverify")
    def verify_again(provider_id: str, entry_id: str) -> Response:
        services.health().require()
        done = reverify(runtime, runtime.journal.get(provider_id, entry_id))
        if done.delivery_id is not None:
            return redirect(url_for("console.delivery", delivery_id=done.delivery_id))
        page = url_for("console.refused", provider_id=provider_id, entry_id=entry_id, why=done.why)
        return redirect(page)

    @routes.post("/sessions/<session_id>/answer")
    def answer(session_id: str) -> Response:
        """Accepts or refuses a claim in quarantine."""
        given = _ANSWER.validate(request.form)
        if given:
            field, told = next(iter(given.items()))
            raise InvalidInput(field, " ".join(map(str, told)))
        form = _ANSWER.load(request.form)
        claim = Claimed(session_id, form["source"], form["event_id"])
        who, how = operator(services), _ANSWERS[form["answer"]]
        give_answer(runtime, claim, how, form["note"], who)
        return redirect(url_for("console.session", session_id=session_id))
