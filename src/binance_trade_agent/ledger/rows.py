"""Rows of the ledger to values and back: amounts as plain text, truth as 0 or 1, the rest as SQLite has it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.decisions import Decision, Finding, Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Fill, Order, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import field_names
from binance_trade_agent.ledger.accounting import Account, Posting
from binance_trade_agent.ledger.packing import pack, unpack
from binance_trade_agent.ledger.records import Epoch, EquityPoint, OrderEntry, OrderEvent, RunRecord

DECIDED = "decisions LEFT JOIN decisions_again USING (run_id, tick_ms, symbol)"
"""What `decision_from` reads the rows of."""

_PACKED = ("findings_json", "indicators_json", "candles_json")
_SIGNAL_COLUMNS = ("strategy", "action", "confidence", "reason", "candle_open_ms")


def columns(value: Any) -> dict[str, Any]:
    """The fields of a value or a dataclass by name, as SQLite stores them."""
    return {name: stored(getattr(value, name)) for name in field_names(type(value))}


def stored(value: Any) -> Any:
    """One value as SQLite stores it."""
    if value is None or isinstance(value, str):  # as most are
        return value
    if isinstance(value, Decimal):
        return plain(value)
    return int(value) if isinstance(value, bool) else value


def decision_columns(decision: Decision) -> dict[str, Any]:
    """A decision's columns, its signal flattened into them."""
    values = columns(decision)
    signal = values.pop("signal")
    values.update({name: getattr(signal, name, None) for name in _SIGNAL_COLUMNS})
    values["indicators_json"] = json.dumps(dict(signal.indicators), sort_keys=True) if signal else None
    values["findings_json"] = _json_of(values.pop("findings"))
    values["candles_json"] = _json_of(values.pop("candles"))
    return values


def decision_row(decision: Decision) -> dict[str, Any]:
    """A decision as it is written: its columns, with what it was made on packed."""
    values = decision_columns(decision)
    return {**values, "packed": pack([values[name] for name in _PACKED]), **dict.fromkeys(_PACKED)}


