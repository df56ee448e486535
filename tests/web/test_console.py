import re
from dataclasses import replace
from datetime import timedelta

import pytest
import toy
from form_browser import Browser

from gateway.domain.errors import Cause, Rejected
from gateway.store.health import Health
from gateway.store.keys import DeliveryState
from gateway.store.secret_use import SecretUse
from gateway.web.app import create_app
from gateway.web.console.masking import MASK, masked
from jobs.overview import unused
from providers import configuration

GENUINE = toy.signed(toy.told("e1"))


@pytest.fixture
def app(services):
    return create_app(services)


@pytest.fixture
def browser(app):
    """Logged in by a token that may do everything."""
    made = Browser(app)
    made.http.post("/console/login", data={"token": "all"}, base_url="https://localhost")
    return made


@pytest.fixture
def reader(app):
    made = Browser(app)
    made.http.post("/console/login", data={"token": "reader"}, base_url="https://localhost")
    return made


@pytest.fixture
def delivery_id(create, webhook, services):
    create()
    webhook(toy.told("e1"))
    return services.runtime.lists.listed(DeliveryState.APPLIED, 1)[0]


# --- who may look, who may act


def test_stranger_is_asked_for_a_token_and_brought_back(app):
    answer = app.test_client().get("/console/deliveries?state=dead")
    assert 302 == answer.status_code
    assert "/console/login?next=/console/deliveries?state%3Ddead" in answer.headers["Location"]


def test_login_sets_a_cookie_that_no_script_and_no_other_site_gets(app):
    answer = app.test_client().post("/console/login", data={"token": "all"})

    cookie = answer.headers["Set-Cookie"]
    for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/console"):
        assert word in cookie
    assert "all" not in cookie.partition(";")[0].partition("=")[2].split()


def test_wrong_token_is_refused_without_a_cookie(app):
    answer = app.test_client().post("/console/login", data={"token": "guess"})
    assert 401 == answer.status_code
    assert "Set-Cookie" not in answer.headers
    assert "guess" not in answer.text


def test_login_from_another_site_is_refused(app):
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = app.test_client().post("/console/login", data={"token": "all"}, headers=headers)
    assert 403 == answer.status_code


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/console/\\evil", "/console//evil", ""]
)
def test_login_leads_to_no_other_site(app, target):
    answer = app.test_client().post("/console/login", data={"token": "all", "next": target})
    assert "/console/" == answer.headers["Location"]


def test_logout_ends_the_login_in_the_store(browser, fake):
    assert 1 == len(fake.keys("login:*"))
    browser.send("/console/logout")
    assert [] == fake.keys("login:*")
    assert "Log in" in browser.page


def test_token_without_a_scope_for_it_sees_nothing(app):
    browser = Browser(app)
    browser.http.post("/console/login", data={"token": "writer"}, base_url="https://localhost")
    assert "lacks the scope" in browser.see("/console/", 403)


def test_expired_token_is_asked_for_again(browser, services, clock):
    token = replace(services.tokens.find("all"), expires_at=clock() + timedelta(minutes=1))
    services.tokens.add(token)
    clock.advance(minutes=2)
    assert "Log in" in browser.see("/console/")


def test_reader_sees_no_buttons_and_may_not_act(reader, delivery_id):
    page = reader.see(f"/console/deliveries/{delivery_id}")
    assert "Replay</button>" not in page
    reader.send(f"/console/deliveries/{delivery_id}/replay", 403)


def test_form_without_its_key_does_nothing(browser, delivery_id, services):
    browser.page = ""
    browser.send(f"/console/deliveries/{delivery_id}/replay", 403)
    assert 0 == services.runtime.inbox.backlog(0)


def test_every_page_forbids_what_it_does_not_need(browser):
    for path in ("/console/", "/console/login", "/console/static/console.css"):
        answer = browser.http.get(path, base_url="https://localhost")
        headers = answer.headers
        answer.close()
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "nosniff" == headers["X-Content-Type-Options"]


def test_pages_need_no_inline_script_or_style(browser, delivery_id):
    for path in ("", "deliveries", f"deliveries/{delivery_id}", "sessions/ps_1", "providers"):
        page = browser.see(f"/console/{path}")
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|https?://", page)


# --- what is shown


def test_overview_counts_the_last_hour_and_day(browser, create, webhook, post):
    create()
    webhook(toy.told("e1"))
    post(replace(GENUINE, body=GENUINE.body + b" "))

    page = browser.see("/console/")
    row = re.search(r'<tr><th scope="row"><a [^>]*>toy</a>.*?</tr>', page, re.DOTALL)[0]
    counts = re.findall(r'class="number">([^<]*)<', row)
    assert ["1 / 1", "1 / 1", "1 / 1", "0 / 0", "0 / 0"] == counts


def test_overview_says_first_what_needs_a_person(browser, create, webhook, health):
    create()
    webhook(toy.told("e1", amount=600))
    health.health = Health(faults=("The store does not persist; set `appendonly yes`.",))

    needs = browser.see("/console/").partition("</section>")[0]
    assert "1 deliveries in quarantine" in needs
    assert "does not persist" in needs


