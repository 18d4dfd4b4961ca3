"""A ledger of a long life for what reads it: five symbols, two strategies, ten runs, stops and targets, by plain SQL.

Every tick (10 minutes) leaves a decision on each symbol and a point of equity; at every other tick each symbol has an
order of four fills. Positions, their marks, wallets and orders are what the fills make of them (`domain/positions.py`).
What no reader looks at is not there: the postings of fills. So `trade-agent ledger verify` would refuse it.

Run `.venv/bin/python benchmarks/support/long_ledger.py PATH [fills]`.
"""

import hashlib
import itertools
import json
import random
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.ledger import journal
from binance_trade_agent.ledger.connection import in_transaction, open_or_create
from binance_trade_agent.ledger.position_marks import MARK_EVERY
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.rows import columns

MILLION = 1_000_000
FILLS_PER_ORDER = 4
OPEN_AT_END = 3
TICK_MS = 600_000
START_MS = 1_704_067_200_000  # 2024-01-01
RUNS = 10
STRATEGIES = ("combined_default", "rsi_default")
OPENING_QUOTE = Decimal(1_000_000)
FIRST_PRICES = {"BTCUSDT": 60_000.0, "ETHUSDT": 3_000.0, "SOLUSDT": 150.0, "BNBUSDT": 600.0, "XRPUSDT": 0.6}
_STAKE_QUOTE = 1_000
_FEE = Decimal("0.001")
_BNB_PRICE = Decimal(600)
_CENT, _LOT, _UNIT = Decimal("0.0001"), Decimal("0.0001"), Decimal("0.00000001")
_CHUNK = 20_000

Rows = dict[str, list[dict[str, object]]]


@dataclass
class Lane:
    """One symbol's life: its price, its position and its open orders."""

    symbol: str
    price: float
    position: Position
    fills: int = 0
    orders: int = 0

    @property
    def base(self) -> str:
        """Its base asset."""
        return self.symbol.removesuffix("USDT")