def in_full(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `decisions` with its columns as `decision_columns` gives them.

    Raises:
        ValueError: what was packed is damaged.
    """
    values = dict(row)
    if (packed := values.pop("packed")) is not None:
        values.update(zip(_PACKED, unpack(packed), strict=True))
    return values


def read_table(connection: sqlite3.Connection, table: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Names of a table's columns, and its rows, for other programs: what is packed in it is text there.

    Raises:
        ValueError: while they are read: what was packed is damaged.
    """
    cursor = connection.cursor()
    is_packed = table == "decisions"
    cursor.row_factory = sqlite3.Row if is_packed else None
    cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - the name is the schema's own
    names = [column[0] for column in cursor.description if not (is_packed and column[0] == "packed")]
    return names, (tuple(in_full(row).values()) for row in cursor) if is_packed else cursor


def _json_of(rows: Sequence[Any]) -> str | None:
    """Values of one kind as a JSON array of arrays, amounts as plain text; None when there are none."""
    if not rows:
        return None
    names = field_names(type(rows[0]))
    return json.dumps([[stored(getattr(row, name)) for name in names] for row in rows])


def run_columns(run: RunRecord) -> dict[str, Any]:
    """A run's columns."""
    return {**columns(run), "symbols": " ".join(run.symbols)}


def decision_from(packed: sqlite3.Row) -> Decision:
    """The decision of a row of DECIDED.

    Raises:
        ValueError: it is damaged.
    """
    row = in_full(packed)
    return Decision(
        run_id=row["run_id"],
        tick_ms=row["tick_ms"],
        cycle=row["cycle"],
        symbol=row["symbol"],
        outcome=Outcome(row["outcome"]),
        detail=row["detail"],
        signal=_signal_from(row) if row["action"] else None,
        rule=row["rule"],
        client_order_id=row["client_order_id"],
        bid=_optional_amount(row["bid"]),
        ask=_optional_amount(row["ask"]),
        candle_age_ms=row["candle_age_ms"],
        book_age_ms=row["book_age_ms"],
        exit=_optional_exit(row["exit"]),
        exit_reason=row["exit_reason"],
        findings=tuple(_finding_from(entry) for entry in json.loads(row["findings_json"] or "[]")),
        candles=tuple(_candle_from(entry) for entry in json.loads(row["candles_json"] or "[]")),
        candle_count=row["candle_count"],
        again=row["times"] or 0,
        again_ms=row["last_tick_ms"],
    )


def _finding_from(entry: Sequence[Any]) -> Finding:
    rule, allows, detail, value, limit, unit = entry
    return Finding(
        rule, None if allows is None else bool(allows), detail, _optional_amount(value), _optional_amount(limit), unit
    )


def _candle_from(entry: Sequence[Any]) -> Candle:
    open_time_ms, close_time_ms, *amounts = entry
    return Candle(open_time_ms, close_time_ms, *(Decimal(amount) for amount in amounts))


def _signal_from(row: Mapping[str, Any]) -> Signal:
    return Signal(
        symbol=row["symbol"],
        strategy=row["strategy"],
        action=Action(row["action"]),
        confidence=row["confidence"],
        reason=row["reason"],
        candle_open_ms=row["candle_open_ms"],
        indicators=json.loads(row["indicators_json"]),
    )


def order_entry_from(row: sqlite3.Row) -> OrderEntry:
    """The order of a row of `orders`, with what only the ledger knows of it."""
    order = Order(
        client_order_id=row["client_order_id"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        quantity=Decimal(row["quantity"]),
        state=OrderState(row["state"]),
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        tick_ms=row["tick_ms"],
        candle_open_ms=row["candle_open_ms"],
        reference_price=Decimal(row["reference_price"]),
        price=_optional_amount(row["price"]),
        exchange_order_id=row["exchange_order_id"],
        executed_base=Decimal(row["executed_base"]),
        executed_quote=Decimal(row["executed_quote"]),
        detail=row["detail"],
        role=Role(row["role"]),
        stop_price=_optional_amount(row["stop_price"]),
        list_id=row["list_id"],
        owner=row["owner"],
        deadline_ms=row["deadline_ms"],
        cancel_requested_ms=row["cancel_requested_ms"],
        exit=_optional_exit(row["exit"]),
        atr_quote=_optional_amount(row["atr_quote"]),
    )
    return OrderEntry(order, row["epoch"], row["run_id"], Decimal(row["filled_base"]), Decimal(row["filled_quote"]))


def order_event_from(row: sqlite3.Row) -> OrderEvent:
    """The event of a row of `order_events`."""
    return OrderEvent(
        client_order_id=row["client_order_id"],
        sequence=row["sequence"],
        state=row["state"],
        at_ms=row["at_ms"],
        executed_base=Decimal(row["executed_base"]),
        detail=row["detail"],
    )


def fill_from(row: sqlite3.Row) -> Fill:
    """The fill of a row of `fills`."""
    return Fill(
        symbol=row["symbol"],
        trade_id=row["trade_id"],
        exchange_order_id=row["exchange_order_id"],
        client_order_id=row["client_order_id"],
        side=Side(row["side"]),
        price=Decimal(row["price"]),
        quantity=Decimal(row["quantity"]),
        quote_quantity=Decimal(row["quote_quantity"]),
        commission=Decimal(row["commission"]),
        commission_asset=row["commission_asset"],
        is_maker=bool(row["is_maker"]),
        traded_ms=row["traded_ms"],
    )


def position_from(row: sqlite3.Row) -> Position:
    """The position of a row of `positions`."""
    return Position(
        symbol=row["symbol"],
        quantity=Decimal(row["quantity"]),
        cost_quote=Decimal(row["cost_quote"]),
        realised_pnl_quote=Decimal(row["realised_pnl_quote"]),
        opened_ms=row["opened_ms"],
        updated_ms=row["updated_ms"],
    )


def balance_from(row: sqlite3.Row) -> tuple[str, Decimal]:
    """The asset of a row of `wallets`, and how much there is of it."""
    return row["asset"], Decimal(row["amount"])


def posting_from(row: sqlite3.Row) -> Posting:
    """The line of a row of `postings`."""
    return Posting(row["asset"], Account(row["account"]), Decimal(row["amount"]))


def epoch_from(row: sqlite3.Row) -> Epoch:
    """The epoch of a row of `epochs`."""
    return Epoch(**{name: row[name] for name in field_names(Epoch)})


def run_from(row: sqlite3.Row) -> RunRecord:
    """The run of a row of `runs`."""
    values = {name: row[name] for name in field_names(RunRecord)}
    return RunRecord(**{**values, "symbols": tuple(row["symbols"].split())})


def equity_point_from(row: sqlite3.Row) -> EquityPoint:
    """The point of a row of `equity`."""
    names = field_names(EquityPoint)
    amounts = {name: Decimal(row[name]) for name in names if name.endswith("_quote")}
    return EquityPoint(row["run_id"], row["tick_ms"], row["cycle"], **amounts, quote_asset=row["quote_asset"] or "")


def _optional_exit(text: str | None) -> ExitKind | None:
    return None if text is None else ExitKind(text)


def _optional_amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
