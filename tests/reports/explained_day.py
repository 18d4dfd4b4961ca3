"""A ledger in which every kind of decision stands, for the tests of `why` and `risk`.

Run `run-a` decides on BTCUSDT once a minute from 14:30 on 2024-08-05: a HOLD, a refusal, an entry whose stop sells it
half a minute later, an entry that is still held, a tick without data, one that failed, and a HOLD at the end.
"""

import json
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.decisions import Decision, Finding, Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.ledger import Ledger
from tests.ledger.bookkeeping import BTCUSDT, OPENING, decision, fill, intent, report, run_record

START_MS = 1_722_868_200_000  # 2024-08-05 14:30:00
MINUTE_MS = 60_000
SETTINGS = {
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=10,ETHUSDT.rsi_period=21",
    "TRADING_CANDLE_INTERVAL": "1m",
}
SOLD, HELD = "bta-BTCUSDT-first", "bta-BTCUSDT-second"
STOP, TARGET = "bta-BTCUSDT-stop", "bta-BTCUSDT-target"
HOLD_REASONS = {0: "RSI 48.1 between 30 and 70", 7: "RSI 55 between 30 and 70"}

COOLDOWN_PASSED = Finding("cooldown", allows=True, detail="no entry yet (RISK_COOLDOWN_SECONDS)")
TOO_WIDE = Finding(
    "spread",
    allows=False,
    detail="the spread is 0.8 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)",
    value=Decimal("0.8"),
    limit=Decimal("0.5"),
    unit="%",
)
MEASURED = Finding(
    "volatility",
    allows=True,
    detail="the average true range is 240 USDT, 0.4 % of the price, at most 5 % allowed (RISK_MAX_VOLATILITY_PCT)",
    value=Decimal("0.4"),
    limit=Decimal(5),
    unit="%",
)
NARROW = Finding(
    "spread",
    allows=True,
    detail="the spread is 0.01 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)",
    value=Decimal("0.01"),
    limit=Decimal("0.5"),
    unit="%",
)


def tick_ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


async def write_explained_day(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(START_MS - 1_000, "new market", OPENING)
        await ledger.begin_run(run_record(started_ms=START_MS, settings_json=json.dumps(SETTINGS)))
        refused = _seen(1, Outcome.REFUSED, Action.BUY, rule="spread", detail=TOO_WIDE.detail)
        await ledger.record_decisions(
            [
                _seen(0, Outcome.HELD, Action.HOLD, detail=HOLD_REASONS[0]),
                replace(refused, findings=(COOLDOWN_PASSED, TOO_WIDE)),
            ]
        )
        await enter(ledger, 2, SOLD, trade_id=1, price="60000")
        await _protect(ledger, 2)
        await _stop_out(ledger)
        await enter(ledger, 4, HELD, trade_id=3, price="58000")
        await ledger.record_decisions(
            [
                decision(tick_ms(5), Outcome.NO_DATA, cycle=6, detail="the last closed 1m candle is 130 s old"),
                decision(tick_ms(6), Outcome.FAILED, cycle=7, detail="strategy rsi_momentum raised ZeroDivisionError"),
                _seen(7, Outcome.HELD, Action.HOLD, detail=HOLD_REASONS[7]),
            ]
        )


def _seen(minute: int, outcome: Outcome, action: Action, **changes) -> Decision:
    """A decision with everything that was seen."""
    opened = tick_ms(minute) - MINUTE_MS
    amounts = [Decimal(text) for text in ("60010", "60020.5", "59990", "60000.1", "12.345")]
    signal = Signal(
        "BTCUSDT", "rsi_momentum", action, 0 if action is Action.HOLD else 0.62, "RSI 27.4 < 30", opened, {"rsi": 27.4}
    )
    return decision(
        tick_ms(minute),
        outcome,
        **{
            "cycle": minute + 1,
            "signal": signal,
            "bid": Decimal("59999.9"),
            "ask": Decimal("60000.1"),
            "candle_age_ms": 1_500,
            "book_age_ms": 20,
            "candles": (Candle(opened, opened + MINUTE_MS - 1, *amounts),),
            "candle_count": 500,
            **changes,
        },
    )


async def enter(ledger: Ledger, minute: int, order_id: str, *, trade_id: int, price: str) -> None:
    wanted = intent(order_id, tick_ms=tick_ms(minute), reference_price=Decimal(price), reason="120 USDT")
    made = _seen(
        minute, Outcome.ORDERED, Action.BUY, client_order_id=order_id, findings=(COOLDOWN_PASSED, NARROW, MEASURED)
    )
    await ledger.commit_intent(made, wanted, wanted.tick_ms)
    await ledger.transition(order_id, OrderState.SENT, wanted.tick_ms + 1)
    bought = fill(
        trade_id,
        order_id,
        exchange_order_id=40 + trade_id,
        price=Decimal(price),
        quantity=Decimal("0.002"),
        quote_quantity=Decimal(price) * Decimal("0.002"),
        commission=Decimal("0.000002"),
        traded_ms=wanted.tick_ms + 100,
    )
    told = report(
        "FILLED",
        "0.002",
        bought,
        order_id=order_id,
        exchange_order_id=40 + trade_id,
        executed_quote=bought.quote_quantity,
        at_ms=bought.traded_ms,
    )
    await ledger.apply_report(told, **BTCUSDT)
    await ledger.record_decisions([replace(made, outcome=Outcome.EXECUTED, detail=f"0.002 @ {price}")])


async def _protect(ledger: Ledger, minute: int) -> None:
    at_ms = tick_ms(minute) + 200
    shared = {"side": Side.SELL, "quantity": Decimal("0.00199"), "tick_ms": at_ms, "list_id": "bta-list"}
    stop = {"role": Role.STOP_LOSS, "type": OrderType.STOP_LOSS, "stop_price": Decimal(58_800)}
    target = {"role": Role.TAKE_PROFIT, "type": OrderType.LIMIT_MAKER, "price": Decimal(62_400)}
    legs = [
        intent(STOP, **shared, **stop, exit=ExitKind.STOP_LOSS, reason="protects the position, stop 58800"),
        intent(TARGET, **shared, **target, exit=ExitKind.TAKE_PROFIT, reason="protects the position, target 62400"),
    ]
    await ledger.commit_protection("run-a", legs, at_ms)
    for number, order_id in enumerate((STOP, TARGET), start=70):
        await ledger.transition(order_id, OrderState.SENT, at_ms)
        await ledger.transition(order_id, OrderState.ACCEPTED, at_ms + 10, exchange_order_id=number)


async def _stop_out(ledger: Ledger) -> None:
    at_ms = tick_ms(2) + 30_000
    sold = fill(
        2,
        STOP,
        Side.SELL,
        exchange_order_id=70,
        price=Decimal(58_790),
        quantity=Decimal("0.00199"),
        quote_quantity=Decimal("116.9921"),
        commission=Decimal("0.1169921"),
        commission_asset="USDT",
        traded_ms=at_ms,
    )
    told = report(
        "FILLED",
        "0.00199",
        sold,
        order_id=STOP,
        exchange_order_id=70,
        side=Side.SELL,
        quantity=Decimal("0.00199"),
        executed_quote=sold.quote_quantity,
        at_ms=at_ms,
    )
    await ledger.apply_report(told, **BTCUSDT)
    await ledger.transition(TARGET, OrderState.EXPIRED, at_ms)
