"""Every rule at its limit: just below, at, above, off, and where what it compares is not known."""

from decimal import Decimal
from typing import Any

import pytest

from binance_trade_agent.domain.market import Depth
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.risk.state import Pause, RiskState
from tests.risk.conftest import finding

NOW_MS = 1_000_000
ALLOWS, REFUSES, SAYS_NOTHING = True, False, None


def usdt(amount: str) -> Decimal:
    return Decimal(amount)


def pct(amount: str) -> Decimal:
    return Decimal(amount)


def asks(*levels: tuple[str, str]) -> Depth:
    """A book that offers these (price, quantity)."""
    return Depth((), tuple((Decimal(price), Decimal(quantity)) for price, quantity in levels), NOW_MS)


def paused(rule: str, until_ms: int, **measured: Any) -> RiskState:
    return RiskState(pauses={rule: Pause(rule, 0, until_ms, "what had happened")}, **measured)


# Each rule with its limits, and rows of a situation, what the rule makes of it, and its words.
ENTRY_RULES: dict[str, tuple[dict[str, Any], list[tuple[dict[str, Any], bool | None, str]]]] = {
    "open_order": (
        {},
        [
            ({}, ALLOWS, "no order of BTCUSDT is under way"),
            ({"open_order": "order bta-1 is SENT"}, REFUSES, "order bta-1 is SENT"),
        ],
    ),
    "kill_switch": (
        {},
        [
            ({}, ALLOWS, "the kill switch is off"),
            (
                {"is_killed": True},
                REFUSES,
                "the kill switch is on until `trade-agent release` with the name of the instance",
            ),
        ],
    ),
    "pause": (
        {},
        [
            ({}, ALLOWS, "entries are not paused"),
            ({"pause_scope": PauseScope.ENTRIES}, REFUSES, "entries are paused until `resume`"),
            (
                {"pause_scope": PauseScope.EVERYTHING},
                REFUSES,
                "everything but what protects positions is paused until `resume`",
            ),
        ],
    ),
    "entry_gate": ({}, [({}, ALLOWS, "nothing keeps entries back")]),
    "disk": (  # the gate's own name
        {},
        [({"gate": ("disk", "12 MB are left on the disk")}, REFUSES, "12 MB are left on the disk")],
    ),
    "symbol_status": (
        {},
        [
            ({}, ALLOWS, "BTCUSDT is in status TRADING and takes MARKET orders"),
            ({"rules": {"status": "BREAK"}}, REFUSES, "BTCUSDT is in status BREAK, orders need TRADING"),
            ({"rules": {"order_types": ("LIMIT",)}}, REFUSES, "BTCUSDT takes no MARKET orders, only LIMIT"),
        ],
    ),
    "data_age": (
        {"max_data_age_seconds": 30},
        [
            ({"book_age_ms": 0}, ALLOWS, "the book is 0 s old, at most 30 s allowed (RISK_MAX_DATA_AGE_SECONDS)"),
            ({"book_age_ms": 30_000}, ALLOWS, "the book is 30 s old, at most 30 s allowed (RISK_MAX_DATA_AGE_SECONDS)"),
            (
                {"book_age_ms": 30_001},
                REFUSES,
                "the book is 30.001 s old, at most 30 s allowed (RISK_MAX_DATA_AGE_SECONDS)",
            ),
        ],
    ),
    "unknown_orders": (
        {"max_unknown_orders": 2},
        [
            (
                {"unknown_orders": 1},
                ALLOWS,
                "1 order of unknown outcome, entries stop at 2 (RISK_MAX_UNKNOWN_ORDERS)",
            ),
            (
                {"unknown_orders": 2},
                REFUSES,
                "2 orders of unknown outcome, entries stop at 2 (RISK_MAX_UNKNOWN_ORDERS)",
            ),
        ],
    ),
    "spread": (
        {"max_spread_pct": pct("0.5")},
        [
            ({"bid": "100", "ask": "100"}, ALLOWS, "the spread is 0 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)"),
            (
                {"bid": "399", "ask": "401"},
                ALLOWS,
                "the spread is 0.5 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)",
            ),
            (
                {"bid": "398.9", "ask": "401.1"},
                REFUSES,
                "the spread is 0.55 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)",
            ),
        ],
    ),
    "price_deviation": (
        {"max_price_deviation_pct": pct("2")},
        [
            (
                {"ask": "102", "last_price": usdt("100")},
                ALLOWS,
                "the ask 102 is 2 % from the last price 100, at most 2 % allowed (RISK_MAX_PRICE_DEVIATION_PCT)",
            ),
            (
                {"ask": "102.01", "last_price": usdt("100")},
                REFUSES,
                "the ask 102.01 is 2.01 % from the last price 100, at most 2 % allowed (RISK_MAX_PRICE_DEVIATION_PCT)",
            ),
            (
                {"ask": "97.99", "last_price": usdt("100")},
                REFUSES,
                "the ask 97.99 is 2.01 % from the last price 100, at most 2 % allowed (RISK_MAX_PRICE_DEVIATION_PCT)",
            ),
            (
                {"last_price": None},
                REFUSES,
                "the last price is not known and has a limit (RISK_MAX_PRICE_DEVIATION_PCT)",
            ),
        ],
    ),
    "volatility": (
        {"max_volatility_pct": pct("5")},
        [
            (
                {"atr_quote": usdt("2500")},
                ALLOWS,
                "the average true range is 2500 USDT, 5 % of the price, at most 5 % allowed (RISK_MAX_VOLATILITY_PCT)",
            ),
            (
                {"atr_quote": usdt("2550")},
                REFUSES,
                "the average true range is 2550 USDT, 5.1 % of the price, at most 5 % allowed (RISK_MAX_VOLATILITY_PCT)",
            ),
            (
                {"atr_quote": None},
                REFUSES,
                "the average true range is not known and has a limit (RISK_MAX_VOLATILITY_PCT)",
            ),
        ],
    ),
    "drawdown": (
        {"max_drawdown_pct": pct("10")},
        [
            ({}, ALLOWS, "no highest equity is recorded yet, entries pause at 10 % (RISK_MAX_DRAWDOWN_PCT)"),
            (  # a pause lasts though the fall is to be measured anew
                {"state": paused("drawdown", NOW_MS + 1)},
                REFUSES,
                "entries pause until 1970-01-01T00:16:40Z: what had happened (RISK_MAX_DRAWDOWN_PCT)",
            ),
            (
                {"state": RiskState(equity_quote=usdt("9001"), peak_quote=usdt("10000"))},
                ALLOWS,
                "equity is 9.99 % below its highest, 10000 USDT, entries pause at 10 % (RISK_MAX_DRAWDOWN_PCT)",
            ),
            (
                {"state": RiskState(equity_quote=usdt("9000"), peak_quote=usdt("10000"))},
                REFUSES,
                "equity is 10 % below its highest, 10000 USDT, entries pause at 10 % (RISK_MAX_DRAWDOWN_PCT)",
            ),
            (
                {"state": paused("drawdown", NOW_MS + 1, equity_quote=usdt("10000"), peak_quote=usdt("10000"))},
                REFUSES,
                "entries pause until 1970-01-01T00:16:40Z: what had happened (RISK_MAX_DRAWDOWN_PCT)",
            ),
            (
                {"state": paused("drawdown", NOW_MS, equity_quote=usdt("10000"), peak_quote=usdt("10000"))},
                ALLOWS,
                "equity is 0 % below its highest, 10000 USDT, entries pause at 10 % (RISK_MAX_DRAWDOWN_PCT)",
            ),
        ],
    ),
    "daily_loss": (
        {"max_daily_loss_pct": pct("5")},
        [
            (
                {},
                ALLOWS,
                "no equity of the UTC day's beginning is recorded yet, entries pause at 5 % (RISK_MAX_DAILY_LOSS_PCT)",
            ),
            (
                {"state": RiskState(equity_quote=usdt("10600"), day_quote=usdt("10000"))},
                ALLOWS,
                "equity is 0 % below 10000 USDT, where the UTC day began, entries pause at 5 % (RISK_MAX_DAILY_LOSS_PCT)",
            ),
            (
                {"state": RiskState(equity_quote=usdt("9501"), day_quote=usdt("10000"))},
                ALLOWS,
                "equity is 4.99 % below 10000 USDT, where the UTC day began, entries pause at 5 % (RISK_MAX_DAILY_LOSS_PCT)",
            ),
            (
                {"state": RiskState(equity_quote=usdt("9500"), day_quote=usdt("10000"))},
                REFUSES,
                "equity is 5 % below 10000 USDT, where the UTC day began, entries pause at 5 % (RISK_MAX_DAILY_LOSS_PCT)",
            ),
            (
                {"state": paused("daily_loss", NOW_MS + 1, equity_quote=usdt("9900"), day_quote=usdt("10000"))},
                REFUSES,
                "entries pause until 1970-01-01T00:16:40Z: what had happened (RISK_MAX_DAILY_LOSS_PCT)",
            ),
        ],
    ),
    "consecutive_losses": (
        {"max_consecutive_losses": 2},
        [
            (
                {"state": RiskState(losses_in_row=1)},
                ALLOWS,
                "1 loss in a row, entries pause at 2 (RISK_MAX_CONSECUTIVE_LOSSES)",
            ),
            (
                {"state": RiskState(losses_in_row=2)},
                REFUSES,
                "2 losses in a row, entries pause at 2 (RISK_MAX_CONSECUTIVE_LOSSES)",
            ),
            (
                {"state": paused("consecutive_losses", NOW_MS + 1)},
                REFUSES,
                "entries pause until 1970-01-01T00:16:40Z: what had happened (RISK_MAX_CONSECUTIVE_LOSSES)",
            ),
            (
                {"state": paused("drawdown", NOW_MS + 1)},  # another rule's pause is its own
                ALLOWS,
                "0 losses in a row, entries pause at 2 (RISK_MAX_CONSECUTIVE_LOSSES)",
            ),
        ],
    ),
    "min_confidence": (
        {"min_confidence": Decimal("0.8")},
        [
            ({"confidence": 0.79}, REFUSES, "the confidence is 0.79, at least 0.8 needed (RISK_MIN_CONFIDENCE)"),
            ({"confidence": 0.8}, ALLOWS, "the confidence is 0.8, at least 0.8 needed (RISK_MIN_CONFIDENCE)"),
            # a float's dust is not a lack of confidence
            ({"confidence": 0.7 + 0.1}, ALLOWS, "the confidence is 0.8, at least 0.8 needed (RISK_MIN_CONFIDENCE)"),
            (
                {"confidence": "certain"},
                REFUSES,
                "raised TypeError: '>=' not supported between instances of 'int' and 'str'",
            ),
        ],
    ),
    "cooldown": (
        {"cooldown_seconds": 300},
        [
            ({}, ALLOWS, "no entry on BTCUSDT has filled yet"),
            (
                {"last_filled_ms": NOW_MS - 299_999},
                REFUSES,
                "last entry filled 299.999 s ago, 300 s must pass (RISK_COOLDOWN_SECONDS)",
            ),
            (
                {"last_filled_ms": NOW_MS - 300_000},
                ALLOWS,
                "last entry filled 300 s ago, 300 s must pass (RISK_COOLDOWN_SECONDS)",
            ),
            (  # a late tick is older than what happened since
                {"last_filled_ms": NOW_MS + 5000},
                REFUSES,
                "last entry filled 0 s ago, 300 s must pass (RISK_COOLDOWN_SECONDS)",
            ),
        ],
    ),
    "symbol_trades_per_hour": (
        {"max_symbol_trades_per_hour": 2},
        [
            (
                {"state": RiskState(symbol_entries_hour=1)},
                ALLOWS,
                "1 entry on BTCUSDT in the last hour, at most 2 allowed (RISK_MAX_SYMBOL_TRADES_PER_HOUR)",
            ),
            (
                {"state": RiskState(symbol_entries_hour=2)},
                REFUSES,
                "2 entries on BTCUSDT in the last hour, at most 2 allowed (RISK_MAX_SYMBOL_TRADES_PER_HOUR)",
            ),
        ],
    ),
    "symbol_trades_per_day": (
        {"max_symbol_trades_per_day": 2},
        [
            (
                {"state": RiskState(symbol_entries_day=1)},
                ALLOWS,
                "1 entry on BTCUSDT in the last 24 hours, at most 2 allowed (RISK_MAX_SYMBOL_TRADES_PER_DAY)",
            ),
            (
                {"state": RiskState(symbol_entries_day=2)},
                REFUSES,
                "2 entries on BTCUSDT in the last 24 hours, at most 2 allowed (RISK_MAX_SYMBOL_TRADES_PER_DAY)",
            ),
        ],
    ),
    "trades_per_hour": (
        {"max_trades_per_hour": 2},
        [
            (
                {"state": RiskState(entries_hour=1)},
                ALLOWS,
                "1 entry in the last hour, at most 2 allowed (RISK_MAX_TRADES_PER_HOUR)",
            ),
            (
                {"state": RiskState(entries_hour=2)},
                REFUSES,
                "2 entries in the last hour, at most 2 allowed (RISK_MAX_TRADES_PER_HOUR)",
            ),
        ],
    ),
    "trades_per_day": (
        {"max_trades_per_day": 2},
        [
            (
                {"state": RiskState(entries_day=1)},
                ALLOWS,
                "1 entry in the last 24 hours, at most 2 allowed (RISK_MAX_TRADES_PER_DAY)",
            ),
            (
                {"state": RiskState(entries_day=2)},
                REFUSES,
                "2 entries in the last 24 hours, at most 2 allowed (RISK_MAX_TRADES_PER_DAY)",
            ),
        ],
    ),
    "max_open_positions": (
        {"max_open_positions": 2},
        [
            ({"open_positions": 1}, ALLOWS, "1 of at most 2 positions open (RISK_MAX_OPEN_POSITIONS)"),
            ({"open_positions": 2}, REFUSES, "2 positions are open, at most 2 allowed (RISK_MAX_OPEN_POSITIONS)"),
            (
                {"open_positions": 2, "held": "0.001"},
                ALLOWS,
                "adds to an open position, 2 of at most 2 positions open (RISK_MAX_OPEN_POSITIONS)",
            ),
            (  # dust is no open position to add to: 4.9999 USDT at the bid, by which positions are counted
                {"open_positions": 2, "held": "0.0001", "bid": "49999"},
                REFUSES,
                "2 positions are open, at most 2 allowed (RISK_MAX_OPEN_POSITIONS)",
            ),
        ],
    ),
    "lot_size": (
        {},
        [
            ({}, ALLOWS, "0.002 BTC fits the lot (LOT_SIZE, step 0.00001)"),
            (
                {"ask": "10000001"},
                REFUSES,
                "the order size rounds to nothing, 0.00001 BTC is the least (LOT_SIZE)",
            ),
            (
                {"ask": "51000", "rules": {"market_step_size": Decimal("0.00003"), "step_size": Decimal("0.00002")}},
                REFUSES,
                "0.00195 BTC breaks LOT_SIZE (step 0.00002)",
            ),
        ],
    ),
    "min_notional": (
        {},
        [
            (
                {"rules": {"min_notional": usdt("100")}},
                ALLOWS,
                "the order is worth 100 USDT, 100 USDT is the least (NOTIONAL)",
            ),
            (
                {"rules": {"min_notional": usdt("100.01")}},
                REFUSES,
                "the order is worth 100 USDT, 100.01 USDT is the least (NOTIONAL)",
            ),
            (
                {"rules": {"extra_min_notional": usdt("120")}},
                REFUSES,
                "the order is worth 100 USDT, 120 USDT is the least (MIN_NOTIONAL)",
            ),
            (
                {"rules": {"min_notional": usdt("120"), "min_notional_on_market": False}},
                ALLOWS,
                "no least value holds for market orders",
            ),
        ],
    ),
    "max_notional": (
        {},
        [
            ({"rules": {"max_notional": usdt("90")}}, ALLOWS, "no largest value holds for market orders"),
            (
                {"rules": {"max_notional": usdt("100"), "max_notional_on_market": True}},
                ALLOWS,
                "the order is worth 100 USDT, 100 USDT is the most (NOTIONAL)",
            ),
            (
                {"rules": {"max_notional": usdt("99.99"), "max_notional_on_market": True}},
                REFUSES,
                "the order is worth 100 USDT, 99.99 USDT is the most (NOTIONAL)",
            ),
        ],
    ),
    "max_position_filter": (
        {},
        [
            ({}, ALLOWS, "BTCUSDT has no MAX_POSITION"),
            (
                {"rules": {"max_position": Decimal("0.5")}, "wallet_base": Decimal("0.498")},
                ALLOWS,
                "0.5 BTC after the order, 0.5 BTC is the most (MAX_POSITION)",
            ),
            (
                {"rules": {"max_position": Decimal("0.5")}, "wallet_base": Decimal("0.499")},
                REFUSES,
                "0.501 BTC after the order, 0.5 BTC is the most (MAX_POSITION)",
            ),
        ],
    ),
    "max_order": (
        {"max_order_quote": usdt("100")},
        [
            ({}, ALLOWS, "the order is worth 100 USDT, at most 100 USDT allowed (RISK_MAX_ORDER_QUOTE)"),
            (
                {"limits": {"max_order_quote": usdt("99.99")}},
                REFUSES,
                "the order is worth 100 USDT, at most 99.99 USDT allowed (RISK_MAX_ORDER_QUOTE)",
            ),
        ],
    ),
    "max_position": (
        {"max_position_quote": usdt("1000")},
        [
            (
                {"held": "0.018"},
                ALLOWS,
                "900 USDT held and 100 USDT more, at most 1000 USDT allowed (RISK_MAX_POSITION_QUOTE)",
            ),
            (
                {"held": "0.0181"},
                REFUSES,
                "905 USDT held and 100 USDT more, at most 1000 USDT allowed (RISK_MAX_POSITION_QUOTE)",
            ),
            (  # a position that was oversold leaves no more room than none
                {"held": "-0.01", "limits": {"order_quote": usdt("1100")}},
                REFUSES,
                "0 USDT held and 1100 USDT more, at most 1000 USDT allowed (RISK_MAX_POSITION_QUOTE)",
            ),
        ],
    ),
    "max_exposure": (
        {"max_exposure_pct": pct("50")},
        [
            (
                {"exposure_quote": usdt("4900")},
                ALLOWS,
                "4900 USDT at risk and 100 USDT more, at most 5000 USDT allowed, 50 % of 10000 USDT (RISK_MAX_EXPOSURE_PCT)",
            ),
            (
                {"exposure_quote": usdt("4900.01")},
                REFUSES,
                "4900.01 USDT at risk and 100 USDT more, at most 5000 USDT allowed, 50 % of 10000 USDT (RISK_MAX_EXPOSURE_PCT)",
            ),
            (
                {"equity_quote": usdt("0")},
                REFUSES,
                "0 USDT at risk and 100 USDT more, at most 0 USDT allowed, 50 % of 0 USDT (RISK_MAX_EXPOSURE_PCT)",
            ),
        ],
    ),
    "balance": (
        {},
        [
            ({"free_quote": usdt("100.2")}, ALLOWS, "100.2 USDT needed, 100.2 USDT available"),
            ({"free_quote": usdt("100")}, REFUSES, "100.2 USDT needed, 100 USDT available"),
            (
                {"free_quote": usdt("150"), "pending_buy_quote": usdt("100")},
                REFUSES,
                "100.2 USDT needed, 50 USDT available (100 USDT reserved)",
            ),
        ],
    ),
    "slippage": (
        {"max_slippage_pct": pct("0.5")},
        [
            (  # half at the ask, half 1 % above it
                {"depth": asks(("50000", "0.001"), ("50500", "0.001"))},
                ALLOWS,
                "expected to fill 0.5 % above the ask 50000, at most 0.5 % allowed (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (
                {"depth": asks(("50000", "0.001"), ("50502", "5"))},
                REFUSES,
                "expected to fill 0.502 % above the ask 50000, at most 0.5 % allowed (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (  # the depth was read after the ask, and the market had moved
                {"depth": asks(("50300", "5"))},
                REFUSES,
                "expected to fill 0.6 % above the ask 50000, at most 0.5 % allowed (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (
                {"depth": asks(("49900", "5"))},
                ALLOWS,
                "expected to fill 0 % above the ask 50000, at most 0.5 % allowed (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (
                {"depth": asks(("50000", "0.00199"))},
                REFUSES,
                "the book offers 0.00199 BTC, the order takes 0.002 BTC (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (
                {"depth": None},
                REFUSES,
                "the depth of the book is not known and has a limit (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (  # what is offered at the best price, which the quote tells, is enough
                {"depth": asks(("50000", "0.002")), "is_depth_asked": False},
                ALLOWS,
                "expected to fill 0 % above the ask 50000, at most 0.5 % allowed (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (
                {"depth": asks(("50000", "0.00199")), "is_depth_asked": False},
                SAYS_NOTHING,
                "the depth of the book was not asked for, as another rule refuses (RISK_MAX_SLIPPAGE_PCT)",
            ),
            (
                {"depth": None, "is_depth_asked": False},
                SAYS_NOTHING,
                "the depth of the book was not asked for, as another rule refuses (RISK_MAX_SLIPPAGE_PCT)",
            ),
        ],
    ),
    "room_for_stop": (
        {},
        [
            ({}, ALLOWS, "no stop-loss is set (RISK_STOP_LOSS_PCT)"),
            (  # 0.002 BTC less 0.1 % and less what is not a whole step is 0.00199
                {"stop_fraction": Decimal("0.5"), "rules": {"min_notional": usdt("49.75")}},
                ALLOWS,
                "0.00199 BTC after fees would be worth 49.75 USDT at the stop, 49.75 USDT is the least that can be protected",
            ),
            (
                {"stop_fraction": Decimal("0.5"), "rules": {"min_notional": usdt("49.76")}},
                REFUSES,
                "0.00199 BTC after fees would be worth 49.75 USDT at the stop, 49.76 USDT is the least that can be protected",
            ),
            (
                {
                    "stop_fraction": Decimal("0.98"),
                    "rules": {"min_quantity": Decimal("0.002"), "min_notional": usdt("0")},
                },
                REFUSES,
                "0 BTC after fees would be worth 0 USDT at the stop, 0 USDT is the least that can be protected",
            ),
            (  # 0.2 % under the price is 0.1 % under what was paid with the fee, and under the bid
                {"stop_fraction": Decimal("0.98") * Decimal("0.998"), "rules": {"min_notional": usdt("5")}},
                ALLOWS,
                "0.00199 BTC after fees would be worth 97.31498 USDT at the stop, 5 USDT is the least that can be protected",
            ),
            (  # 0.05 % would be above it: bought and sold at once
                {"stop_fraction": Decimal("0.98") * Decimal("0.9995"), "rules": {"min_notional": usdt("5")}},
                REFUSES,
                (
                    "the stop would stand at 50025.05005005 USDT, not under the bid, 49990 USDT: it is nearer than the "
                    "fee and the spread (RISK_STOP_LOSS_PCT, _ATR)"
                ),
            ),
            (  # a stop may need a limit price, and the least value holds for that
                {
                    "stop_fraction": Decimal("0.5"),
                    "rules": {"min_notional": usdt("60"), "min_notional_on_market": False},
                },
                REFUSES,
                "0.00199 BTC after fees would be worth 49.75 USDT at the stop, 60 USDT is the least that can be protected",
            ),
        ],
    ),
}

