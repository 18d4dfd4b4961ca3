"""What `trade-agent why` shows, from the ledger alone: a decision, what led to it, and what became of its order."""

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import takewhile
from typing import Any

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import Fill, Order, OrderState, Role, Side
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.position_marks import since_mark
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import OrderEntry, OrderEvent, RunRecord
from binance_trade_agent.reports.analysis import refuse_unknown_symbol
from binance_trade_agent.reports.strategy_in_use import StrategyInUse, strategy_in_use
from binance_trade_agent.reports.trades import Trade, replay
from binance_trade_agent.reports.wording import parse_utc, utc_text

_CLOCK_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_CANDIDATES = 500  # ids among which the nearest to a wrong one is looked for


@dataclass(frozen=True, slots=True)
class OrderStory:
    """An order from its intent to its end.

    Attributes:
        events: the steps of its life, in order.
        trade: what its fills add up to, with fees and, for a sale, what it realised; None while nothing has filled.
        entry_id: of a sale, the entry whose purchase it protected or sold; None for entries, and where none is known.
    """

    order: Order
    epoch: int
    run_id: str
    events: list[OrderEvent]
    fills: list[Fill]
    trade: Trade | None
    entry_id: str | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The run that decided or placed an order; candle_interval: length of the candles that it looked at."""

    run_id: str
    number: int
    mode: str
    exchange: str
    candle_interval: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and its order, or an order that no decision led to.

    Attributes:
        taken: what was asked for and what was taken for it, in words.
        decision: None for an order that was placed between ticks.
        strategy: what was in use at the decision.
        order: the order that was asked for, or that the decision led to.
        sales: of an entry, the orders that protected or sold what it bought, oldest first.
        added_by: of an entry that was not sold before the next one, the id of that one, which added to it.
        held_base: of the latest entry, what the ledger holds of the symbol now; None for others.
        sold_meanwhile: what was sold without a decision from this tick to the next one, by stops and targets mostly.
        entry: of an order that was placed between ticks, the entry whose purchase it protected or sold, explained.
    """

    ledger: str
    symbol: str
    taken: str
    run: RunFacts
    decision: Decision | None = None
    strategy: StrategyInUse | None = None
    order: OrderStory | None = None
    sales: list[OrderStory] = field(default_factory=list)
    added_by: str | None = None
    held_base: Decimal | None = None
    sold_meanwhile: list[OrderStory] = field(default_factory=list)
    entry: "Explanation | None" = None


