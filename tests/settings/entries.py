"""Settings that decide whether a position is entered, how large it is, and for how long no other one is.

A BUY is put to the real policy on one market and account: BTCUSDT is asked for at 50,000, nothing is held, the equity is
10,000 USDT. What is told is `buys 0.002`, or `refused by spread`.
"""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.configuration import PROFILES
from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.market import BookTicker, Depth, MarketView
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.pauses import active_pauses
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.limits import risk_settings
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.state import ExitResult, RiskState
from tests.ledger.bookkeeping import BTCUSDT, fill, place, report, trading_ledger
from tests.risk.rules import RULES
from tests.settings.effects import Effect, Probe, Trial, effect
from tests.virtual_clock import VirtualClock

CONFIG = Path(__file__).parents[2] / "config"
ASK, NOW_MS = Decimal(50_000), 1_767_571_200_000 + DAY_MS // 2
# Amounts that a probe may be given as text, besides those of the state.
_AMOUNTS = ("free_quote", "equity_quote", "exposure_quote", "last_price", "atr_quote")


def context(
    *,
    bid: str = "49990",
    held: str = "0",
    confidence: float = 0.6,
    book_age_ms: int = 0,
    asks: tuple[tuple[int, str], ...] = ((50_000, "5"),),
    state: RiskState | None = None,
    **account: Any,
) -> RiskContext:
    """The account and the market, with what a probe changes."""
    book = BookTicker("BTCUSDT", Decimal(bid), Decimal(1), ASK, Decimal(1), read_ms=0)
    depth = Depth((), tuple((Decimal(price), Decimal(offered)) for price, offered in asks), 0)
    known = {
        "open_positions": 0,
        "free_quote": "10000",
        "equity_quote": "10000",
        "last_filled_ms": None,
        "now_ms": NOW_MS,
        "last_price": "50000",
        "atr_quote": "100",
    } | account
    known |= {name: Decimal(known[name]) for name in _AMOUNTS if name in known}
    return RiskContext(
        signal=Signal("BTCUSDT", "rsi_momentum", Action.BUY, confidence, "RSI 27.4 < 30", 0),
        view=MarketView("BTCUSDT", RULES, (), book, 0, book_age_ms),
        position=Position("BTCUSDT", quantity=Decimal(held)),
        depth=depth,
        state=state or RiskState(),
        **known,
    )


def entry(**situation: Any) -> Probe:
    """Put the BUY to the policy in a situation."""

    def judged(trial: Trial) -> str:
        judgement = RiskPolicy(risk_settings(trial.settings)).judge(context(**situation))
        if judgement.size is not None:
            return f"buys {plain(judgement.size.quantity)}"
        assert judgement.refusal is not None
        against = [finding.rule for finding in judgement.findings if not finding.allows]
        assert against == [judgement.refusal.rule], "another limit is in the way"
        return f"refused by {judgement.refusal.rule}"

    return judged


def entry_by_profile(**situation: Any) -> Probe:
    """The same, with the project's own profiles in the user's folder."""

    def judged(trial: Trial) -> Any:
        (trial.folder / "config").mkdir()
        shutil.copy(CONFIG / PROFILES, trial.folder / "config")
        return entry(**situation)(trial)

    return judged


def made(*percents: int) -> RiskState:
    """The state after exits of 100 USDT that made so many percent, the newest first."""
    exits = (
        ExitResult(f"exit-{number}", "BTCUSDT", Decimal(percent), Decimal(100), NOW_MS - number)
        for number, percent in enumerate(percents)
    )
    return RiskState(exits=tuple(exits))


async def equity(ledger: Ledger, at_ms: int, amount: int) -> None:
    """Note what the account was worth."""
    worth, zero = Decimal(amount), Decimal(0)
    await ledger.record_equity(EquityPoint("run-a", at_ms, 1, worth, worth, zero, zero, zero, zero, "USDT"))


