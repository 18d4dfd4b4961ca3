"""What the trader is doing now: its heartbeat, what is not settled, what stands on the exchange, what is wrong."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.control import commands
from binance_trade_agent.control.risk_switch import changes_in_force, written_from
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.ledger import alarms, fee_values, queries, strategy_changes, switches
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import Alarm, Epoch
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.ledger.strategy_changes import StrategyChange
from binance_trade_agent.ops.heartbeat import Heartbeat
from binance_trade_agent.reports.equity_curve import Change, Worth, latest_worth
from binance_trade_agent.reports.idle import Idle, idle
from binance_trade_agent.reports.wording import changed_limit, money, often, signed_money, utc_text


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is not settled. Amounts in base asset, times market ms.

    Attributes:
        left_base: what may still trade; reserved_quote: quote asset that it may still spend.
        owner: the run that answers for it; deadline_ms: until when an unknown outcome has to be known.
    """

    client_order_id: str
    symbol: str
    side: str
    type: str
    role: str
    state: str
    quantity: Decimal
    left_base: Decimal
    reserved_quote: Decimal
    stop_price: Decimal | None
    price: Decimal | None
    created_ms: int
    owner: str
    deadline_ms: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The trader as it is now.

    Attributes:
        heartbeat: its last sign of life, None when there never was one; heartbeat_age_seconds: wall time since then.
        is_running: whether a process holds the ledger.
        orders: orders that are not settled, oldest first: unknown ones too.
        strategy: what decides, and since when and at whose wish; None before the first run.
        is_killed: whether the kill switch is on; kill_reason: why, as who threw it has said.
        is_paused: whether `pause` holds; pause_scope: what it keeps back, None without one.
        waiting: commands that the trader has not carried out yet, oldest first, such as `release by cli`.
        changed_limits: what persons have changed of the newest run's limits while it ran, or before, and holds.
        alarms: those that stand.
        idle: why it has not traded since its last trade.
        worth: the last point of the equity curve, with what it has gained; None before the first one.
        fees_converted_quote: worth of commissions in third assets; fees_unknown: how many have no price.
    """

    ledger: str
    is_running: bool
    heartbeat: Heartbeat | None
    heartbeat_age_seconds: float | None
    epoch: Epoch | None
    strategy: StrategyChange | None
    is_killed: bool
    kill_reason: str
    is_paused: bool
    pause_scope: PauseScope | None
    waiting: list[str]
    changed_limits: list[RiskChange]
    orders: list[OpenOrder]
    alarms: list[Alarm]
    positions: dict[str, Decimal]
    worth: Worth | None
    fees_converted_quote: Decimal
    fees_unknown: int
    idle: Idle


def status(reader: LedgerReader, heartbeat: Heartbeat | None, *, is_running: bool) -> Status:
    """The status, from one moment of the ledger.

    Raises:
        LedgerError: it cannot be read.
    """

    def read(connection: sqlite3.Connection) -> Status:
        epoch, number = queries.current_epoch(connection), queries.epoch_number(connection)
        converted, unknown = fee_values.total(connection, number)
        return Status(
            ledger=str(reader.path),
            is_running=is_running,
            heartbeat=heartbeat,
            heartbeat_age_seconds=None if heartbeat is None else round(heartbeat.age_seconds, 3),
            epoch=epoch,
            strategy=strategy_changes.latest(connection),
            is_killed=switches.killed(connection),
            kill_reason=switches.kill_reason(connection),
            is_paused=switches.paused(connection),
            pause_scope=switches.pause_scope(connection),
            waiting=[f"{each.kind.replace('_', '-')} by {each.requested_by}" for each in commands.waiting(connection)],
            changed_limits=_changed_limits(connection),
            orders=open_orders(connection, number),
            alarms=alarms.standing(connection),
            positions={
                symbol: position.quantity
                for symbol, position in queries.positions(connection, number).items()
                if position.quantity
            },
            worth=latest_worth(connection, number),
            fees_converted_quote=converted,
            fees_unknown=unknown,
            idle=idle(connection),
        )

    return reader.snapshot(read)


def _changed_limits(connection: sqlite3.Connection) -> list[RiskChange]:
    runs = queries.runs(connection)
    configured = written_from(json.loads(runs[-1].settings_json)) if runs else {}
    return list(changes_in_force(connection, configured).values())


def open_orders(connection: sqlite3.Connection, epoch: int) -> list[OpenOrder]:
    """Orders of the epoch that are not settled, oldest first."""
    return [
        OpenOrder(
            client_order_id=entry.order.client_order_id,
            symbol=entry.order.symbol,
            side=entry.order.side.value,
            type=entry.order.type.value,
            role=entry.order.role.value,
            state=entry.order.state.value,
            quantity=entry.order.quantity,
            left_base=entry.order.left_base,
            reserved_quote=entry.order.reserved_quote,
            stop_price=entry.order.stop_price,
            price=entry.order.price,
            created_ms=entry.order.created_ms,
            owner=entry.order.owner,
            deadline_ms=entry.order.deadline_ms,
        )
        for entry in queries.unsettled_orders(connection, epoch)
    ]


def as_json(found: Status) -> str:
    """One JSON document with the fields of Status; amounts are strings, exact."""
    return json.dumps(as_dict(found), default=plain, indent=2)


def lines(found: Status) -> Iterator[str]:
    """The status for a person."""
    yield f"Ledger {found.ledger}, {'a trader owns it' if found.is_running else 'no trader runs'}"
    if beat := found.heartbeat:
        has_gone = not found.is_running and beat.state not in {"stopped", "failed"}
        state = "gone without a word" if has_gone else beat.state
        yield f"  run {beat.run_id}: {state}, cycle {beat.cycle}, heartbeat {beat.age_seconds:.0f} s old"
        if beat.stream_is_live is not None:
            stream = "delivers" if beat.stream_is_live else "is away"
            yield f"  user stream {stream}, last news of the account {beat.news_age_seconds:g} s old at that heartbeat"
        if beat.detail:
            yield f"  no entries: {beat.detail}" if beat.state == "trading" else f"  {beat.detail}"
    if found.epoch:
        yield f"  epoch {found.epoch.epoch} since {utc_text(found.epoch.opened_ms)} UTC, {found.epoch.reason}"
    yield from _what_was_asked_for(found)
    yield f"Positions: {', '.join(f'{plain(held)} {symbol}' for symbol, held in found.positions.items()) or 'none'}"
    if found.worth is not None:
        yield _worth_line(found.worth)
    yield f"Orders that are not settled: {'none' if not found.orders else len(found.orders)}"
    for order in found.orders:
        yield f"  {order_line(order)}"
    yield f"Alarms: {'none' if not found.alarms else len(found.alarms)}"
    for alarm in found.alarms:
        blocks = ", keeps entries away" if alarm.blocks else ""
        yield f"  {alarm_name(alarm)} since {utc_text(alarm.raised_ms)}, {often(alarm.times)}{blocks}: {alarm.text}"
    yield f"Why no trade: {found.idle.counted}"  # what keeps entries away stands above
    if found.fees_unknown:
        yield f"Commissions in a third asset without a price: {found.fees_unknown}"


def _worth_line(now: Worth) -> str:
    gained = [f"{_gain(now.all_time)} since {utc_text(now.all_time.since_ms)}"]
    if now.day is not None:
        gained.append(f"{_gain(now.day)} today")
    return (
        f"Equity: {money(now.equity_quote)} {now.quote_asset} at {utc_text(now.tick_ms)} UTC, {', '.join(gained)}; "
        f"realised {signed_money(now.realised_pnl_quote)}, unrealised {signed_money(now.unrealised_pnl_quote)}"
    )


def _gain(change: Change) -> str:
    if change.pct is None:
        return signed_money(change.quote)
    pct = round(change.pct, 2)
    return f"{signed_money(change.quote)} ({f'{pct:+.2f}' if pct else '0'} %)"


def _what_was_asked_for(found: Status) -> Iterator[str]:
    """What decides now, and the switches that a person has thrown."""
    if change := found.strategy:
        yield f"Strategy: {change.choice}, by {change.requested_by} since {utc_text(change.at_ms)} UTC"
    said = found.heartbeat.detail if found.heartbeat else ""
    if found.is_killed and "the kill switch is on" not in said:  # the running trader says it with its name
        yield "The kill switch is on: nothing is entered until `trade-agent release NAME`"
    if found.kill_reason:
        yield f"It was thrown because: {found.kill_reason}"
    if found.pause_scope is not None:
        yield f"{found.pause_scope.held_back.capitalize()} paused until `trade-agent resume`"
    if found.waiting:
        yield f"Waiting for {'the' if found.is_running else 'the next'} trader: {', '.join(found.waiting)}"
    for limit in found.changed_limits:
        yield f"Limit: {changed_limit(limit)}"


def alarm_name(alarm: Alarm) -> str:
    """What is wrong and with what, in two words: `difference (BTCUSDT)`."""
    return f"{alarm.kind} ({alarm.subject})" if alarm.subject else alarm.kind


def order_line(order: OpenOrder) -> str:
    """One order that is not settled, in one line."""
    at = f" stop {plain(order.stop_price)}" if order.stop_price is not None else ""
    at += f" limit {plain(order.price)}" if order.price is not None else ""
    reserved = f", {plain(order.reserved_quote)} reserved" if order.reserved_quote else ""
    until = f", to be known by {utc_text(order.deadline_ms)}" if order.deadline_ms is not None else ""
    return (
        f"{order.state} {order.role} {order.side} {plain(order.left_base)} {order.symbol}{at} "
        f"({order.client_order_id}, run {order.owner}{reserved}{until})"
    )
