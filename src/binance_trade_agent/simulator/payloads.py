"""Orders, lists, trades and balances as Binance's JSON (binance-protocol.md 1.3, 1.4)."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.commission import CommissionRates, CommissionSchedule
from binance_trade_agent.matching.lists import ListOrderStatus, ListStatusType, OrderList
from binance_trade_agent.matching.orders import ExchangeOrder, ExecutionReport, PreventedMatch, Status, Trade
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.market.payloads import amount

Json = dict[str, Any]

_NONE = -1  # stands for a list, a time or a trade that there is not


class ResponseType(StrEnum):
    """How much a placement answers (newOrderRespType)."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


def placed_order(order: ExchangeOrder, kind: ResponseType, transaction: Transaction) -> Json:
    """An order that `transaction` has placed, as POST order answers it."""
    answer = _ids(order)
    if kind is ResponseType.ACK:
        return answer
    answer |= {
        **_amounts(order),
        "workingTime": _or_none(order.working_ms),
        **_conditional(order),
        **_stop_fields(order),
    }
    if kind is ResponseType.FULL:
        trades = [report.trade for report in transaction.reports if report.trade is not None]
        answer["fills"] = [_fill(trade) for trade in trades if trade.order_id == order.order_id]
    return answer


def cancelled_order(report: ExecutionReport) -> Json:
    """DELETE order; `report` is that of the cancel."""
    order = report.order
    return {
        **_ids(order),
        "origClientOrderId": report.original_client_order_id,
        "clientOrderId": report.client_order_id,
        "transactTime": report.at_ms,
        **_amounts(order),
        **_conditional(order),
        **_stop_fields(order),
    }


def order_row(order: ExchangeOrder) -> Json:
    """GET order, and one row of openOrders and allOrders."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": list_id(order),
        "clientOrderId": order.client_order_id,
        **_amounts(order),
        "stopPrice": amount(order.stop_price),
        "icebergQty": amount(order.iceberg_quantity),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working_ms is not None,
        "workingTime": _or_none(order.working_ms),
        **_conditional(order),
    }


def placed_list(transaction: Transaction, kind: ResponseType) -> Json:
    """POST orderList/...: a list as it was accepted, even when more has come of it at once."""
    order_list = transaction.order_list
    assert order_list is not None, "a placement of a list has a list"
    pending = {report.order.order_id for report in transaction.reports if report.status is Status.PENDING_NEW}
    return {
        **order_list_row(order_list),
        "listStatusType": ListStatusType.EXEC_STARTED,
        "listOrderStatus": ListOrderStatus.EXECUTING,
        "transactionTime": transaction.at_ms,
        "orderReports": [
            placed_order(_as_pending(order), kind, Transaction(transaction.at_ms))
            if order.order_id in pending
            else placed_order(order, kind, transaction)
            for order in order_list.orders
        ],
    }


def cancelled_list(order_list: OrderList, reports: Sequence[ExecutionReport]) -> Json:
    """DELETE orderList, and DELETE order of a leg; `reports` are those of the cancel."""
    placed_as = {report.order.order_id: report.original_client_order_id for report in reports}
    return {
        **order_list_row(order_list),
        "orders": [_leg(order, placed_as.get(order.order_id) or order.client_order_id) for order in order_list.orders],
        "orderReports": [cancelled_order(report) for report in reports],
    }


def order_list_row(order_list: OrderList) -> Json:
    """GET orderList, and one row of allOrderList and openOrderList."""
    return {
        "orderListId": order_list.list_id,
        "contingencyType": order_list.contingency,
        "listStatusType": order_list.status_type,
        "listOrderStatus": order_list.order_status,
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": order_list.updated_ms,
        "symbol": order_list.symbol,
        "orders": [_leg(order, order.client_order_id) for order in order_list.orders],
    }


def own_trade_row(trade: Trade, order: ExchangeOrder) -> Json:
    """One row of myTrades; `order` is the one that traded."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": list_id(order),
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


def prevented_match_row(match: PreventedMatch) -> Json:
    """One row of myPreventedMatches."""
    row: Json = {
        "symbol": match.symbol,
        "preventedMatchId": match.prevented_match_id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": match.trade_group_id,
        "selfTradePreventionMode": match.mode,
        "price": amount(match.price),
        "transactTime": match.at_ms,
    }
    if match.taker_prevented is not None:
        row["takerPreventedQuantity"] = amount(match.taker_prevented)
    if match.maker_prevented is not None:
        row["makerPreventedQuantity"] = amount(match.maker_prevented)
    return row