ROWS = [
    pytest.param(rule, {**limits, **situation.get("limits", {})}, situation, allows, detail, id=f"{rule}-{number}")
    for rule, (limits, rows) in ENTRY_RULES.items()
    for number, (situation, allows, detail) in enumerate(rows, start=1)
]


@pytest.mark.parametrize(("rule", "limits", "situation", "allows", "detail"), ROWS)
def test_a_rule_at_its_limit(rule, limits, situation, allows, detail, judge):
    judgement = judge(limits=limits, **{name: value for name, value in situation.items() if name != "limits"})
    found = finding(judgement, rule)
    assert (found.allows, found.detail) == (allows, detail)
    assert (judgement.size is None) is (judgement.refusal is not None)
    assert allows or allows is SAYS_NOTHING or judgement.size is None
    assert judgement.unasked == ({rule} if allows is SAYS_NOTHING else set())


def test_the_table_has_every_rule_of_an_entry(judge):
    asked = {found.rule for found in judge().findings}
    assert asked - {"sizing"} == set(ENTRY_RULES) - {"disk"}


TERRIBLE = {
    "bid": "100",
    "ask": "50000",
    "confidence": 0.01,
    "last_filled_ms": NOW_MS,
    "open_positions": 99,
    "state": RiskState(
        entries_hour=99,
        entries_day=99,
        symbol_entries_hour=99,
        symbol_entries_day=99,
        losses_in_row=99,
        equity_quote=usdt("1"),
        peak_quote=usdt("10000"),
        day_quote=usdt("10000"),
        pauses={name: Pause(name, 0, NOW_MS + 1, "") for name in ("drawdown", "daily_loss", "consecutive_losses")},
    ),
    "exposure_quote": usdt("99999"),
    "unknown_orders": 99,
    "book_age_ms": 10**9,
}


