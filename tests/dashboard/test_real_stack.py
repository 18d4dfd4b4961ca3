"""A trader's day in a browser, on the real stack: trader, simulated exchange at speed, Redis, dashboard with passwords."""

import pytest
from playwright.async_api import expect

from tests.dashboard.browser import Tab, chromium, needs_chromium, tab
from tests.dashboard.served import TRADER_PASSWORD
from tests.dashboard.stack import running_stack

pytestmark = [needs_chromium, pytest.mark.slow]


async def state_is(seen: Tab, text: str) -> None:
    """The bar says so, now or soon, without a reload."""
    await expect(seen.page.locator(".bar .state")).to_have_text(text, timeout=10_000)


async def test_a_day_at_the_desk(tmp_path):
    async with running_stack(tmp_path) as stack, chromium() as browser:
        seen = await tab(browser, stack.base)
        await seen.log_in(TRADER_PASSWORD)
        await the_bar_keeps_itself_up_to_date(seen)
        await pauses_and_resumes(seen)
        await buys_and_sees_it_in_the_portfolio(seen)
        await throws_the_emergency_stop(seen)
        await stack.stop_trader()
        await stack.stop_dashboard()
        await stack.start_dashboard()
        await stack.start_trader()
        seen = await tab(browser, stack.base)
        await seen.log_in(TRADER_PASSWORD)
        await state_is(seen, "emergency stop")
        await releases_it_by_name(seen)
        assert seen.complaints == []


async def the_bar_keeps_itself_up_to_date(seen: Tab) -> None:
    await seen.open("/system")
    await state_is(seen, "running")
    beat = seen.page.locator(".bar time.age")
    first = await beat.get_attribute("data-wall")
    await expect(beat).not_to_have_attribute("data-wall", first or "", timeout=5_000)


async def pauses_and_resumes(seen: Tab) -> None:
    await seen.open("/advanced")
    await seen.page.get_by_role("button", name="Pause entries").click()
    await state_is(seen, "paused")
    await expect(seen.page.locator("#control-result .life")).to_contain_text("Carried out", timeout=10_000)
    await seen.page.get_by_role("button", name="Resume").click()
    await state_is(seen, "running")


async def buys_and_sees_it_in_the_portfolio(seen: Tab) -> None:
    await seen.open("/trade")
    review = seen.page.get_by_role("button", name="Review the order")
    await expect(review).to_be_disabled()
    await seen.page.get_by_label("Counted in").select_option("quote")
    await seen.page.get_by_label("Amount").fill("60")
    await expect(review).to_be_enabled(timeout=10_000)
    await review.click()
    dialog = seen.page.locator("#dialog")
    await expect(dialog).to_contain_text("Buy")
    await dialog.locator("#place").click()
    await expect(dialog.locator(".life")).to_contain_text("Filled", timeout=10_000)
    await seen.page.keyboard.press("Escape")
    await seen.open("/portfolio")
    await expect(seen.page.locator("main")).to_contain_text("BTCUSDT")
    await expect(seen.page.locator("main")).not_to_contain_text("No position is open")


async def throws_the_emergency_stop(seen: Tab) -> None:
    await seen.open("/market")
    await seen.page.get_by_role("link", name="Emergency stop").click()
    dialog = seen.page.locator("#dialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Why").fill("the market looks odd")
    await dialog.get_by_label("Type STOP").fill("stop it")
    await dialog.get_by_role("button", name="Stop trading").click()
    await expect(dialog.locator(".result")).to_contain_text("Type STOP to confirm; nothing was stopped.")
    await state_is(seen, "running")
    await dialog.get_by_label("Type STOP").fill("STOP")
    await dialog.get_by_role("button", name="Stop trading").click()
    await state_is(seen, "emergency stop")
    await expect(dialog.locator(".life")).to_contain_text("Carried out", timeout=10_000)
    seen.complaints.clear()  # the refusal is an error to the console


async def releases_it_by_name(seen: Tab) -> None:
    await seen.open("/stop")
    await seen.page.get_by_label("Type the trader's name").fill("desk-8")
    await seen.page.get_by_role("button", name="Release").click()
    await expect(seen.page.locator("main .life")).to_contain_text("Refused", timeout=10_000)
    await state_is(seen, "emergency stop")
    await seen.open("/stop")
    await seen.page.get_by_label("Type the trader's name").fill("desk-7")
    await seen.page.get_by_role("button", name="Release").click()
    await expect(seen.page.locator("main .life")).to_contain_text("Carried out", timeout=10_000)
    await state_is(seen, "running")