def test_silent_provider_is_told(browser, services, clock, create, webhook):
    create()
    for number in range(120):
        webhook(toy.told(f"e{number}"))
    assert "gone silent" not in browser.see("/console/")
    clock.advance(hours=2)
    assert "toy has gone silent" in browser.see("/console/")


def test_rising_refusals_are_told(browser, post, services, clock):
    services.runtime.tallies.count_refused("toy", clock(), 40)
    assert "toy: 40 refused in the last hour" in browser.see("/console/")


def test_secret_that_another_has_replaced_is_told(clock):
    rotated = toy.instance()
    config = configuration.load(toy.ToyConfig, {"secrets": ["new", "old"]})
    rotated, now = replace(rotated, config=config), clock()
    new, old = SecretUse("secrets[0]", 1, now), SecretUse("secrets[1]", 9, now - timedelta(days=2))

    assert ["secrets[1]"] == unused(rotated, [new, old], now)
    assert [] == unused(rotated, [new, replace(old, last_at=now)], now)
    # Nothing matches at all: then nothing tells which of them the provider signs with.
    assert [] == unused(rotated, [old], now)


def test_deliveries_are_found_by_state_provider_type_and_session(browser, delivery_id):
    for query in ("", "state=applied", "provider_id=toy", "type=toy", "session_id=ps_1"):
        assert delivery_id in browser.see(f"/console/deliveries?{query}")
    for query in ("state=dead", "provider_id=toy-eu", "type=other", "session_id=ps_2"):
        assert delivery_id not in browser.see(f"/console/deliveries?{query}")


def test_deliveries_are_found_by_time(browser, delivery_id):
    at = "2026-11-20T14:00"
    assert delivery_id in browser.see(f"/console/deliveries?since={at}")
    assert delivery_id not in browser.see(f"/console/deliveries?until={at}")
    assert "is not a time" in browser.see("/console/deliveries?since=yesterday", 422)


def test_delivery_is_found_by_its_id(browser, delivery_id):
    assert f"Delivery <code>{delivery_id}" in browser.see(f"/console/deliveries?id={delivery_id}")


def test_pages_of_deliveries_follow_each_other(browser, create, webhook):
    create()
    for number in range(30):
        webhook(toy.told(f"e{number}"))

    first = browser.see("/console/deliveries?state=applied")
    older = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = browser.see(older)
    ids = [re.findall(r"dlv_[0-9a-f]{34}", page) for page in (first, second)]
    assert 30 == len({*ids[0], *ids[1]})


def test_delivery_shows_what_it_did_and_masks_persons(browser, create, webhook, services):
    create()
    webhook(toy.told("e1"), customer={"email": "ann@example.com", "name": "Ann"}, plain="kept")
    found = services.runtime.lists.listed(DeliveryState.APPLIED, 1)[0]

    page = browser.see(f"/console/deliveries/{found}")
    assert "applied to ps_1" in page
    assert "kept" in page
    assert "secrets[0]" in page
    assert "ann@example.com" not in page
    assert '"Ann"' not in page
    signature = dict(toy.signed(toy.told("e1")).headers)["X-Toy-Signature"]
    assert signature not in page


def test_what_a_provider_sends_stays_text(browser, webhook, services):
    webhook(toy.told("e1", type="<script>alert(1)</script>"))
    found = services.runtime.lists.listed(DeliveryState.PARKED, 1)[0]

    for path in (f"deliveries/{found}", "deliveries"):
        page = browser.see(f"/console/{path}")
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_unknown_pages_and_records_are_said_so(browser):
    assert "There is no session ps_none" in browser.see("/console/sessions/ps_none", 404)
    assert "There is no delivery" in browser.see(f"/console/deliveries/dlv_00{'0' * 32}", 404)
    assert "is no id" in browser.see("/console/deliveries/x", 422)


def test_session_is_found_by_any_name(browser, create, webhook):
    create(cart_id="cart_1")
    webhook(toy.told("e1", external_id="pi_1"))

    for name in ("ps_1", "cart_1", "pi_1", "pay_1"):
        assert "Session <code>ps_1" in browser.see(f"/console/sessions?q={name}"), name
    assert "Nothing is called" in browser.see("/console/sessions?q=nobody")


def test_session_page_tells_which_claim_won_and_why_others_did_not(browser, create, webhook):
    create()
    webhook(toy.told("e1", at="2026-11-20T14:00:10+00:00"))
    webhook(toy.told("e2", status="pending", at="2026-11-20T14:00:20+00:00"))

    page = browser.see("/console/sessions/ps_1")
    assert "its claim is the session&#39;s status" in page
    assert "outranked: a stronger or later claim stands" in page
    assert 3 == page.count("<polyline")
    assert "thread wins" in page
    assert "Payment <code>" in page


def test_providers_page_shows_labels_and_urls_never_a_secret(browser, delivery_id):
    page = browser.see("/console/providers")
    assert "/webhooks/toy" in page
    assert "secrets[0]" in page
    assert "toy-secret" not in page
    assert "2026-11-20 14:00:00" in page


# --- what is done