async def loss(ledger: Ledger) -> None:
    """Buy at 60,000 and sell at 50,000, without fees."""
    for number, (side, price) in enumerate(((Side.BUY, 60_000), (Side.SELL, 50_000)), start=1):
        order_id, quantity = f"bta-BTCUSDT-{number}", Decimal("0.001")
        await place(ledger, order_id, side)
        traded = fill(
            number,
            order_id,
            side,
            price=Decimal(price),
            quantity=quantity,
            quote_quantity=price * quantity,
            commission=Decimal(0),
            traded_ms=NOW_MS,
        )
        await ledger.apply_report(report("FILLED", str(quantity), traded, order_id=order_id, side=side), **BTCUSDT)


def pause(*, loss_at_exit: bool) -> Probe:
    """Minutes from an exit at a loss, or else a fall of the equity, to the end of the pause that it begins."""

    async def minutes(trial: Trial) -> float:
        clock = VirtualClock(NOW_MS)
        async with trading_ledger(trial.folder / "ledger.db") as ledger:
            if loss_at_exit:
                await loss(ledger)
            else:
                await equity(ledger, NOW_MS - DAY_MS, 10_000)
                await equity(ledger, NOW_MS, 8_000)
            await Breakers(ledger, clock, risk_settings(trial.settings), "USDT").look()
            pauses = await ledger.read(lambda connection: active_pauses(connection, 1, NOW_MS))
        (found,) = pauses.values()
        return (found.until_ms - NOW_MS) / MINUTE_MS

    return minutes


# The Kelly fraction of these is 0.25: half of them won, on average 2 % against 1 %.
LEARNT = made(*[2, -1] * 5)
KELLY = {
    "TRADING_SIZING": "kelly",
    "TRADING_KELLY_EXITS": "10",
    "RISK_MAX_ORDER_QUOTE": "5000",
    "RISK_MAX_POSITION_QUOTE": "5000",
}
NO_OTHER_PAUSE = {"RISK_MAX_DAILY_LOSS_PCT": "0", "RISK_MAX_CONSECUTIVE_LOSSES": "1"}

