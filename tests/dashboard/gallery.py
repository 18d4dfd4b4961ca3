"""Pictures of every page for docs/gallery.md, from the real stack: `.venv/bin/python -m tests.dashboard.gallery`.

A trader trades some simulated hours first, so that there is something to see, and goes on at 60 times the speed.
"""

import asyncio
import base64
import tempfile
from pathlib import Path

from playwright.async_api import Browser

from binance_trade_agent.dashboard.rendering import NAVIGATION
from tests.dashboard.browser import DESK, PHONE, Tab, chromium, tab
from tests.dashboard.served import TRADER_PASSWORD
from tests.dashboard.stack import AT_SPEED, running_stack
from tests.sessions.daemon_process import session

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "gallery"
SIZES = {"1440x900": DESK, "390x844": PHONE}
THEMES = ("dark", "light")
QUALITY = 72
_CHARTS_SECONDS = 4.0  # until the trader has read what is looked at

TRADES = {
    "STRATEGY_PARAMS": "rsi_period=7,rsi_oversold=35,rsi_overbought=65",
    "RISK_COOLDOWN_SECONDS": "300",
    "RISK_MAX_TRADES_PER_HOUR": "0",
    "RISK_MAX_TRADES_PER_DAY": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_HOUR": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_DAY": "0",
    "RISK_MAX_CONSECUTIVE_LOSSES": "0",
    "RISK_STOP_LOSS_PCT": "1",
    "RISK_TAKE_PROFIT_PCT": "1.5",
}
_ADDRESSES = {"/trade": "/trade?symbol=BTCUSDT&side=BUY&type=market&amount=150&unit=quote"}
PICTURES = [(path.strip("/"), name, _ADDRESSES.get(path, path)) for path, name in NAVIGATION]
_HEAD = """\
# The dashboard in pictures

Each page on a desk (1440x900) and on a phone (390x844), dark and light, of a trader on the simulated exchange.
Made by `python -m tests.dashboard.gallery`; what the pages do is in the [guide](guide/dashboard.md).
"""


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await session(
            folder, **{**AT_SPEED, **TRADES, "SIMULATION_SPEED": "1000000", "TRADING_DURATION_MINUTES": "600"}
        )
        async with running_stack(folder, **TRADES) as stack, chromium() as browser:
            for size in SIZES:
                for theme in THEMES:
                    await pictures(browser, stack.base, size, theme)
    (DOCS / "gallery.md").write_text(page(), "utf-8")
    print(f"{sum(path.stat().st_size for path in FOLDER.iterdir()) / 1e6:.1f} MB in {FOLDER}")


async def pictures(browser: Browser, base: str, size: str, theme: str) -> None:
    seen = await tab(browser, base, size=SIZES[size], theme=theme)
    await seen.log_in(TRADER_PASSWORD)
    for short, _, address in PICTURES:
        await seen.open(address)
        await seen.page.wait_for_timeout(1000 * _CHARTS_SECONDS if short in {"market", "portfolio", "trade"} else 800)
        await shoot(seen, short, size, theme)
    await seen.page.get_by_role("link", name="Emergency stop").first.click()
    await seen.page.locator("#stop-reason").wait_for()
    await shoot(seen, "stop", size, theme)
    assert seen.complaints == [], seen.complaints
    await seen.page.context.close()


async def shoot(seen: Tab, short: str, size: str, theme: str) -> None:
    wire = await seen.page.context.new_cdp_session(seen.page)
    taken = await wire.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    (FOLDER / f"{short}-{size}-{theme}.webp").write_bytes(base64.b64decode(taken["data"]))


def page() -> str:
    """docs/gallery.md."""
    parts = [_HEAD]
    for short, name, _ in [*PICTURES, ("stop", "Emergency stop", "")]:
        parts.append(f"## {name}\n")
        for size in SIZES:
            parts += [f"![{name}, {size}, {theme}](gallery/{short}-{size}-{theme}.webp)" for theme in THEMES]
        parts[-1] += "\n"
    return "\n".join(parts)


if __name__ == "__main__":
    asyncio.run(main())
