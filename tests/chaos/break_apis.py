"""Providers' APIs that misbehave while their webhooks have to be asked back."""

import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil
from processes import Gateway, eventually, free_port, now
from provider_api import Api, Mood, serving
from scene import Row, Scale, Scene, fault, scene
from stream import AMOUNT, SETTINGS, payment

from gateway.cli.development import provider_environment
from gateway.config import instance_prefix, load
from gateway.store.delivery_lists import DeliveryLists
from gateway.store.inbox import Inbox
from gateway.store.keys import DeliveryState
from providers import simulator
from providers.registry import Instance


@fault("providers' APIs slow, failing, busy, garbled, endless")
def apis_misbehave(scale: Scale) -> Row:
    apis = {mood: Api(mood) for mood in Mood}
    ports = {mood: free_port() for mood in Mood}
    own = SETTINGS | _fetched_back(ports)
    with ExitStack() as stack:
        for mood, api in apis.items():
            stack.enter_context(serving(api, ports[mood]))
        it = stack.enter_context(scene(scale, settings=own))
        instances = load({"GATEWAY_STORE_URL": "unix:///none", **own}).instances
        named = [(instances[f"payplug-{mood}"], n) for mood in Mood for n in range(scale.fetched)]
        for instance, number in named:
            apis[Mood(instance.name.removeprefix("payplug-"))].answers |= _posted(
                it, instance, number
            )
        with it.traffic:
            for _ in range(scale.rounds):
                it.calm()
                time.sleep(1)
            settler = psutil.Process(it.gateway.roles["settler"].process.pid)
            it.seen.append(f"settler {settler.memory_info().rss / 2**20:.0f} MiB")
            lag = it.traffic.wait_until_fresh()
            it.seen.append(f"others applied within {lag:.1f} s meanwhile")
        assert not any(_authorized(it, instance, n) for instance, n in named), "nothing was proven"
        for api in apis.values():
            api.mood = None
            api.over.set()
        _requeue_dead(it.gateway)
        eventually(lambda: all(_authorized(it, i, n) for i, n in named), "all settled", seconds=200)
        it.seen.append(f"{len(named)} settled in the end")
        it.settle()
        return it.row()


def _fetched_back(ports: dict[Mood, int]) -> dict[str, str]:
    """An account of a provider that is asked back for each mood."""
    own = {"GATEWAY_INSTANCES": ",".join(f"payplug-{mood}=payplug" for mood in Mood)}
    for mood, port in ports.items():
        name = f"payplug-{mood}"
        own |= provider_environment("payplug", name)
        own[f"{instance_prefix(name)}API_BASE"] = f"http://127.0.0.1:{port}"
    return own


def _posted(it: Scene, instance: Instance, number: int) -> dict[str, bytes]:
    """Posts a notification that has to be asked back; what the API would truly answer."""
    told = payment("payplug", f"ps_{instance.name}_{number}")
    fields = {"provider_id": instance.name, "amount": AMOUNT, "data": {"id": told.external_id}}
    it.gateway.create(told.session_id, **fields)
    about = {"event_id": f"evt_{number}", "at": now()}
    assert 200 == it.gateway.post(simulator.simulate(instance, "authorized", told, **about))
    calls = simulator.api_calls(instance, "authorized", told, **about)
    return {urlsplit(call.url).path: call.body for call in calls}


def _authorized(it: Scene, instance: Instance, number: int) -> bool:
    return it.gateway.status(f"ps_{instance.name}_{number}") == "authorized"


def _requeue_dead(gateway: Gateway) -> None:
    """What an operator does once a provider's API is well again."""
    with gateway.client() as client:
        inbox, lists = Inbox(client, 1), DeliveryLists(client, 1)
        for delivery_id in lists.listed(DeliveryState.DEAD, 1000):
            inbox.requeue(delivery_id)
