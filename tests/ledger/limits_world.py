"""A ledger written to directly, and a plain model that works the limits' state out again from everything that happened."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.orders import Fill, OrderState, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.ledger import journal, orders
from binance_trade_agent.ledger.connection import in_transaction, open_or_create
from binance_trade_agent.ledger.fills import book_fill
from binance_trade_agent.ledger.pauses import begin_pause
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.risk_state import risk_state
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.risk.state import ExitResult, Pause, RiskState
from tests.ledger.bookkeeping import OPENING, decision, fill, intent, run_record

ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


class World:
    """One epoch of a ledger, on a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = open_or_create(path)
        self._placed: set[str] = set()

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator["World"]:
        """A new ledger with an epoch and the run `run-a`."""
        world = cls(path)
        world.do(lambda connection: journal.open_epoch(connection, 500, "new market", OPENING))
        world.do(lambda connection: journal.begin_run(connection, run_record()))
        try:
            yield world
        finally:
            world.connection.close()

    def do(self, work):
        """One transaction."""
        return in_transaction(work)(self.connection)

    def reopen(self) -> None:
        """As after a restart, or as another process sees it."""
        self.connection.close()
        self.connection = open_or_create(self.path)

    def trade(self, traded: Fill) -> bool:
        """Book a fill of an order, which is placed with its first one; False when it is known."""
        return self.do(lambda connection: self.book(connection, traded))

    def book(self, connection: sqlite3.Connection, traded: Fill) -> bool:
        """The same inside a transaction."""
        order_id, (base, quote) = traded.client_order_id, ASSETS[traded.symbol]
        if order_id not in self._placed:
            self._placed.add(order_id)
            number = len(self._placed)
            wanted = intent(order_id, traded.side, number, symbol=traded.symbol)
            orders.commit_intent(connection, decision(number, symbol=traded.symbol), wanted, 1)
            orders.transition(connection, order_id, OrderState.SENT, 2)
        return book_fill(connection, 1, traded, base_asset=base, quote_asset=quote)

    def point(self, point: EquityPoint) -> None:
        """Keep a point of the equity curve."""
        self.do(lambda connection: journal.record_equity(connection, point))

    def worth(self, at_ms: int, equity: str | int, external: str | int = 0, cycle: int = 1, **changes) -> None:
        """Keep a point by its equity for limits alone."""
        self.point(equity_point(at_ms, Decimal(equity), Decimal(external), cycle=cycle, **changes))

    def pause(self, pause: Pause) -> bool:
        """Begin a pause."""
        return self.do(lambda connection: begin_pause(connection, 1, pause))

    def state(self, now_ms: int, equity: Decimal | int = 0, symbol: str = "BTCUSDT", **needs) -> RiskState:
        """Where the limits stand."""
        return risk_state(SqlView(self.connection, 1), symbol, now_ms, Decimal(equity), quote_asset="USDT", **needs)


def equity_point(
    at_ms: int,
    equity: Decimal,
    external: Decimal = Decimal(0),
    *,
    cycle: int = 1,
    run_id: str = "run-a",
    quote_asset: str = "USDT",
) -> EquityPoint:
    """A point whose equity for limits is a third in positions; the wallet's other coins are worth much more."""
    held = equity / 4
    return EquityPoint(
        run_id, at_ms, cycle, equity * 3, equity - held, held, Decimal(1), Decimal(2), external, quote_asset
    )


def sold(trade_id: int, order: str, price: int, at_ms: int, quantity: str = "1", symbol: str = "BTCUSDT") -> Fill:
    """A fill of a SELL without a commission."""
    return _fill(trade_id, order, Side.SELL, price, at_ms, quantity, symbol)


def bought(trade_id: int, order: str, price: int, at_ms: int, quantity: str = "1", symbol: str = "BTCUSDT") -> Fill:
    """A fill of a BUY without a commission."""
    return _fill(trade_id, order, Side.BUY, price, at_ms, quantity, symbol)


def _fill(trade_id: int, order: str, side: Side, price: int, at_ms: int, quantity: str, symbol: str) -> Fill:
    amount = Decimal(quantity)
    return fill(
        trade_id,
        f"bta-{order}",
        side,
        symbol=symbol,
        price=Decimal(price),
        quantity=amount,
        quote_quantity=amount * price,
        commission=Decimal(0),
        commission_asset="USDT",
        traded_ms=at_ms,
    )