@pytest.mark.parametrize(
    ("limit", "rule"),
    [
        ("max_data_age_seconds", "data_age"),
        ("max_unknown_orders", "unknown_orders"),
        ("max_spread_pct", "spread"),
        ("max_price_deviation_pct", "price_deviation"),
        ("max_volatility_pct", "volatility"),
        ("max_drawdown_pct", "drawdown"),
        ("max_daily_loss_pct", "daily_loss"),
        ("max_consecutive_losses", "consecutive_losses"),
        ("min_confidence", "min_confidence"),
        ("cooldown_seconds", "cooldown"),
        ("max_symbol_trades_per_hour", "symbol_trades_per_hour"),
        ("max_symbol_trades_per_day", "symbol_trades_per_day"),
        ("max_trades_per_hour", "trades_per_hour"),
        ("max_trades_per_day", "trades_per_day"),
        ("max_open_positions", "max_open_positions"),
        ("max_order_quote", "max_order"),
        ("max_position_quote", "max_position"),
        ("max_exposure_pct", "max_exposure"),
        ("max_slippage_pct", "slippage"),
    ],
)
def test_a_limit_of_0_is_off(limit, rule, judge):
    off = finding(judge(limits={limit: Decimal(0) if limit.endswith(("pct", "quote")) else 0}, **TERRIBLE), rule)
    assert off.allows
    assert off.detail == f"no limit is set (RISK_{limit.upper()})"
    least = Decimal("0.02") if limit == "min_confidence" else Decimal("0.000001")
    tiny = {limit: least if limit.endswith(("pct", "quote", "confidence")) else 1}
    assert not finding(judge(limits=tiny, **TERRIBLE), rule).allows