class Explainer:
    """Explains what was decided on one symbol.

    Raises:
        ValueError: no run ever traded the symbol; the message names the nearest that one did.
    """

    def __init__(self, connection: sqlite3.Connection, ledger: str, symbol: str) -> None:
        runs = queries.runs(connection)
        refuse_unknown_symbol(symbol, runs)
        self._connection = connection
        self._ledger = ledger
        self._symbol = symbol
        self._runs = {run.run_id: run for run in reversed(runs)}

    @property
    def runs(self) -> list[RunRecord]:
        """The runs that traded the symbol, newest first."""
        return [run for run in self._runs.values() if self._symbol in run.symbols]

    def last(self) -> Explanation:
        """The last decision.

        Raises:
            ValueError: there is none yet.
        """
        _, last = self._ticks()
        return self._at(last, "the last decision")

    def at(self, text: str) -> Explanation:
        """The decision of the latest tick up to a time.

        Args:
            text: `14:38` or `14:38:20` on the day of the last decision, or a time in ISO 8601; UTC.

        Raises:
            ValueError: it is no time, or is before the first tick.
        """
        _, last = self._ticks()
        at_ms = _moment(text, last)
        return self._at(at_ms, f"the latest tick up to {utc_text(at_ms)}")

    def order(self, name: str) -> Explanation:
        """An order and the decision that led to it.

        Args:
            name: a client order id or the beginning of one, or the number that the exchange gave it.

        Raises:
            ValueError: there is no such order, or several.
        """
        entry = self._order_named(name)
        decision = self._decision_of(entry)
        if decision is not None:
            return self._decided(decision, f"the order {entry.order.client_order_id}", entry)
        story = self._story(entry)
        bought = story.entry_id and queries.order_entry(self._connection, story.entry_id)
        return Explanation(
            ledger=self._ledger,
            symbol=self._symbol,
            taken=f"the order {entry.order.client_order_id}",
            run=_facts(self._runs[entry.run_id]),
            order=story,
            **self._afterwards(entry),
            entry=self.order(story.entry_id) if bought and story.entry_id else None,
        )

    def latest(self, count: int) -> list[Decision]:
        """The latest decisions, newest last."""
        found: list[Decision] = []
        for run in self.runs:
            found += queries.decisions(self._connection, run.run_id, symbol=self._symbol, limit=count - len(found))
            if len(found) >= count:
                break
        return found[::-1]

    def sold_meanwhile(self, run_id: str, from_ms: int, before_ms: int | None) -> list[OrderStory]:
        """What was sold without a decision in a stretch of time, in the epoch of a run; None is for ever."""
        until = {} if before_ms is None else {"before_ms": before_ms}
        epoch = self._runs[run_id].epoch
        sold = queries.sales_without_decision(self._connection, epoch, self._symbol, from_ms, **until)
        return [self._story(sale) for sale in sold]

    def _ticks(self) -> tuple[int, int]:
        """First and last tick with a decision on the symbol; the last one is the newest run's."""
        ends = [queries.decided_ticks(self._connection, run.run_id, self._symbol) for run in self.runs]
        known = [ticks for ticks in ends if ticks is not None]
        if not known:
            raise ValueError(f"nothing has been decided on {self._symbol} yet")
        return min(first for first, _ in known), known[0][1]

    def _at(self, at_ms: int, asked: str) -> Explanation:
        for run in self.runs:
            decision = queries.decision_at(self._connection, run.run_id, self._symbol, at_ms)
            if decision is not None:
                return self._decided(decision, asked)
        first, last = self._ticks()
        raise ValueError(
            f"nothing was decided on {self._symbol} up to {utc_text(at_ms)} UTC: the first tick was at"
            f" {utc_text(first)}, the last at {utc_text(last)}"
        )

    def _decided(self, decision: Decision, asked: str, entry: OrderEntry | None = None) -> Explanation:
        run = self._runs[decision.run_id]
        if entry is None and decision.client_order_id is not None:
            entry = queries.order_entry(self._connection, decision.client_order_id)
        following = queries.next_tick_ms(self._connection, run.run_id, self._symbol, decision.tick_ms)
        kept = " that was kept" if decision.tick_ms <= (run.thinned_ms or 0) else ""
        then = "no later one in its run" if following is None else f"the next one{kept} at {utc_text(following)}"
        return Explanation(
            ledger=self._ledger,
            symbol=self._symbol,
            taken=f"{asked}: the tick at {utc_text(decision.tick_ms)} UTC, {then}",
            run=_facts(run),
            decision=decision,
            strategy=strategy_in_use(self._connection, run, decision),
            order=None if entry is None else self._story(entry),
            **self._afterwards(entry),
            sold_meanwhile=self.sold_meanwhile(run.run_id, decision.tick_ms, following),
        )

    def _decision_of(self, entry: OrderEntry) -> Decision | None:
        """The decision that led to the order; None for one that was placed between ticks."""
        decision = queries.decision_at(self._connection, entry.run_id, self._symbol, entry.order.tick_ms)
        return decision if decision and decision.client_order_id == entry.order.client_order_id else None

    def _story(self, entry: OrderEntry) -> OrderStory:
        order = entry.order
        fills = queries.fills_of_order(self._connection, order.client_order_id)
        bought = None
        if order.side is Side.SELL:
            bought = queries.entry_before(self._connection, entry.epoch, order.symbol, order.created_ms)
        return OrderStory(
            order=order,
            epoch=entry.epoch,
            run_id=entry.run_id,
            events=queries.order_events(self._connection, order.client_order_id),
            fills=fills,
            trade=self._trade(entry, fills) if fills else None,
            entry_id=bought.order.client_order_id if bought else None,
        )

    def _afterwards(self, entry: OrderEntry | None) -> dict[str, Any]:
        """What became of what an entry bought: `sales`, `added_by` and `held_base`; nothing for other orders."""
        if entry is None or entry.order.role is not Role.ENTRY or not entry.order.executed_base:
            return {}
        sales = queries.sales_after(self._connection, entry)
        following = queries.entry_after(self._connection, entry)
        was_sold = any(sale.order.state is OrderState.FILLED for sale in sales)
        is_latest = following is None and entry.epoch == queries.epoch_number(self._connection)
        position = queries.position(self._connection, entry.epoch, self._symbol)
        return {
            "sales": [self._story(sale) for sale in sales],
            "added_by": following.order.client_order_id if following and not was_sold else None,
            "held_base": position.quantity if is_latest else None,
        }

    def _trade(self, entry: OrderEntry, fills: Sequence[Fill]) -> Trade:
        """What the fills add up to, with the position before them from the last mark."""
        symbol, last_trade_id = entry.order.symbol, fills[-1].trade_id
        before, later = since_mark(self._connection, entry.epoch, symbol, fills[0].trade_id)
        until = takewhile(lambda fill: fill.trade_id <= last_trade_id, later)
        trades, _ = replay(until, queries.symbol_assets(self._connection), {symbol: before})
        return next(trade for trade in trades if trade.client_order_id == entry.order.client_order_id)

    def _order_named(self, name: str) -> OrderEntry:
        whole = queries.order_entry(self._connection, name)
        if whole is not None and whole.order.symbol == self._symbol:
            return whole  # what is less than a whole id is looked for among all orders
        found = queries.orders_named(self._connection, self._symbol, name)
        numbered = [entry for entry in found if str(entry.order.exchange_order_id) == name]
        if numbered:
            return numbered[0]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(entry.order.client_order_id for entry in found[:3])
            raise ValueError(
                f"{len(found)} orders on {self._symbol} begin with {name!r}: {some}, ...; write more of it"
            )
        raise ValueError(f"{self._symbol} has no order {name!r}{self._hint(name)}")

    def _hint(self, name: str) -> str:
        """Where the order is, or which one is nearest; empty when none comes near."""
        for symbol in sorted({symbol for run in self._runs.values() for symbol in run.symbols} - {self._symbol}):
            if queries.orders_named(self._connection, symbol, name):
                return f"; it is one on {symbol}"
        latest = queries.latest_orders(self._connection, queries.epoch_number(self._connection), _CANDIDATES)
        own = [entry.order.client_order_id for entry in latest if entry.order.symbol == self._symbol]
        near = nearest(name, own)
        return f"; the nearest is {near}" if near else f"; its latest is {own[0]}" if own else ", and none at all yet"


