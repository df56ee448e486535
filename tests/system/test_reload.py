"""SIGHUP under a stream of webhooks: a secret in a file is replaced, and no request is dropped."""

import itertools
import signal
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from processes import SECRETS, Gateway, eventually, stripe

from gateway.config import load

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

OLD, NEW = "whsec_system", "whsec_new"
SETTING = "GATEWAY_STRIPE_WEBHOOK_SECRETS"


def instance_of(secret):
    settings = SECRETS | {"GATEWAY_STORE_URL": "unix:///none", SETTING: secret}
    return load(settings).instances["stripe"]


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secrets"
    path.write_text(OLD)
    return path


@pytest.fixture
def gateway(secret_file):
    """A gateway that has Stripe's secret from a file."""
    settings = {name: value for name, value in SECRETS.items() if name != SETTING}
    with tempfile.TemporaryDirectory(prefix="pwg-", ignore_cleanup_errors=True) as folder:
        made = Gateway(Path(folder), settings | {f"{SETTING}_FILE": str(secret_file)})
        try:
            made.start()
            made.create("ps_1")
            yield made
        finally:
            made.stop()


def refund(number, secret=OLD):
    made = stripe(f"evt_{number}", "refund.created", "ps_1", id=f"re_{number}", amount=1)
    instance = instance_of(secret)
    return instance.adapter.scheme.sign(made, instance.config)


def reload(gateway, *roles):
    for name in roles:
        gateway.roles[name].process.send_signal(signal.SIGHUP)


def log_of(gateway, role):
    return gateway.roles[role].log.read_text()


@contextmanager
def stream(gateway, secret, request=requests.request):
    """The answers to webhooks that come one after the other, each on a connection of its own
    unless `request` keeps one. What got none (0) is sent again at once, as providers do.
    """
    answers, done = [], threading.Event()

    def send():
        for number in itertools.count():
            if done.is_set():
                return
            webhook = refund(f"{secret}_{number}", secret)
            answers.append(gateway.post(webhook, request=request))
            if answers[-1] == 0:
                answers.append(gateway.post(webhook, request=request))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


def test_secret_is_replaced_without_a_request_dropped(gateway, secret_file):
    assert 400 == gateway.post(refund("early", NEW))
    with stream(gateway, OLD) as answers:
        secret_file.write_text(f"{NEW},{OLD}")
        reload(gateway, "web", "worker", "settler")
        eventually(lambda: gateway.post(refund("mended", NEW)) == 200, "the new one is known")
        eventually(lambda: "Stopped old worker" in log_of(gateway, "web"), "the old has ended")
        count = len(answers)
        eventually(lambda: len(answers) > count + 20, "the stream goes on")
    assert {200} == set(answers)

    with stream(gateway, NEW) as answers:
        secret_file.write_text(NEW)
        reload(gateway, "web", "worker", "settler")
        eventually(lambda: gateway.post(refund("late")) == 400, "the old one is not known any more")
    assert {200} == set(answers)
    eventually(lambda: log_of(gateway, "worker").count('"reloaded"') == 2, "the worker has read it")


def test_connection_that_is_kept_is_closed_between_two_answers(gateway):
    """At worst the closing crosses one webhook: that has no answer, and has its effect once."""
    with requests.Session() as kept, stream(gateway, OLD, kept.request) as answers:
        eventually(lambda: len(answers) > 20, "the connection is in use")
        reload(gateway, "web")
        eventually(lambda: "Stopped old worker" in log_of(gateway, "web"), "the old has ended")
        count = len(answers)
        eventually(lambda: len(answers) > count + 20, "the stream goes on")
    crossed = answers.count(0)
    assert crossed <= 1
    assert len(answers) - crossed == answers.count(200)
    eventually(lambda: len(gateway.decisions("ps_1")) == 1 + answers.count(200), "all are applied")


def test_worker_keeps_what_it_has_over_a_configuration_with_faults(gateway, secret_file):
    secret_file.unlink()
    reload(gateway, "worker")
    eventually(lambda: "reload_refused" in log_of(gateway, "worker"), "it says what is wrong")
    assert f"{SETTING}_FILE: cannot read the file" in log_of(gateway, "worker")
    assert 200 == gateway.post(refund("after"))
    eventually(lambda: len(gateway.decisions("ps_1")) == 2, "it works on")
    assert gateway.roles["worker"].process.poll() is None
