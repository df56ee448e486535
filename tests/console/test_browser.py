"""What a person does in the console, with a real browser on a desk and on a phone."""

from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from processes import STRIPE, Gateway, eventually, stripe

from gateway.store.keys import DeliveryState

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("browser")]
AUTHORIZED = "payment_intent.amount_capturable_updated"
WRONG = "GATEWAY_STRIPE_WEBHOOK_SECRETS"


def authorize(gateway: Gateway, session_id: str, **fields) -> None:
    assert 200 == gateway.post(stripe(f"evt_{session_id}", AUTHORIZED, session_id, **fields))


def dead_letter(gateway: Gateway) -> None:
    """What is signed and cannot be read: it is kept, and dead."""
    made = stripe("evt_dead", AUTHORIZED, "ps_dead")
    unread = replace(made, body=b'{"id": "evt_dead", "object": "event"}', headers=())
    assert 200 == gateway.post(STRIPE.adapter.scheme.sign(unread, STRIPE.config))


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_overview_changes_by_itself_when_a_webhook_arrives(page, gateway):
    row = page.get_by_role("row").filter(has_text="stripe")
    expect(row).to_contain_text("0 / 0")
    gateway.create("ps_1")
    authorize(gateway, "ps_1")

    expect(row).to_contain_text("1 / 1", timeout=30_000)
    assert fits(page)


def test_refused_webhook_is_diagnosed_mended_and_applied(page, gateway):
    gateway.create("ps_1")
    roles = [gateway.roles[name] for name in ("web", "worker")]
    right = roles[0].environment[WRONG]
    for role in roles:
        role.environment[WRONG] = "whsec_wrong"
        role.stop()
        role.start()
    eventually(gateway.is_ready, "ready with a wrong secret")
    assert 400 == gateway.post(stripe("evt_1", AUTHORIZED, "ps_1"))

    page.goto("/console/deliveries?state=refused")
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Diagnosis")).to_be_visible()
    expect(page.locator("main")).to_contain_text("bad_signature")
    page.get_by_role("button", name="Verify again").click()
    expect(page.get_by_role("alert")).to_contain_text("It does not verify")

    for role in roles:
        role.environment[WRONG] = right
        role.stop()
        role.start()
    eventually(gateway.is_ready, "ready with the right secret")
    page.get_by_role("button", name="Verify again").click()
    expect(page.get_by_role("heading", name="Delivery")).to_be_visible()
    eventually(lambda: gateway.status("ps_1") == "authorized", "applied after all")
    page.goto("/console/sessions/ps_1")
    expect(page.locator("main")).to_contain_text("its claim is the session's status")
    assert fits(page)


def test_dead_letter_is_requeued(page, gateway):
    dead_letter(gateway)
    needs = page.get_by_role("link", name="1 deliveries dead")
    expect(needs).to_be_visible(timeout=30_000)
    needs.click()
    page.get_by_role("table").get_by_role("link").first.click()
    page.get_by_role("button", name="Requeue").click()
    expect(page.get_by_role("status")).to_contain_text("put back to work")

    def asked() -> bool:
        page.reload()
        return "asked by console:system" in page.locator("main").inner_text()

    eventually(asked, "it names who asked")
    assert fits(page)


def test_quarantined_claim_is_accepted(page, gateway):
    gateway.create("ps_1")
    authorize(gateway, "ps_1", amount_capturable=600, amount=600)
    eventually(lambda: gateway.status("ps_1") == "requires_more", "in quarantine")
    page.goto("/console/sessions")
    page.get_by_label("Session, payment, cart").fill("ps_1")
    page.keyboard.press("Enter")
    page.get_by_label("Note").fill("called the customer")
    page.get_by_role("button", name="Accept").click()

    expect(page.locator("main")).to_contain_text("called the customer")
    assert "authorized" == gateway.status("ps_1")
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page, gateway, scheme):
    gateway.create("ps_1", cart_id="cart_1")
    gateway.create("ps_2")
    authorize(gateway, "ps_1")
    authorize(gateway, "ps_2", amount_capturable=600, amount=600)
    dead_letter(gateway)
    gateway.post(replace(stripe("evt_2", AUTHORIZED, "ps_1"), headers=()))
    eventually(lambda: gateway.status("ps_2") == "requires_more", "in quarantine")
    page.emulate_media(color_scheme=scheme)

    paths = ["", "deliveries", "deliveries?state=refused", "sessions", "sessions/ps_1"]
    paths += ["sessions/ps_2", "providers"]
    for state, link in (("refused", "refused"), (DeliveryState.APPLIED.value, "deliveries")):
        page.goto(f"/console/deliveries?state={state}")
        paths.append(page.locator(f"td a[href^='/console/{link}/']").first.get_attribute("href"))
    for path in paths:
        page.goto(path if path.startswith("/") else f"/console/{path}")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] != "minor"]
        assert [] == serious, path
        assert fits(page), path


def test_keyboard_reaches_the_search(page, gateway):
    page.goto("/console/deliveries")
    page.keyboard.press("/")
    assert "provider_id" == page.evaluate("document.activeElement.name")


def test_pages_can_be_read_without_scripts(chromium, page, gateway):
    context = chromium.new_context(java_script_enabled=False, base_url=gateway.url)
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    for path in ("", "deliveries", "sessions", "providers"):
        plain.goto(f"/console/{path}")
        expect(plain.get_by_role("heading", level=1)).to_be_visible()
    context.close()
