"""Pages for everybody: axe-core finds nothing serious, and fingers find what is to be tapped."""

from pathlib import Path

import pytest

from binance_trade_agent.dashboard.rendering import NAVIGATION
from tests.dashboard.browser import DESK, PHONE, Tab, logged_in, needs_chromium, tab

AXE = Path(__file__).parent / "vendor" / "axe.js"

pytestmark = [
    needs_chromium,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not here: python javascript/fetch.py --tests"),
]

PAGES = ["/login", *(path for path, _ in NAVIGATION), "/stop", "/nowhere"]
TAP_PX = 44
ALL_RULES, CONTRAST = "{resultTypes: ['violations']}", "{runOnly: ['color-contrast']}"

# Everything that acts: links within sentences and in tables may be as small as their text (WCAG 2.2, 2.5.8).
_SMALL = """
() => [...document.querySelectorAll("button, .button, select, summary, .tabs a, .menu nav a, .sections a, .choice a, input:not([type=hidden])")]
  .filter(element => element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}))
  .map(element => [element, (element.matches("[type=checkbox], [type=radio]") && element.closest("label") || element).getBoundingClientRect()])
  .filter(([_, box]) => box.width && box.height && (box.height < LEAST || box.width < LEAST))
  .map(([element, box]) => `${element.outerHTML.slice(0, 90)} ${Math.round(box.width)}x${Math.round(box.height)}`)
"""


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_axe_finds_nothing_serious(browser, dashboard, trader, size):
    known = await logged_in(browser, dashboard.base, trader.cookies, size=size, bypass_csp=True)
    stranger = await tab(browser, dashboard.base, size=size, bypass_csp=True)
    found = {}
    for path in PAGES:
        seen = stranger if path == "/login" else known
        await seen.open(path)
        for theme, rules in (("dark", ALL_RULES), ("light", CONTRAST)):  # a theme has other colours only
            await seen.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            found[path, theme] = await violations(seen, rules)
    assert {page: said for page, said in found.items() if said} == {}


async def test_the_dialog_is_accessible_too(browser, dashboard, trader):
    seen = await logged_in(browser, dashboard.base, trader.cookies, bypass_csp=True)
    await seen.open("/system")
    await seen.page.locator("a.stop").click()
    await seen.page.locator("#dialog #stop-reason").wait_for()
    assert await violations(seen) == []


async def test_on_a_phone_what_acts_is_large_enough_for_a_finger(browser, dashboard, trader):
    seen = await logged_in(browser, dashboard.base, trader.cookies, size=PHONE)
    small = {}
    for path in PAGES[1:]:
        await seen.open(path)
        small[path] = await seen.page.evaluate(_SMALL.replace("LEAST", str(TAP_PX)))
    assert {path: elements for path, elements in small.items() if elements} == {}


async def violations(seen: Tab, rules: str = ALL_RULES) -> list[str]:
    """What axe-core calls serious or critical: rule, how often, and where first."""
    if not await seen.page.evaluate("'axe' in window"):
        await seen.page.evaluate(AXE.read_text("utf-8"))
    report = await seen.page.evaluate(f"axe.run(document, {rules})")
    return [
        f"{entry['id']} x{len(entry['nodes'])}: {entry['nodes'][0]['html'][:160]} ({entry['nodes'][0]['failureSummary'][:200]})"
        for entry in report["violations"]
        if entry["impact"] in {"serious", "critical"}
    ]
