"""Makes the pictures of docs/console.md: a gateway with something on every page, and a browser."""

import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tests" / folder) for folder in ("system", "console")]

from browser import CHROMIUM, OPTIONS, log_in  # noqa: E402 - the tests' own, found only now
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from processes import STRIPE, Gateway, eventually, running, stripe  # noqa: E402

FOLDER = ROOT / "docs" / "console"
AUTHORIZED = "payment_intent.amount_capturable_updated"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with running() as gateway:
        _fill(gateway)
        _take(gateway)


def _fill(gateway: Gateway) -> None:
    for number in range(1, 9):
        gateway.create(f"ps_order100{number}", cart_id=f"cart_100{number}")
        _post(gateway, f"evt_a{number}", AUTHORIZED, f"ps_order100{number}")
    _post(gateway, "evt_late", "payment_intent.processing", "ps_order1001", status="processing")
    _post(gateway, "evt_captured", "payment_intent.succeeded", "ps_order1001", status="succeeded")
    gateway.create("ps_order1009")
    _post(gateway, "evt_less", AUTHORIZED, "ps_order1009", amount_capturable=600, amount=600)
    unread = replace(stripe("evt_x", AUTHORIZED, "ps_x"), body=b'{"id": "evt_x"}', headers=())
    gateway.post(STRIPE.adapter.scheme.sign(unread, STRIPE.config))
    for number in range(3):
        gateway.post(replace(stripe(f"evt_r{number}", AUTHORIZED, "ps_order1002"), headers=()))
    eventually(lambda: gateway.status("ps_order1009") == "requires_more", "all is applied")
    eventually(lambda: gateway.status("ps_order1008") == "authorized", "all is applied")


def _post(gateway: Gateway, event_id: str, kind: str, session_id: str, **fields: object) -> None:
    gateway.post(stripe(event_id, kind, session_id, **fields))


def _take(gateway: Gateway) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(base_url=gateway.url, viewport={"width": 1100, "height": 700})
        log_in(page)
        page.wait_for_timeout(1000)
        _shoot(page, "/console/", "overview")
        _shoot(page, "/console/deliveries?state=applied", "deliveries")
        _shoot(page, _first(page), "delivery")
        page.goto("/console/deliveries?state=refused")
        _shoot(page, _first(page), "refused")
        _shoot(page, "/console/sessions/ps_order1001", "session")
        _shoot(page, "/console/sessions/ps_order1009", "quarantine")
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(color_scheme="dark")
        _shoot(page, "/console/", "phone")
        browser.close()


def _first(page: Page) -> str:
    return page.locator("td a").first.get_attribute("href") or ""


def _shoot(page: Page, path: str, name: str) -> None:
    page.goto(path)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)


if __name__ == "__main__":
    main()
