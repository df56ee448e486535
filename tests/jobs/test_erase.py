import builders
import pytest
import toy
from test_drain import create, drain

from gateway.domain.actions import Actor
from gateway.domain.errors import NotFound
from gateway.domain.events import SessionStatus
from jobs.erase import erase_session

WHO = Actor("cli:ops", builders.START)


def test_persons_data_are_gone_and_the_money_stays(runtime):
    create(runtime, data={"id": "pay_1", "email": "ada@example.org"})
    runtime.carts.keep_snapshot("ps_1", {"name": "Ada"})
    told = toy.keep(runtime, toy.told("e1", detail="Ada"))
    drain(runtime)

    assert (1, 0) == (
        erase_session(runtime, "ps_1", WHO),
        erase_session(runtime, "ps_1", WHO),
    )
    session = runtime.sessions.get("ps_1")
    assert {"id": "pay_1"} == session.data
    assert SessionStatus.AUTHORIZED is session.status
    assert runtime.carts.snapshot("ps_1") is None
    assert not runtime.inbox.load([told])[0].has_body
    assert "session.erased" == runtime.sessions.history("ps_1")[-1].type


def test_unknown_session_is_not_found(runtime):
    with pytest.raises(NotFound):
        erase_session(runtime, "ps_9", WHO)
