"""A flood of forged webhooks: the genuine ones are answered as before, and nothing fills up."""

import statistics
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

from scene import Row, Scale, Scene, fault, scene
from stream import Post, Webhook

# Senders of forged webhooks, each as fast as it is answered; a genuine one comes so often.
_FLOODERS = 4
_PAUSE = 0.01


@fault("a flood of bad signatures")
def flood(scale: Scale) -> Row:
    with scene(scale) as it:
        quiet = _p99(it, scale.probes)
        with _flooded(it) as forged:
            loud = _p99(it, scale.probes)
        with it.gateway.client() as client:
            entries = client.xlen("rejected:{stripe}")
            size = int(client.get("rejected:{stripe}:bytes") or 0)
        it.settle()
        times = f"{quiet * 1000:.1f} ms in quiet, {loud * 1000:.1f} ms ({loud / quiet:.1f} times)"
        it.seen.append(f"p99 of genuine ones {times} under {sum(forged):,} forged ones")
        it.seen.append(f"{entries} of them written down, {size / 1024:.0f} KiB")
        return it.row()


def _p99(it: Scene, count: int) -> float:
    """The 99th percentile of the seconds until genuine webhooks are answered."""
    post, taken = Post(it.gateway), []
    for _ in range(count):
        time.sleep(_PAUSE)
        webhook = it.traffic.next_webhook()
        began = time.monotonic()
        status = post(webhook.delivery)
        taken.append(time.monotonic() - began)
        it.traffic.account.note(webhook, status, taken[-1])
    post.close()
    return statistics.quantiles(taken, n=100)[-1]


@contextmanager
def _flooded(it: Scene):
    """Forged webhooks from several senders at once; how many each has sent."""
    over, sent = threading.Event(), [0] * _FLOODERS
    genuine = Webhook.refund("stripe", it.traffic.sessions[0][1], 0).delivery
    forged = replace(genuine, body=genuine.body + b" ")

    def send(sender: int) -> None:
        post = Post(it.gateway)
        while not over.is_set():
            assert post(forged) == 400
            sent[sender] += 1
        post.close()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(_FLOODERS)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        over.set()
        for thread in threads:
            thread.join()
