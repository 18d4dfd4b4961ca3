"""Pages in a real browser: they load without a complaint, fit the screen, work without scripts, and say when they are old."""

import re
import shutil

import pytest
from playwright.async_api import expect

from binance_trade_agent.dashboard.rendering import NAVIGATION
from tests.dashboard.browser import DESK, PHONE, Tab, logged_in, needs_chromium, tab
from tests.dashboard.served import TRADER_PASSWORD, WITH_PASSWORDS, served

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PAGES = [path for path, _ in NAVIGATION]


@pytest.mark.parametrize(("size", "theme"), [(DESK, "dark"), (PHONE, "light")])
async def test_every_page_loads_without_a_complaint_and_fits_the_screen(browser, dashboard, trader, size, theme):
    seen = await logged_in(browser, dashboard.base, trader.cookies, size=size, theme=theme)
    for path in PAGES:
        await seen.open(path)
        assert (await seen.page.locator("main").inner_text()).strip(), path
        assert await seen.overflow() <= 0, path
    assert seen.complaints == []


async def test_without_scripts_every_page_is_readable_and_stops_the_trader(browser, serve):
    running = serve()
    seen = await tab(browser, running.base, size=PHONE, java_script_enabled=False)
    await seen.log_in(TRADER_PASSWORD)
    for path in PAGES:
        await seen.open(path)
        assert await seen.page.locator("h1").text_content(), path
        assert len((await seen.page.locator("main").inner_text()).split()) > 20, path
        await expect(seen.page.locator(".bar .state")).to_have_text("stopped")
        await seen.page.locator(".menu > summary").click()
        await expect(seen.page.locator(".menu nav a")).to_have_count(len(PAGES))
    await seen.page.get_by_role("link", name="Emergency stop").first.click()
    await seen.page.get_by_label("Why").fill("no scripts here")
    await seen.page.get_by_label("Type STOP").fill("stop")
    await seen.page.get_by_role("button", name="Stop trading").click()
    await expect(seen.page).to_have_url(re.compile(r"/commands/1$"))
    await expect(seen.page.locator(".bar .state")).to_have_text("emergency stop")


async def test_the_menu_of_a_phone_leads_to_every_page(browser, dashboard, trader):
    seen = await logged_in(browser, dashboard.base, trader.cookies, size=PHONE)
    await seen.open("/system")
    for path, name in NAVIGATION:
        await seen.page.locator(".menu > summary").tap()
        await seen.page.locator(".menu nav").get_by_role("link", name=name).tap()
        await expect(seen.page).to_have_url(re.compile(f"{path}$"))
        await expect(seen.page.locator(".menu nav a[aria-current=page]")).to_have_text(name)
    assert await seen.overflow() <= 0


async def test_a_theme_is_kept(browser, dashboard):
    seen = await tab(browser, dashboard.base, theme="", color_scheme="light")
    await seen.log_in(TRADER_PASSWORD)
    backgrounds = {}
    for theme in ("dark", "light", "system"):
        await seen.page.locator("footer").get_by_role("button", name=theme).click()
        await expect(seen.page.locator("html")).to_have_attribute("data-theme", theme)
        await expect(seen.page).to_have_url(re.compile("/system$"))
        backgrounds[theme] = await seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backgrounds["dark"] != backgrounds["light"] == backgrounds["system"]
    await seen.open("/logs")
    await expect(seen.page.locator("html")).to_have_attribute("data-theme", "system")


async def test_a_viewer_finds_what_acts_switched_off(browser, dashboard, viewer):
    seen = await logged_in(browser, dashboard.base, viewer.cookies)
    for path in PAGES:
        await seen.open(path)
        await expect(seen.page.locator("a.stop")).to_have_count(0)
        for form in await seen.page.locator("main form[method=post]").all():
            action = await form.get_attribute("action")
            for button in await form.locator("button:not([type=button])").all():
                assert await button.is_disabled(), (path, action)
    assert seen.complaints == []


async def test_when_the_server_goes_the_page_says_how_old_it_is_and_comes_back_by_itself(browser, played_folder):
    with served(played_folder, **WITH_PASSWORDS) as running:
        port = int(running.base.rpartition(":")[2])
        seen = await logged_in(browser, running.base, running.trader().cookies)
        await open_until_connected(seen, "/system")
    banner = seen.page.locator("#connection")
    await expect(banner).to_contain_text(re.compile(r"does not answer. What you see is \d+ s old"), timeout=10_000)
    assert float(await seen.page.evaluate("getComputedStyle(document.querySelector('main')).opacity")) < 1
    with served(played_folder, port=port, **WITH_PASSWORDS):
        await expect(seen.page).to_have_url(re.compile("/login"), timeout=15_000)  # sessions ended with the server
        await seen.page.fill("#password", TRADER_PASSWORD)
        await seen.page.press("#password", "Enter")
        await expect(seen.page).to_have_url(re.compile("/system$"))
        await expect(banner).to_be_hidden()


async def test_without_a_password_a_page_outlives_its_server(browser, played_folder, tmp_path):
    """And the emergency stop works from it, although the server knows other tokens now."""
    shutil.copytree(played_folder, tmp_path, dirs_exist_ok=True)
    with served(tmp_path) as gone:
        port = int(gone.base.rpartition(":")[2])
        seen = await tab(browser, gone.base)
        await open_until_connected(seen, "/system")
    await expect(seen.page.locator("#connection")).to_be_visible(timeout=10_000)
    with served(tmp_path, port=port):
        await expect(seen.page.locator("#connection")).to_be_hidden(timeout=15_000)
        seen.complaints.clear()  # of the time without a server
        await seen.page.get_by_role("link", name="Emergency stop").click()
        dialog = seen.page.locator("#dialog")
        await dialog.get_by_label("Why").fill("to see whether it works")
        await dialog.get_by_label("Type STOP").fill("STOP")
        await dialog.get_by_role("button", name="Stop trading").click()
        await expect(dialog.locator(".life")).to_contain_text("Placed")
        await expect(seen.page.locator(".bar .state")).to_have_text("emergency stop")
    assert [said for said in seen.complaints if "WebSocket" not in said] == []


async def open_until_connected(seen: Tab, path: str) -> None:
    """Load a page and wait until something has come over its WebSocket."""
    async with seen.page.expect_websocket() as opened:
        await seen.open(path)
    await (await opened.value).wait_for_event("framereceived")


async def test_the_dialog_keeps_the_keyboard_and_lets_go_of_it(browser, dashboard, trader):
    seen = await logged_in(browser, dashboard.base, trader.cookies)
    await seen.open("/system")
    for _ in range(30):  # past the bar, the menu, the pages
        await seen.page.keyboard.press("Tab")
        if await seen.page.evaluate("document.activeElement.matches('a.stop')"):
            break
    await seen.page.keyboard.press("Enter")
    dialog = seen.page.locator("#dialog")
    await expect(dialog.get_by_label("Why")).to_be_focused()
    inside = []
    for _ in range(8):
        await seen.page.keyboard.press("Tab")
        inside.append(
            await seen.page.evaluate(
                "document.activeElement.closest('#dialog') !== null || document.activeElement === document.body"
            )
        )
    assert all(inside), "the page behind is out of reach"
    await seen.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(seen.page.locator("a.stop")).to_be_focused()
