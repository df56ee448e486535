"""The console's pages over a full store: how long the server takes for the slowest one."""

import time
from collections.abc import Iterator
from statistics import median

import requests
from processes import TOKEN
from rows import Row, within
from stage import Stage
from traffic import session_id

LIMIT, ROUNDS = 0.3, 7


def measure(full: Stage, about: str) -> Iterator[Row]:
    """`about`: what is in the store."""
    with requests.Session() as browser:
        url = f"{full.url}/console/"
        # A cookie for TLS only; this is loopback.
        entered = browser.post(f"{url}login", data={"token": TOKEN}, allow_redirects=False)
        browser.headers["Cookie"] = entered.headers["Set-Cookie"].partition(";")[0]
        slowest = max((_seconds(browser, url + path), path) for path in _paths(browser, url))
    name = slowest[1].partition("/dlv_")[0] or "overview"
    yield within(f"the console's slowest page (`{name}`) {about}", slowest[0], LIMIT, "ms", 1e-3)


def _paths(browser: requests.Session, url: str) -> list[str]:
    listed = browser.get(f"{url}deliveries?state=applied").text
    delivery = listed.partition("/console/deliveries/dlv_")[2].partition('"')[0]
    filters = ("", "?state=applied", "?state=dead", "?state=refused")
    # A filter that nothing fits has it look through as much as it ever does.
    filters += ("?cause=nothing-says-so", "?type=none", f"?session_id={session_id(7)}")
    return [
        "",
        *(f"deliveries{wanted}" for wanted in filters),
        f"deliveries/dlv_{delivery}",
        "sessions",
        f"sessions?q=cart_{session_id(7)}",
        f"sessions/{session_id(7)}",
        "providers",
    ]


def _seconds(browser: requests.Session, url: str) -> float:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = browser.get(url)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, (url, answer.status_code)
    return median(taken)