# fmt: off
ENTRIES: dict[str, Effect] = {
    # How much an entry spends. At 50,000 an entry of 100 USDT is 0.002 BTC.
    "TRADING_SIZING": effect(
        entry(state=LEARNT),
        {None: "buys 0.003", "quote": "buys 0.003", "volatility": "buys 0.1", "kelly": "buys 0.0125"},
        TRADING_ORDER_QUOTE="150", **{**KELLY, "TRADING_SIZING": "quote"}),
    "TRADING_ORDER_QUOTE": effect(entry(), {"100": "buys 0.002", "250": "buys 0.005"}),
    "TRADING_ORDER_FRACTION": effect(entry(), {None: "buys 0.002", "0.03": "buys 0.006"}),
    "TRADING_VOLATILITY_TARGET_PCT": effect(
        entry(atr_quote="250"), {"0.01": "buys 0.004", "0.02": "buys 0.008"}, TRADING_SIZING="volatility"),
    "TRADING_KELLY_MULTIPLIER": effect(entry(state=LEARNT), {"0.1": "buys 0.005", "0.25": "buys 0.0125"}, **KELLY),
    "TRADING_KELLY_CAP_PCT": effect(entry(state=LEARNT), {"5": "buys 0.01", "10": "buys 0.0125"}, **KELLY),
    "TRADING_KELLY_EXITS": effect(
        entry(state=made(-1, 2, -1, 2, -1, *[2] * 5)),
        {"5": "buys 0.005", "10": "buys 0.02", "11": "buys 0.002"}, **KELLY),

    # How much is at risk.
    "RISK_MAX_ORDER_QUOTE": effect(
        entry(),
        {"4": "refused by max_order", "150": "buys 0.003", "400": "buys 0.006"}, TRADING_ORDER_FRACTION="0.03"),
    "RISK_MAX_POSITION_QUOTE": effect(entry(held="0.008"), {"499": "refused by max_position", "500": "buys 0.002"}),
    "RISK_MAX_EXPOSURE_PCT": effect(
        entry(exposure_quote="7000"), {"70": "refused by max_exposure", "71": "buys 0.002"}),
    "RISK_MAX_OPEN_POSITIONS": effect(entry(open_positions=3), {"3": "refused by max_open_positions", "4": "buys 0.002"}),

    # Which signals are followed.
    "RISK_MIN_CONFIDENCE": effect(entry(confidence=0.6), {"0.61": "refused by min_confidence", "0.6": "buys 0.002"}),
    "RISK_COOLDOWN_SECONDS": effect(
        entry(last_filled_ms=NOW_MS - 400_000), {"401": "refused by cooldown", "400": "buys 0.002"}),
    "RISK_MAX_TRADES_PER_HOUR": effect(
        entry(state=RiskState(entries_hour=8)), {"8": "refused by trades_per_hour", "9": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_TRADES_PER_DAY": effect(
        entry(state=RiskState(entries_day=8)), {"8": "refused by trades_per_day", "9": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_SYMBOL_TRADES_PER_HOUR": effect(
        entry(state=RiskState(symbol_entries_hour=4)),
        {"4": "refused by symbol_trades_per_hour", "5": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_SYMBOL_TRADES_PER_DAY": effect(
        entry(state=RiskState(symbol_entries_day=4)),
        {"4": "refused by symbol_trades_per_day", "5": "buys 0.002", "0": "buys 0.002"}),

    # When it stops for a while.
    "RISK_MAX_CONSECUTIVE_LOSSES": effect(
        entry(state=RiskState(losses_in_row=4)),
        {"4": "refused by consecutive_losses", "5": "buys 0.002", "0": "buys 0.002"}),
    "RISK_LOSS_PAUSE_MINUTES": effect(pause(loss_at_exit=True), {"30": 30, "90": 90}, **NO_OTHER_PAUSE),
    "RISK_MAX_DAILY_LOSS_PCT": effect(
        entry(state=RiskState(equity_quote=Decimal(9_700), day_quote=Decimal(10_000))),
        {"3": "refused by daily_loss", "3.1": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_DRAWDOWN_PCT": effect(
        entry(state=RiskState(equity_quote=Decimal(9_300), peak_quote=Decimal(10_000))),
        {"7": "refused by drawdown", "7.1": "buys 0.002", "0": "buys 0.002"}),
    "RISK_DRAWDOWN_PAUSE_MINUTES": effect(pause(loss_at_exit=False), {"60": 60, "600": 600}, **NO_OTHER_PAUSE),

    # Which markets are left alone.
    "RISK_MAX_VOLATILITY_PCT": effect(
        entry(atr_quote="1000"), {"1.9": "refused by volatility", "2": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_SPREAD_PCT": effect(
        entry(bid="49900"), {"0.2": "refused by spread", "0.21": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_SLIPPAGE_PCT": effect(
        entry(asks=((50_000, "0.001"), (50_500, "5"))),
        {"0.4": "refused by slippage", "0.5": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_PRICE_DEVIATION_PCT": effect(
        entry(last_price="49000"), {"2": "refused by price_deviation", "2.1": "buys 0.002", "0": "buys 0.002"}),
    "RISK_MAX_DATA_AGE_SECONDS": effect(entry(book_age_ms=20_000), {"19": "refused by data_age", "20": "buys 0.002"}),
    "RISK_MAX_UNKNOWN_ORDERS": effect(entry(unknown_orders=2), {"2": "refused by unknown_orders", "3": "buys 0.002"}),

    # All of these at once.
    "RISK_PROFILE": effect(
        entry_by_profile(bid="49900"),
        {None: "buys 0.002", "balanced": "buys 0.002", "conservative": "refused by spread", "aggressive": "buys 0.002"}),
}
# fmt: on