@dataclass
class Writer:
    """Makes the rows tick by tick and hands them to SQLite in chunks."""

    connection: sqlite3.Connection
    orders_left: int
    dice: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 (no secret)
    rows: Rows = field(default_factory=lambda: defaultdict(list))
    cash: Decimal = OPENING_QUOTE
    bnb: Decimal = Decimal(1_000)
    lanes: list[Lane] = field(
        default_factory=lambda: [Lane(name, price, Position(name)) for name, price in FIRST_PRICES.items()]
    )
    cycle: int = 0

    def write(self, ticks: int) -> None:
        """So many ticks, then what protects the open positions."""
        peak = ZERO
        for tick in range(ticks):
            self.cycle = tick + 1
            tick_ms = START_MS + tick * TICK_MS
            run = f"run-{tick * RUNS // ticks}"
            strategy = STRATEGIES[tick * RUNS // ticks % len(STRATEGIES)]
            for number, lane in enumerate(self.lanes):
                lane.price *= 1 + self.dice.gauss(0.00001, 0.004)
                self._decide(lane, run, strategy, tick_ms, trades=(tick + number) % 2 == 0)
            peak = max(peak, self._note_equity(run, tick_ms, peak))
            if len(self.rows["fills"]) >= _CHUNK:
                self._flush()
        self._enter_last(f"run-{RUNS - 1}", START_MS + ticks * TICK_MS)
        self._flush()

    def _enter_last(self, run: str, at_ms: int) -> None:
        """Positions that are open at the end, with what protects them."""
        for lane in self.lanes[:OPEN_AT_END]:
            self._trade(lane, Side.BUY, None, run, _exact(lane.price), at_ms - TICK_MS + 1)
            self._protect(lane, run, at_ms)

    def _decide(self, lane: Lane, run: str, strategy: str, tick_ms: int, *, trades: bool) -> None:
        bid = _exact(lane.price)
        order_id, outcome, rule, action, detail = None, "HELD", None, "HOLD", "RSI 48.1 between 30 and 70"
        if trades and self.orders_left:
            self.orders_left -= 1
            side = Side.SELL if lane.position.quantity > _LOT else Side.BUY
            cause = self._cause(side)
            order_id = self._trade(lane, side, cause, run, bid, tick_ms)
            if cause not in {"stop_loss", "take_profit"}:
                outcome, action, detail = "EXECUTED", side.value, "0.004 @ 60,000.00, fee 0.24 USDT"
            else:
                order_id = None
        elif self.dice.random() < 0.05:
            outcome, rule, action, detail = "REFUSED", "max_open_positions", "BUY", "5 positions are open, 5 allowed"
        self.rows["decisions"].append(
            {
                "run_id": run,
                "tick_ms": tick_ms,
                "symbol": lane.symbol,
                "cycle": self.cycle,
                "outcome": outcome,
                "detail": detail,
                "rule": rule,
                "client_order_id": order_id,
                "bid": plain(bid),
                "ask": plain(bid + _CENT),
                "candle_age_ms": 1000,
                "book_age_ms": 50,
                "strategy": strategy,
                "action": action,
                "confidence": 0.5,
                "reason": "RSI 48.1 between 30 and 70",
                "indicators_json": '{"rsi": 48.1, "macd": 1.2}',
                "candle_open_ms": tick_ms - 60_000,
                "findings_json": _FINDINGS if rule or action == "BUY" else None,
            }
        )

    def _cause(self, side: Side) -> str | None:
        if side is Side.BUY:
            return None
        return self.dice.choices(("strategy", "stop_loss", "take_profit"), (6, 2, 2))[0]

    def _trade(self, lane: Lane, side: Side, cause: str | None, run: str, bid: Decimal, tick_ms: int) -> str:
        lane.orders += 1
        number = lane.orders
        order_id = _order_id(lane.symbol, number)
        quantity = Decimal(_STAKE_QUOTE) / bid if side is Side.BUY else lane.position.quantity
        quantity = quantity.quantize(_LOT, ROUND_DOWN)
        parts = _parts(quantity)
        value = ZERO
        for part, amount in enumerate(parts):
            lane.fills += 1
            fill = self._fill(lane, side, order_id, number, amount, bid + part * _CENT, tick_ms + 100 + part)
            value += fill.quote_quantity
            self._apply(lane, fill)
        role = {None: "ENTRY", "strategy": "EXIT", "stop_loss": "STOP_LOSS", "take_profit": "TAKE_PROFIT"}[cause]
        self._order(lane, order_id, number, run, side, role, cause, quantity, quantity, value, tick_ms, "FILLED")
        return order_id

    def _fill(
        self, lane: Lane, side: Side, order_id: str, number: int, quantity: Decimal, price: Decimal, at_ms: int
    ) -> Fill:
        value = quantity * price
        asset, fee = ("USDT", value * _FEE) if side is Side.SELL else (lane.base, quantity * _FEE)
        if lane.symbol == "SOLUSDT":
            asset, fee = "BNB", value * _FEE / _BNB_PRICE
        return Fill(
            symbol=lane.symbol,
            trade_id=lane.fills,
            exchange_order_id=number,
            client_order_id=order_id,
            side=side,
            price=price,
            quantity=quantity,
            quote_quantity=value,
            commission=fee.quantize(_UNIT),
            commission_asset=asset,
            is_maker=False,
            traded_ms=at_ms,
        )

    def _apply(self, lane: Lane, fill: Fill) -> None:
        self.rows["fills"].append({"epoch": 1, **columns(fill)})
        self.cash += fill.quote_quantity if fill.side is Side.SELL else -fill.quote_quantity
        if fill.commission_asset == "USDT":
            self.cash -= fill.commission
        if lane.symbol == "SOLUSDT":
            self.bnb -= fill.commission
            worth = plain((fill.commission * _BNB_PRICE).quantize(_UNIT))
            self.rows["fee_values"].append(
                {
                    "epoch": 1,
                    "symbol": fill.symbol,
                    "trade_id": fill.trade_id,
                    "asset": "BNB",
                    "amount": plain(fill.commission),
                    "quote_asset": "USDT",
                    "price": plain(_BNB_PRICE),
                    "value_quote": worth,
                    "priced_ms": fill.traded_ms,
                }
            )
        lane.position = apply_fill(lane.position, fill, base_asset=lane.base, quote_asset="USDT")
        if lane.fills % MARK_EVERY == 0:
            self.rows["position_marks"].append({"epoch": 1, "trade_id": fill.trade_id, **columns(lane.position)})

    def _order(
        self,
        lane: Lane,
        order_id: str,
        number: int,
        run: str,
        side: Side,
        role: str,
        cause: str | None,
        quantity: Decimal,
        executed: Decimal,
        value: Decimal,
        at_ms: int,
        state: str,
        **more: object,
    ) -> None:
        self.rows["orders"].append(
            {
                "client_order_id": order_id,
                "epoch": 1,
                "run_id": run,
                "symbol": lane.symbol,
                "side": side.value,
                "type": "MARKET",
                "quantity": plain(quantity),
                "price": None,
                "stop_price": None,
                "list_id": None,
                "reference_price": plain(_exact(lane.price)),
                "tick_ms": at_ms,
                "candle_open_ms": at_ms - 60_000,
                "state": state,
                "detail": "",
                "exchange_order_id": number,
                "executed_base": plain(executed),
                "executed_quote": plain(value),
                "filled_base": plain(executed),
                "filled_quote": plain(value),
                "settled": int(state == "FILLED"),
                "created_ms": at_ms,
                "updated_ms": at_ms + 200,
                "role": role,
                "owner": run,
                "decision_key": order_id[-14:],
                "exit": cause,
                **more,
            }
        )
        steps = ("INTENT", "SENT", "ACCEPTED", "FILLED") if state == "FILLED" else ("INTENT", "SENT", "ACCEPTED")
        for sequence, step in enumerate(steps, start=1):
            self.rows["order_events"].append(
                {
                    "client_order_id": order_id,
                    "sequence": sequence,
                    "state": step,
                    "at_ms": at_ms + sequence,
                    "executed_base": plain(executed) if step == "FILLED" else "0",
                    "detail": "",
                }
            )

    def _protect(self, lane: Lane, run: str, at_ms: int) -> None:
        """A stop and a target that stand for what is held at the end."""
        held = lane.position.quantity.quantize(_LOT, ROUND_DOWN)
        if not held:
            return
        stop, target = _exact(lane.price * 0.97), _exact(lane.price * 1.05)
        for role, type_, prices in (
            ("STOP_LOSS", "STOP_LOSS_LIMIT", {"stop_price": plain(stop), "price": plain(stop)}),
            ("TAKE_PROFIT", "LIMIT_MAKER", {"price": plain(target)}),
        ):
            lane.orders += 1
            more = {**prices, "type": type_, "list_id": f"list-{lane.symbol}"}
            self._order(
                lane,
                _order_id(lane.symbol, lane.orders),
                lane.orders,
                run,
                Side.SELL,
                role,
                role.lower(),
                held,
                ZERO,
                ZERO,
                at_ms,
                "ACCEPTED",
                **more,
            )

    def _note_equity(self, run: str, tick_ms: int, peak: Decimal) -> Decimal:
        worth = sum((lane.position.quantity * _exact(lane.price) for lane in self.lanes), ZERO).quantize(_UNIT)
        cost = sum((lane.position.cost_quote for lane in self.lanes), ZERO)
        realised = sum((lane.position.realised_pnl_quote for lane in self.lanes), ZERO)
        equity = self.cash + worth
        self.rows["equity"].append(
            {
                "run_id": run,
                "tick_ms": tick_ms,
                "cycle": self.cycle,
                "equity_quote": plain(equity),
                "cash_quote": plain(self.cash),
                "positions_quote": plain(worth),
                "realised_pnl_quote": plain(realised),
                "unrealised_pnl_quote": plain(worth - cost),
                "external_quote": "0",
                "quote_asset": "USDT",
                "epoch": 1,
                "peak_quote": plain(max(peak, equity)),
            }
        )
        return equity

    def _flush(self) -> None:
        for table, rows in self.rows.items():
            if rows:
                names = list(rows[0])
                marks = ", ".join("?" * len(names))
                self.connection.executemany(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 (ours)
                    [tuple(row.values()) for row in rows],
                )
                rows.clear()


def write_long_ledger(path: Path, fills: int = MILLION) -> None:
    """Make a ledger at `path` with so many fills in one epoch, the last of ten runs still open.

    Raises:
        ValueError: `fills` is not a whole number of orders.
    """
    if fills % FILLS_PER_ORDER:
        raise ValueError(f"{fills} fills are not whole orders: take a multiple of {FILLS_PER_ORDER}")
    with closing(open_or_create(path)) as connection:
        connection.execute("PRAGMA cache_size = -2000000")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")  # a table after the other, in chunks
        in_transaction(lambda inside: _write(inside, fills))(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write(connection: sqlite3.Connection, fills: int) -> None:
    orders = fills // FILLS_PER_ORDER
    ticks = 2 * orders // len(FIRST_PRICES) + 4
    journal.open_epoch(connection, START_MS, "benchmark", {"USDT": OPENING_QUOTE, "BNB": Decimal(1_000)})
    for number in range(RUNS):
        _begin_run(connection, number, ticks)
    writer = Writer(connection, orders - OPEN_AT_END)
    writer.write(ticks)
    _write_positions(connection, writer)


def _begin_run(connection: sqlite3.Connection, number: int, ticks: int) -> None:
    first, last = (START_MS + (number + part) * ticks // RUNS * TICK_MS for part in (0, 1))
    run_id, strategy = f"run-{number}", STRATEGIES[number % len(STRATEGIES)]
    record = RunRecord(run_id, "simulated", strategy, tuple(FIRST_PRICES), "{}", "none", first, first, 1)
    journal.begin_run(connection, record)
    if number < RUNS - 1:
        journal.end_run(connection, run_id, last, last, "the duration is over")


def _write_positions(connection: sqlite3.Connection, writer: Writer) -> None:
    wallet = {lane.base: lane.position.quantity for lane in writer.lanes}
    wallet["BNB"] += writer.bnb
    wallet["USDT"] = writer.cash
    for asset, amount in wallet.items():
        connection.execute("INSERT OR REPLACE INTO wallets VALUES (1, ?, ?)", (asset, plain(amount)))
    for lane in writer.lanes:
        connection.execute(
            "INSERT INTO positions VALUES (1, :symbol, :base, 'USDT', :quantity, :cost_quote, :realised_pnl_quote,"
            " :opened_ms, :updated_ms)",
            {"base": lane.base, **columns(lane.position)},
        )


def _order_id(symbol: str, number: int) -> str:
    digest = hashlib.blake2b(f"{symbol}{number}".encode(), digest_size=7).hexdigest()
    return f"btabnc-{symbol}-1-{digest}"


def _parts(quantity: Decimal) -> Iterator[Decimal]:
    """Four parts of a quantity, the last with what is left over."""
    part = (quantity / FILLS_PER_ORDER).quantize(_LOT, ROUND_DOWN)
    yield from itertools.repeat(part, FILLS_PER_ORDER - 1)
    yield quantity - part * (FILLS_PER_ORDER - 1)


def _exact(price: float) -> Decimal:
    return Decimal(f"{price:.4f}")


_FINDINGS = json.dumps(
    [
        [f"rule_{number}", 1, "4 positions are open, 5 allowed (RISK_MAX_OPEN_POSITIONS)", "4", "5", "positions"]
        for number in range(20)
    ]
)


if __name__ == "__main__":
    write_long_ledger(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else MILLION)
