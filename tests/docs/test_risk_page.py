"""The worked examples of docs/guide/risk.md are what the code says."""

from decimal import Decimal
from pathlib import Path

import pytest

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.values import replace
from binance_trade_agent.limits import exit_settings
from binance_trade_agent.risk.exits import exit_levels
from binance_trade_agent.risk.state import RiskState
from tests.settings.effects import Trial
from tests.settings.entries import entry, made
from tests.settings.exits import HOLDING

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "risk.md").read_text(encoding="utf-8")
HELD = replace(
    HOLDING,
    position=Position("BTCUSDT", quantity=Decimal("0.01"), cost_quote=Decimal(500)),
    highest_paid=Decimal(50_000),
    atr_quote=Decimal(250),
)
TABLE = {"RISK_TARGET_TABLE": "0=4,30=2,60=0.5,240=-1"}
TRAILING = {"RISK_TRAILING_STOP_PCT": "1.5", "RISK_TRAILING_START_PCT": "1"}


def row(*beginnings: str) -> list[str]:
    """The cells of the one row of a table that begins with these."""
    rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in PAGE.splitlines() if line.startswith("|"))
    (found,) = [cells for cells in rows if all(map(str.startswith, cells, beginnings))]
    return found


@pytest.mark.parametrize(
    ("beginnings", "environment", "atr", "state"),
    [
        (("`quote`",), {"TRADING_ORDER_QUOTE": "100"}, "1000", RiskState()),
        (("`fraction`",), {"TRADING_ORDER_FRACTION": "0.03"}, "1000", RiskState()),
        (("`volatility`",), {"TRADING_VOLATILITY_TARGET_PCT": "0.1"}, "1000", RiskState()),
        (("the same", "candles"), {"TRADING_SIZING": "volatility"}, "2000", RiskState()),
        (("`kelly`",), {"TRADING_KELLY_MULTIPLIER": "0.1"}, "1000", made(*["1.2"] * 11, *["-0.9"] * 9)),
        (("the same", "8 won"), {"TRADING_SIZING": "kelly"}, "1000", made(*["1.2"] * 8, *["-0.9"] * 12)),
    ],
)
def test_size(tmp_path, beginnings, environment, atr, state):
    sizing, settings, buys, _ = row(*beginnings)
    assert all(f"{name}={value}" in settings for name, value in environment.items() if name != "TRADING_SIZING")
    environment = {"TRADING_SIZING": sizing.split()[0].strip("`"), **environment}
    told = entry(atr_quote=atr, state=state)(Trial(environment, tmp_path))
    assert told == ("refused by sizing" if buys == "nothing" else f"buys {buys.removesuffix(' BTC')}")


@pytest.mark.parametrize(
    ("beginnings", "environment", "highest", "minutes", "stop", "target"),
    [
        (("fixed",), {}, "50000", 0, "49,000", "52,000"),
        (("by the range",), {"RISK_STOP_LOSS_ATR": "3", "RISK_TAKE_PROFIT_ATR": "6"}, "50000", 0, "49,250", "51,500"),
        (("trailing",), TRAILING, "50499", 0, "49,000", "52,000"),
        (("", "", "highest price 50,500"), TRAILING, "50500", 0, "49,742.50", "52,000"),
        (("", "", "highest price 51,900"), TRAILING, "51900", 0, "51,121.50", "52,000"),
        (("table of minutes",), TABLE, "50000", 29, "49,000", "52,000"),
        (("", "", "from minute 30"), TABLE, "50000", 30, "49,000", "51,000, 50,250"),
        (("", "", "from minute 30"), TABLE, "50000", 60, "49,000", "51,000, 50,250"),
        (("", "", "from minute 240"), TABLE, "50000", 240, "49,000", "49,500"),
    ],
)
def test_levels(tmp_path, beginnings, environment, highest, minutes, stop, target):
    settings = exit_settings(Trial(environment, tmp_path).settings)
    levels = exit_levels(settings, HELD, Decimal(highest), minutes * MINUTE_MS)
    assert row(*beginnings)[-2:] == [stop, target]
    assert levels.stop_price == Decimal(stop.replace(",", ""))
    assert levels.target_price in {Decimal(price.replace(",", "")) for price in target.split(", ")}


def test_time_stop(tmp_path):
    settings = exit_settings(Trial({"RISK_TIME_STOP_MINUTES": "1440"}, tmp_path).settings)
    assert row("time stop")[1:4] == ["`RISK_TIME_STOP_MINUTES=1440`", "after a day", "sold at market"]
    closes = [exit_levels(settings, HELD, None, minutes * MINUTE_MS).close for minutes in (1439, 1440)]
    assert [close and close[0] for close in closes] == [None, ExitKind.TIME_STOP]


PROFILES = {
    "one entry, one symbol's position, in USDT": "{risk_max_order_quote}, {risk_max_position_quote}",
    "all positions together, of equity": "{risk_max_exposure_pct} %",
    "entries pause at a loss in a day, below the peak": "{risk_max_daily_loss_pct} %, {risk_max_drawdown_pct} %",
    "stop, target": "{risk_stop_loss_pct} %, {risk_take_profit_pct} %",
}


@pytest.mark.parametrize("what", PROFILES)
def test_profiles(what):
    profiles = (Trial({"RISK_PROFILE": name}, ROOT) for name in ("conservative", "balanced", "aggressive"))
    assert row(what) == [what, *(PROFILES[what].format(**trial.settings.model_dump()) for trial in profiles)]