def balance_rows(account: Account, *, omit_zero: bool) -> list[Json]:
    """The `balances` of GET account."""
    return [
        {"asset": asset, "free": amount(account.free(asset)), "locked": amount(account.locked(asset))}
        for asset in account.assets
        if account.total(asset) or not omit_zero
    ]


def commission_rates(rates: CommissionRates) -> Json:
    """The four rates of an account, as fractions."""
    return {**_role_rates(rates), "buyer": amount(rates.buyer), "seller": amount(rates.seller)}


def account_commission(commissions: CommissionSchedule, account: str, symbol: str) -> Json:
    """GET account/commission."""
    return {
        "symbol": symbol,
        "standardCommission": commission_rates(commissions.standard),
        "specialCommission": commission_rates(commissions.special),
        "taxCommission": commission_rates(commissions.tax),
        "discount": _discount(commissions, account, symbol),
    }


def order_commission(commissions: CommissionSchedule, account: str, symbol: str) -> Json:
    """POST order/test with computeCommissionRates."""
    return {
        "standardCommissionForOrder": _role_rates(commissions.standard),
        "specialCommissionForOrder": _role_rates(commissions.special),
        "taxCommissionForOrder": _role_rates(commissions.tax),
        "discount": _discount(commissions, account, symbol),
    }


def _role_rates(rates: CommissionRates) -> Json:
    return {"maker": amount(rates.maker), "taker": amount(rates.taker)}


def _discount(commissions: CommissionSchedule, account: str, symbol: str) -> Json:
    discount = commissions.discount
    return {
        "enabledForAccount": account in discount.accounts,
        "enabledForSymbol": symbol not in discount.excluded_symbols,
        "discountAsset": discount.asset,
        "discount": amount(discount.fraction),
    }


def list_id(order: ExchangeOrder) -> int:
    """The id of the list that the order is a leg of, -1 for none."""
    return _or_none(order.order_list_id)


def _leg(order: ExchangeOrder, client_order_id: str) -> Json:
    return {"symbol": order.symbol, "orderId": order.order_id, "clientOrderId": client_order_id}


def _as_pending(order: ExchangeOrder) -> ExchangeOrder:
    """A pending leg as it was accepted: nothing that came after shows in the answer (1.3, orderList/oto)."""
    return msgspec.structs.replace(
        order,
        status=Status.PENDING_NEW,
        executed_base=ZERO,
        executed_quote=ZERO,
        working_ms=None,
        trailing_ms=None,
        expiry_reason=None,
        prevented_match_id=None,
    )


def _or_none(value: int | None) -> int:
    return _NONE if value is None else value


def _ids(order: ExchangeOrder) -> Json:
    """All that newOrderRespType ACK answers."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": list_id(order),
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    }


def _amounts(order: ExchangeOrder) -> Json:
    return {
        "price": amount(order.price),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed_base),
        "origQuoteOrderQty": amount(order.quote_quantity),
        "cummulativeQuoteQty": amount(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def _stop_fields(order: ExchangeOrder) -> Json:
    """Fields that queries always have and other answers only when they apply."""
    fields: Json = {}
    if order.stop_price:
        fields["stopPrice"] = amount(order.stop_price)
    if order.iceberg_quantity:
        fields["icebergQty"] = amount(order.iceberg_quantity)
    return fields


def _conditional(order: ExchangeOrder) -> Json:
    """Fields that appear only when they apply."""
    fields: Json = {}
    if order.trailing_delta is not None:
        fields |= {"trailingDelta": order.trailing_delta, "trailingTime": _or_none(order.trailing_ms)}
    if order.prevented_match_id is not None:
        fields |= {"preventedMatchId": order.prevented_match_id, "preventedQuantity": amount(order.prevented_base)}
    if order.strategy_id is not None:
        fields["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        fields["strategyType"] = order.strategy_type
    if order.expiry_reason is not None:
        fields["expiryReason"] = order.expiry_reason
    return fields


def _fill(trade: Trade) -> Json:
    return {
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "commission": amount(trade.commission),
        "commissionAsset": trade.commission_asset,
        "tradeId": trade.trade_id,
    }