@dataclass
class Model:
    """Everything that happened, in plain lists; `state` works it out from scratch."""

    fills: dict[tuple[str, int], Fill] = field(default_factory=dict)
    points: dict[tuple[str, int, int], EquityPoint] = field(default_factory=dict)
    pauses: dict[tuple[str, int], Pause] = field(default_factory=dict)
    external: Decimal = Decimal(0)

    def state(self, now_ms: int, equity: Decimal, symbol: str, *, exits: int, losses: int) -> RiskState:
        """What `risk_state` should say."""
        entries = self._entries()
        hour = [name for name, filled_ms in entries.values() if filled_ms > now_ms - HOUR_MS]
        day = [name for name, filled_ms in entries.values() if filled_ms > now_ms - DAY_MS]
        lasting = sorted(
            (pause for pause in self.pauses.values() if pause.until_ms > now_ms),
            key=lambda pause: (pause.until_ms, pause.since_ms),
        )
        past = self.exits()
        return RiskState(
            entries_hour=len(hour),
            entries_day=len(day),
            symbol_entries_hour=hour.count(symbol),
            symbol_entries_day=day.count(symbol),
            losses_in_row=self._losses_in_row(past, now_ms, losses),
            exits=tuple(past[:exits]),
            equity_quote=equity,
            peak_quote=self._peak(now_ms, equity),
            day_quote=self._day_start(now_ms),
            pauses={pause.rule: pause for pause in lasting},
        )

    def _entries(self) -> dict[str, tuple[str, int]]:
        filled: dict[str, tuple[str, int]] = {}
        for traded in self.fills.values():
            if traded.side is Side.BUY:
                latest = max(traded.traded_ms, filled.get(traded.client_order_id, ("", 0))[1])
                filled[traded.client_order_id] = traded.symbol, latest
        return filled

    def exits(self) -> list[ExitResult]:
        """Every sale, newest first."""
        parts: dict[str, list[tuple[Fill, Decimal, Decimal]]] = {}
        for symbol, (base, quote) in ASSETS.items():
            position = Position(symbol)
            for _, traded in sorted((key, value) for key, value in self.fills.items() if key[0] == symbol):
                after = apply_fill(position, traded, base_asset=base, quote_asset=quote)
                if traded.side is Side.SELL:
                    pnl = after.realised_pnl_quote - position.realised_pnl_quote
                    cost = position.cost_quote - after.cost_quote
                    parts.setdefault(traded.client_order_id, []).append((traded, pnl, cost))
                position = after
        results = []
        for order_id, sales in parts.items():
            closed_ms, trade_id = max((traded.traded_ms, traded.trade_id) for traded, _, _ in sales)
            symbol = sales[0][0].symbol
            pnl, cost = sum(pnl for _, pnl, _ in sales), sum(cost for _, _, cost in sales)
            results.append((-closed_ms, symbol, -trade_id, ExitResult(order_id, symbol, pnl, cost, closed_ms)))
        return [result for *_, result in sorted(results, key=lambda entry: entry[:3])]

    def _losses_in_row(self, newest_first: Sequence[ExitResult], now_ms: int, most: int) -> int:
        ends = [p.until_ms for p in self.pauses.values() if p.rule == "consecutive_losses" and p.until_ms <= now_ms]
        count = 0
        for result in newest_first:
            if result.pnl_quote > 0 or (ends and result.closed_ms < max(ends)):
                break
            count += result.pnl_quote < 0
        return min(count, most)

    def _curve(self) -> list[tuple[int, Decimal]]:
        ordered = sorted(self.points.values(), key=lambda point: (point.tick_ms, point.cycle, point.run_id))
        return [(point.tick_ms, point.cash_quote + point.positions_quote - point.external_quote) for point in ordered]

    def _peak(self, now_ms: int, equity: Decimal) -> Decimal | None:
        curve = self._curve()
        ends = [pause.until_ms for pause in self.pauses.values() if pause.rule == "drawdown"]
        if not curve:
            return None
        if any(curve[-1][0] < end <= now_ms for end in ends):
            return equity
        begun = [end for end in ends if end <= curve[-1][0]]
        since = [adjusted for at_ms, adjusted in curve if not begun or at_ms >= max(begun)]
        return max(since) + self.external

    def _day_start(self, now_ms: int) -> Decimal | None:
        midnight_ms = now_ms // DAY_MS * DAY_MS
        yesterday = [adjusted for at_ms, adjusted in self._curve() if midnight_ms - DAY_MS <= at_ms < midnight_ms]
        today = [adjusted for at_ms, adjusted in self._curve() if at_ms >= midnight_ms]
        start = (yesterday[-1:] or today[:1] or [None])[0]
        return None if start is None else start + self.external
