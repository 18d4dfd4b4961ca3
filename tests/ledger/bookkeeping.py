"""Values for tests of the ledger, and a ledger that is ready to trade."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.orders import Fill, Order, OrderIntent, OrderReport, OrderState, OrderType, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import RunRecord

OPENING = {"BTC": Decimal(1), "USDT": Decimal(10_000), "BNB": Decimal("0.5")}
BTCUSDT = {"base_asset": "BTC", "quote_asset": "USDT"}


def run_record(run_id: str = "run-a", **changes) -> RunRecord:
    values = {
        "mode": "simulated",
        "strategy": "combined_default",
        "symbols": ("BTCUSDT", "ETHUSDT"),
        "settings_json": "{}",
        "exchange": "http://127.0.0.1:1",
        "started_ms": 1_000,
        "started_wall_ms": 77,
        "pid": 4711,
    }
    return RunRecord(run_id=run_id, **{**values, **changes})


def signal(action: Action = Action.BUY, symbol: str = "BTCUSDT") -> Signal:
    return Signal(symbol, "rsi_default", action, 0.52, "RSI 27.4 < 30", 940, {"rsi": 27.4})


def decision(tick_ms: int = 1_000, outcome: Outcome = Outcome.HELD, **changes) -> Decision:
    values = {"run_id": "run-a", "cycle": 1, "symbol": "BTCUSDT", "detail": "RSI 48.1 between 30 and 70"}
    return Decision(tick_ms=tick_ms, outcome=outcome, **{**values, **changes})


def intent(order_id: str = "bta-BTCUSDT-1", side: Side = Side.BUY, tick_ms: int = 1_000, **changes) -> OrderIntent:
    values = {
        "symbol": "BTCUSDT",
        "type": OrderType.MARKET,
        "quantity": Decimal("0.002"),
        "reference_price": Decimal(60_000),
        "candle_open_ms": 940,
        "reason": "100 USDT",
    }
    return OrderIntent(client_order_id=order_id, side=side, tick_ms=tick_ms, **{**values, **changes})


def fill(trade_id: int = 1, order_id: str = "bta-BTCUSDT-1", side: Side = Side.BUY, **changes) -> Fill:
    values = {
        "symbol": "BTCUSDT",
        "exchange_order_id": 9,
        "price": Decimal(60_000),
        "quantity": Decimal("0.001"),
        "quote_quantity": Decimal(60),
        "commission": Decimal("0.000001"),
        "commission_asset": "BTC",
        "is_maker": False,
        "traded_ms": 1_000 + trade_id,
    }
    return Fill(trade_id=trade_id, client_order_id=order_id, side=side, **{**values, **changes})


def report(status: str, executed: str, *fills: Fill, order_id: str = "bta-BTCUSDT-1", **changes) -> OrderReport:
    values = {
        "symbol": "BTCUSDT",
        "exchange_order_id": 9,
        "side": Side.BUY,
        "quantity": Decimal("0.002"),
        "executed_quote": Decimal(executed) * 60_000,
        "at_ms": 1_100,
    }
    return OrderReport(
        client_order_id=order_id,
        status=status,
        executed_base=Decimal(executed),
        fills=fills,
        **{**values, **changes},
    )


@asynccontextmanager
async def trading_ledger(path: Path, opening: Mapping[str, Decimal] = OPENING) -> AsyncIterator[Ledger]:
    """A ledger with an epoch and the run `run-a`."""
    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(500, "new market", opening)
        await ledger.begin_run(run_record())
        yield ledger


async def place(ledger: Ledger, order_id: str = "bta-BTCUSDT-1", side: Side = Side.BUY, **changes) -> Order:
    """Commit an intent and note it as sent."""
    placed = intent(order_id, side, **changes)
    ordered = decision(
        placed.tick_ms,
        Outcome.ORDERED,
        cycle=max(1, placed.tick_ms // 60_000),
        symbol=placed.symbol,
        signal=signal(Action(side)),
        client_order_id=order_id,
    )
    order = await ledger.commit_intent(ordered, placed, placed.tick_ms)
    await ledger.transition(order_id, OrderState.SENT, placed.tick_ms + 1)
    return order