def test_delivery_is_replayed_in_the_name_of_who_is_logged_in(
    browser, delivery_id, services, drained
):
    browser.see(f"/console/deliveries/{delivery_id}")
    assert "put back to work" in browser.send(f"/console/deliveries/{delivery_id}/replay")
    drained()
    assert "asked by console:all" in browser.see(f"/console/deliveries/{delivery_id}")


def test_dead_letters_are_requeued_by_filter_after_a_dry_run(
    browser, delivery_id, services, drained, clock
):
    services.runtime.inbox.give_up(delivery_id, clock(), "a test says so")
    wanted = {"state": "dead"}
    assert "Requeue all that fit" in browser.see("/console/deliveries?state=dead")
    assert "nothing was changed" in browser.send(
        "/console/deliveries/replay", **wanted, dry_run="1"
    )
    browser.see("/console/deliveries?state=dead")
    assert "1 deliveries were put back" in browser.send("/console/deliveries/replay", **wanted)
    drained()
    assert delivery_id in browser.see("/console/deliveries?state=applied")


def test_refused_request_is_diagnosed_and_verified_again(browser, post, services, create):
    create()
    post(replace(GENUINE, body=GENUINE.body + b" "))
    page = browser.see("/console/deliveries?state=refused&provider_id=toy")
    link = re.search(r"/console/refused/toy/[0-9-]+", page)[0]

    page = browser.see(link)
    assert "bad_signature" in page
    assert "advice" in page
    assert "It does not verify" in browser.send(f"{link}/reverify")


def test_refused_requests_are_filtered_by_cause(browser, post):
    post(replace(GENUINE, body=GENUINE.body + b" "))
    found = browser.see("/console/deliveries?state=refused&cause=bad_signature")
    other = browser.see("/console/deliveries?state=refused&cause=stale_timestamp")
    assert ("/console/refused/toy/" in found, "/console/refused/toy/" in other) == (True, False)


@pytest.mark.parametrize(
    ("verb", "status"), [("accept", "authorized"), ("refuse", "requires_more")]
)
def test_claim_in_quarantine_is_answered_with_a_note(browser, create, webhook, api, verb, status):
    create()
    webhook(toy.told("e1", amount=600))
    assert "In quarantine: toy" in browser.see("/console/sessions/ps_1")

    sent = {"source": "toy", "event_id": "e1", "note": "called the customer", "answer": verb}
    page = browser.send("/console/sessions/ps_1/answer", **sent)
    assert "In quarantine: toy" not in page
    assert "called the customer" in page
    assert status == api("GET", "/sessions/ps_1").json["status"]


def test_answer_without_a_note_is_refused(browser, create, webhook):
    create()
    webhook(toy.told("e1", amount=600))
    browser.see("/console/sessions/ps_1")
    sent = {"source": "toy", "event_id": "e1", "note": "", "answer": "accept"}
    assert "note" in browser.send("/console/sessions/ps_1/answer", 422, **sent)


# --- what a URL may not do


@pytest.mark.parametrize("query", ["endpoint=x", "_external=1&_scheme=javascript", "_anchor=x"])
def test_query_cannot_bend_the_pages_links(browser, create, webhook, query):
    create()
    for number in range(30):
        webhook(toy.told(f"e{number}"))

    page = browser.see(f"/console/deliveries?state=applied&{query}")
    link = re.search(r'rel="next" href="([^"]+)"', page)[1]
    assert link.startswith("/console/deliveries?cursor=")
    assert "javascript" not in link


def test_refused_requests_of_all_providers_are_paged_in_their_order(browser, services, clock):
    journal, bad = services.runtime.journal, Rejected(Cause.BAD_SIGNATURE, "no")
    for number in range(130):
        name = "toy" if number % 10 else "toy-eu"
        other = Rejected(Cause.MALFORMED, "odd") if number == 2 else bad
        journal.record(replace(GENUINE, provider_id=name, received_at=clock()), other)

    path, seen = "/console/deliveries?state=refused", []
    while path:
        page = browser.see(path)
        seen += re.findall(r"/console/refused/[^\"]+", page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = found and found[1].replace("&amp;", "&")
    assert (130, 130) == (len(seen), len(set(seen)))

    page = browser.see("/console/deliveries?state=refused&cause=malformed")
    assert "odd" in page or "odd" in browser.see(
        re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")
    )


def test_numbers_that_tell_of_a_person_are_masked():
    shown = masked(b'{"card": {"last4": 4242, "exp_month": 12}, "amount": 1000, "ok": true}')
    assert "4242" not in shown
    assert "12" not in shown
    assert '"amount": 1000' in shown
    assert '"ok": true' in shown


def test_form_bodies_are_masked_by_field():
    shown = masked(b"buyer_email=ann%40example.com&amount=10.00")
    assert "ann" not in shown
    assert "amount=10.00" in shown


def test_bodies_of_other_kinds_are_shown_without_mail_and_card_numbers():
    shown = masked(b"<a>ann@example.com 4111 1111 1111 1111</a>")
    assert f"<a>{MASK} {MASK}</a>" == shown
    assert "no UTF-8" in masked(b"\xff")
    assert masked(b"[" * 100_000)
