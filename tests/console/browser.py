"""The browser that the console is shown in."""

import shutil

from playwright.sync_api import Page
from processes import TOKEN

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# As root there is no sandbox; and nothing of the browser's own is to look for a network.
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


def log_in(page: Page) -> None:
    page.goto("/console/")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()