def explain_last(reader: LedgerReader, symbol: str) -> Explanation:
    """The symbol's last decision, explained; raises ValueError as Explainer does."""
    return reader.snapshot(lambda connection: Explainer(connection, str(reader.path), symbol).last())


def explain_at(reader: LedgerReader, symbol: str, text: str) -> Explanation:
    """The decision of the latest tick up to a time, explained; raises ValueError as Explainer does."""
    return reader.snapshot(lambda connection: Explainer(connection, str(reader.path), symbol).at(text))


def explain_order(reader: LedgerReader, symbol: str, name: str) -> Explanation:
    """An order and what led to it; raises ValueError as Explainer does."""
    return reader.snapshot(lambda connection: Explainer(connection, str(reader.path), symbol).order(name))


def as_json(found: object) -> str:
    """One JSON document with the fields of an Explanation or of Latest; amounts are strings, exact."""
    return json.dumps(as_dict(found), default=plain, indent=2)


def _facts(run: RunRecord) -> RunFacts:
    interval = json.loads(run.settings_json).get("TRADING_CANDLE_INTERVAL")
    return RunFacts(run.run_id, run.number, run.mode, run.exchange, interval)


def _moment(text: str, last_ms: int) -> int:
    """Milliseconds UTC of a time of day on the day of `last_ms`, or of a time in ISO 8601.

    Raises:
        ValueError: it is neither.
    """
    found = _CLOCK_TIME.fullmatch(text.strip())
    if found is None:
        try:
            return parse_utc(text)
        except ValueError:
            example = iso_utc(last_ms)[:16]
            raise ValueError(f"{text!r} is not a time; write 14:38, 14:38:20 or {example} (UTC)") from None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"{text!r} is not a time of day; it goes from 00:00 to 23:59:59")
    return last_ms // DAY_MS * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000
