"""The events of the user data stream as Binance's JSON (binance-protocol.md 4.5)."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.lists import ListReport
from binance_trade_agent.matching.orders import ExecutionReport, ExecutionType, PreventedMatch, Status, TimeInForce
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.market.payloads import amount
from binance_trade_agent.simulator.payloads import Json, list_id

_NO_TRADE = -1
_TAKING_TYPES = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})
_OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


def user_events(transaction: Transaction, accounts: Mapping[str, Account]) -> list[tuple[str, Json]]:
    """Events of a transaction as (account, event), in their order.

    These are its execution reports, what it did to lists, deposits, and then the position of each account.
    """
    events = [(report.order.account, execution_report(report)) for report in transaction.reports]
    events += [(report.order_list.account, _list_status(report)) for report in transaction.list_reports]
    for name, deposits in transaction.deposits.items():
        events += [
            (name, _balance_update(asset, deposited, transaction.at_ms)) for asset, deposited in deposits.items()
        ]
    for name, assets in transaction.assets.items():
        events.append((name, _account_position(accounts[name], sorted(assets), transaction.at_ms)))
    return events


def execution_report(report: ExecutionReport) -> Json:
    """The event of one step of an order."""
    order, trade = report.order, report.trade
    return {
        "e": "executionReport",
        "E": report.at_ms,
        "s": order.symbol,
        "c": report.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": amount(order.quantity),
        "p": amount(order.price),
        "P": amount(order.stop_price),
        "F": amount(order.iceberg_quantity),
        "g": list_id(order),
        "C": report.original_client_order_id,
        "x": report.execution,
        "X": report.status,
        "r": report.reject_reason,
        "i": order.order_id,
        "l": amount(trade.quantity if trade else ZERO),
        "z": amount(report.executed_base),
        "L": amount(trade.price if trade else ZERO),
        "n": amount(trade.commission) if trade else "0",
        "N": trade.commission_asset if trade else None,
        "T": report.at_ms,
        "t": trade.trade_id if trade else _NO_TRADE,
        "I": report.execution_id,
        "w": _is_on_book(report),
        "m": trade.is_maker if trade else False,
        "M": trade is not None,
        "O": order.created_ms,
        "Z": amount(report.executed_quote),
        "Y": amount(trade.quote_quantity if trade else ZERO),
        "Q": amount(order.quote_quantity),
        "V": order.self_trade_prevention,
        **_conditional(report),
    }


def _is_working(report: ExecutionReport) -> bool:
    """Whether the order has come as far as the book: not while it waits for a trigger or for its working order."""
    return report.working_ms is not None


def _is_on_book(report: ExecutionReport) -> bool:
    """Field `w`: accepted, or traded and still waiting for more; never on for what takes and expires."""
    if not _is_working(report) or report.status not in _OPEN:
        return False
    order = report.order
    may_rest = order.type not in _TAKING_TYPES and order.time_in_force is TimeInForce.GTC
    return report.execution is ExecutionType.NEW or may_rest


def _conditional(report: ExecutionReport) -> Json:
    """Fields that appear only when they apply."""
    order = report.order
    fields: Json = {}
    if _is_working(report):
        fields["W"] = report.working_ms
    if order.trailing_delta is not None:
        fields |= {"d": order.trailing_delta, "D": -1 if order.trailing_ms is None else order.trailing_ms}
    if order.strategy_id is not None:
        fields["j"] = order.strategy_id
    if order.strategy_type is not None:
        fields["J"] = order.strategy_type
    if report.prevented is not None:
        fields |= _prevented(report, report.prevented)
    if report.execution is ExecutionType.EXPIRED and order.expiry_reason is not None:
        fields["eR"] = order.expiry_reason
    return fields


def _prevented(report: ExecutionReport, match: PreventedMatch) -> Json:
    """What self-trade prevention took from the order, and in which match."""
    is_taker = report.order.order_id == match.taker_order_id
    own = match.taker_prevented if is_taker else match.maker_prevented
    return {
        "v": match.prevented_match_id,
        "A": amount(report.prevented_base),
        "B": amount(own or ZERO),
        "u": match.trade_group_id,
        "U": match.maker_order_id if is_taker else match.taker_order_id,
        "Cs": match.symbol,
        "pl": amount(match.quantity),
        "pL": amount(match.price),
        "pY": amount(match.price * match.quantity),
    }


def _list_status(report: ListReport) -> Json:
    order_list = report.order_list
    return {
        "e": "listStatus",
        "E": report.at_ms,
        "s": order_list.symbol,
        "g": order_list.list_id,
        "c": order_list.contingency,
        "l": report.status_type,
        "L": report.order_status,
        "r": "NONE",
        "C": order_list.client_list_id,
        "T": report.at_ms,
        "O": [{"s": order.symbol, "i": order.order_id, "c": order.client_order_id} for order in order_list.orders],
    }


def _balance_update(asset: str, gained: Decimal, at_ms: int) -> Json:
    return {"e": "balanceUpdate", "E": at_ms, "a": asset, "d": amount(gained), "T": at_ms}


def _account_position(account: Account, assets: Iterable[str], at_ms: int) -> Json:
    rows = [{"a": asset, "f": amount(account.free(asset)), "l": amount(account.locked(asset))} for asset in assets]
    return {"e": "outboundAccountPosition", "E": at_ms, "u": at_ms, "B": rows}
