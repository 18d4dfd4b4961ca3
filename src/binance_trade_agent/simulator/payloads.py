"""Orders, trades, balances and user events as Binance's JSON (binance-protocol.md 1.3, 1.4, 4.5)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.orders import ExchangeOrder, ExecutionReport, ExecutionType, Trade
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.market.payloads import amount

Json = dict[str, Any]

_SELF_TRADE_MODE = "NONE"
_NO_LIST = -1


def order_ack(order: ExchangeOrder) -> Json:
    """POST order with newOrderRespType ACK."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": _NO_LIST,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    }


def order_result(order: ExchangeOrder) -> Json:
    """POST order with newOrderRespType RESULT."""
    return {
        **order_ack(order),
        **_order_amounts(order),
        "workingTime": order.created_ms,
        **_conditional(order),
        "selfTradePreventionMode": _SELF_TRADE_MODE,
    }


def order_full(order: ExchangeOrder, trades: Iterable[Trade]) -> Json:
    """POST order with newOrderRespType FULL; `trades` are those of the placement."""
    fills = [
        {
            "price": amount(trade.price),
            "qty": amount(trade.quantity),
            "commission": amount(trade.commission),
            "commissionAsset": trade.commission_asset,
            "tradeId": trade.trade_id,
        }
        for trade in trades
    ]
    return {**order_result(order), "fills": fills}


def cancelled_order(order: ExchangeOrder, original_client_order_id: str) -> Json:
    """DELETE order."""
    return {
        "origClientOrderId": original_client_order_id,
        **order_ack(order),
        **_order_amounts(order),
        **_conditional(order),
        "selfTradePreventionMode": _SELF_TRADE_MODE,
    }


def order_row(order: ExchangeOrder) -> Json:
    """GET order, and one row of openOrders and allOrders."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": _NO_LIST,
        "clientOrderId": order.client_order_id,
        **_order_amounts(order),
        "stopPrice": amount(ZERO),
        "icebergQty": amount(ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        **_conditional(order),
        "selfTradePreventionMode": _SELF_TRADE_MODE,
    }


def own_trade_row(trade: Trade) -> Json:
    """One row of myTrades."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": _NO_LIST,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.quote_quantity),
        "commission": amount(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def balance_rows(account: Account, *, omit_zero: bool) -> list[Json]:
    """The `balances` of GET account."""
    return [
        {"asset": asset, "free": amount(account.free(asset)), "locked": amount(account.locked(asset))}
        for asset in account.assets
        if account.total(asset) or not omit_zero
    ]


def user_events(transaction: Transaction, accounts: dict[str, Account]) -> list[tuple[str, Json]]:
    """Events of a transaction as (account, event): its execution reports in order, then each account's position."""
    events = [(report.order.account, execution_report(report)) for report in transaction.reports]
    for name, assets in transaction.assets.items():
        events.append((name, _account_position(accounts[name], sorted(assets), transaction.at_ms)))
    return events


def execution_report(report: ExecutionReport) -> Json:
    """The event of one step of an order."""
    order, trade = report.order, report.trade
    on_book = report.execution is ExecutionType.NEW or (report.trade is not None and report.trade.is_maker)
    is_over = report.execution in {ExecutionType.CANCELED, ExecutionType.EXPIRED}
    event: Json = {
        "e": "executionReport",
        "E": report.at_ms,
        "s": order.symbol,
        "c": report.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": amount(order.quantity),
        "p": amount(order.price),
        "P": amount(ZERO),
        "F": amount(ZERO),
        "g": _NO_LIST,
        "C": report.original_client_order_id,
        "x": report.execution,
        "X": report.status,
        "r": "NONE",
        "i": order.order_id,
        "l": amount(trade.quantity if trade else ZERO),
        "z": amount(report.executed_base),
        "L": amount(trade.price if trade else ZERO),
        "n": amount(trade.commission) if trade else "0",
        "N": trade.commission_asset if trade else None,
        "T": report.at_ms,
        "t": trade.trade_id if trade else -1,
        "I": report.execution_id,
        "w": on_book and not is_over and report.status in {"NEW", "PARTIALLY_FILLED"},
        "m": trade.is_maker if trade else False,
        "M": trade is not None,
        "O": order.created_ms,
        "Z": amount(report.executed_quote),
        "Y": amount(trade.quote_quantity if trade else ZERO),
        "Q": amount(order.quote_quantity),
        "W": order.created_ms,
        "V": _SELF_TRADE_MODE,
    }
    if order.strategy_id is not None:
        event["j"] = order.strategy_id
    if order.strategy_type is not None:
        event["J"] = order.strategy_type
    if report.execution is ExecutionType.EXPIRED:
        event["eR"] = order.expiry_reason
    return event


def _account_position(account: Account, assets: Iterable[str], at_ms: int) -> Json:
    rows = [{"a": asset, "f": amount(account.free(asset)), "l": amount(account.locked(asset))} for asset in assets]
    return {"e": "outboundAccountPosition", "E": at_ms, "u": at_ms, "B": rows}


def _order_amounts(order: ExchangeOrder) -> Json:
    by_market = order.type is OrderType.MARKET
    return {
        "price": amount(ZERO if by_market else order.price),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed_base),
        "origQuoteOrderQty": amount(order.quote_quantity),
        "cummulativeQuoteQty": amount(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def _conditional(order: ExchangeOrder) -> Json:
    """Fields that appear only when they apply."""
    fields: Json = {}
    if order.strategy_id is not None:
        fields["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        fields["strategyType"] = order.strategy_type
    if order.expiry_reason is not None:
        fields["expiryReason"] = order.expiry_reason
    return fields


def commission_rates(maker: Decimal, taker: Decimal) -> Json:
    """The four rates of an account, as fractions."""
    return {"maker": amount(maker), "taker": amount(taker), "buyer": amount(ZERO), "seller": amount(ZERO)}
