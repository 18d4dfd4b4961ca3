"""Debian's chromium, driven by Playwright, and what a page did that it should not."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium")
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Tab:
    """A page of the browser, and what it complained of: errors of scripts, of the console, answers that failed."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on(
            "console",
            lambda said: (
                self.complaints.append(f"{self.page.url}: {said.type}: {said.text}")
                if said.type in {"error", "warning"}
                else None
            ),
        )
        self.page.on("requestfailed", self._failed)

    def _failed(self, request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # left behind when a page is left
            self.complaints.append(f"{request.url}: {request.failure}")

    async def open(self, path: str) -> None:
        """Load a page and wait until nothing is loaded any more and its first regions have come."""
        await self.page.goto(self.base + path)
        await self.page.wait_for_load_state("load")

    async def log_in(self, password: str, path: str = "/system") -> None:
        """Ask for a page, be sent to the login, and come to the page."""
        await self.open(path)
        await self.page.fill("#password", password)
        await self.page.press("#password", "Enter")
        await self.page.wait_for_url(self.base + path)

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        return await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


async def tab(browser: Browser, base: str, *, size=DESK, theme: str = "dark", **options) -> Tab:
    """A new browser window of its own, with no cookies but the theme's. Whoever made the browser closes it."""
    is_phone = size["width"] < 600
    context = await browser.new_context(viewport=size, has_touch=is_phone, is_mobile=is_phone, **options)
    await context.add_cookies([{"name": "trading_agent_theme", "value": theme, "url": base}])
    return Tab(await context.new_page(), base)


async def logged_in(browser: Browser, base: str, session: dict[str, str], **options) -> Tab:
    """The same with the cookies of a `Visitor`."""
    made = await tab(browser, base, **options)
    await made.page.context.add_cookies(
        [{"name": name, "value": value, "url": base} for name, value in session.items()]
    )
    return made