@pytest.mark.parametrize(
    ("limits", "situation", "rule", "numbers"),
    [
        ({"max_spread_pct": pct("0.5")}, {"bid": "99", "ask": "101"}, "spread", (Decimal(2), Decimal("0.5"), "%")),
        ({"max_order_quote": usdt("500")}, {}, "max_order", (usdt("100"), usdt("500"), "USDT")),
        ({"cooldown_seconds": 300}, {"last_filled_ms": 990_000}, "cooldown", (Decimal(10), Decimal(300), "s")),
        ({"max_open_positions": 5}, {"open_positions": 1}, "max_open_positions", (Decimal(1), Decimal(5), "positions")),
        ({"max_volatility_pct": pct("5")}, {"atr_quote": Decimal(1), "ask": "30"}, "volatility", (Decimal("3.33333333"), pct("5"), "%")),
    ],
)  # fmt: skip
def test_a_finding_has_the_numbers_compared_to_8_decimals(limits, situation, rule, numbers, judge):
    found = finding(judge(limits=limits, **situation), rule)
    assert (found.value, found.limit, found.unit) == numbers


@pytest.mark.parametrize(
    ("situation", "rule", "detail"),
    [
        ({"held": "1", "open_order": "order bta-1 is UNKNOWN"}, "open_order", "order bta-1 is UNKNOWN"),
        ({}, "nothing_to_sell", "the ledger holds no BTC"),
        ({"held": "-0.1"}, "nothing_to_sell", "the ledger holds no BTC"),
        ({"held": "0", "wallet_base": Decimal(3)}, "nothing_to_sell", "the ledger holds no BTC"),
        ({"held": "1", "rules": {"status": "HALT"}}, "symbol_status", "BTCUSDT is in status HALT, orders need TRADING"),
        ({"held": "0.000004"}, "lot_size", "0.000004 BTC rounds to nothing, 0.00001 BTC is the least (LOT_SIZE)"),
        ({"held": "0.000099"}, "min_notional", "the order is worth 4.4991 USDT, 5 USDT is the least (NOTIONAL)"),
    ],
)
def test_an_exit_is_refused_only_where_the_exchange_would_or_nothing_is_held(situation, rule, detail, judge):
    refusal = judge(Action.SELL, **situation).refusal
    assert (refusal.rule, refusal.detail) == (rule, detail)


def test_an_exit_is_asked_of_by_no_rule_that_is_meant_for_entries(judge):
    asked = [found.rule for found in judge(Action.SELL, held="1").findings]
    assert asked == [
        "open_order",
        "nothing_to_sell",
        "symbol_status",
        "sizing",
        "lot_size",
        "min_notional",
        "max_notional",
    ]
