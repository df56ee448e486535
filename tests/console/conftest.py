"""A real browser before a real gateway."""

from collections.abc import Iterator

import pytest
from browser import CHROMIUM, OPTIONS, log_in
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from processes import Gateway, running

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


# Not for the session: a browser that idles while other modules run may never close.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; Debian's package `chromium` has it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(params=SIZES)
def page(request, chromium, gateway: Gateway) -> Iterator[Page]:
    """A page of the console, logged in; once as on a desk, once as on a phone."""
    width, height = SIZES[request.param]
    context = chromium.new_context(
        base_url=gateway.url, viewport={"width": width, "height": height}
    )
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda said: _is_wrong(said) and wrong.append(said.text))
    log_in(made)
    yield made
    context.close()
    assert wrong == []


def _is_wrong(said: ConsoleMessage) -> bool:
    """A page that looks for news while its gateway is restarted may say so."""
    return said.type == "error" and "net::ERR_" not in said.text


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running() as made:
        yield made
