"""Balances, orders and trades of the account (binance-protocol.md 1.4)."""

from typing import Any

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.orders import Trade
from binance_trade_agent.simulator.access import Permission
from binance_trade_agent.simulator.endpoints.endpoint import (
    REQUIRED_SYMBOL,
    SYMBOL_PARAMETER,
    Call,
    Endpoint,
    by_symbol,
)
from binance_trade_agent.simulator.endpoints.lookup import ORDER_ID_PARAMETERS, find_order
from binance_trade_agent.simulator.endpoints.trading import NO_DISCOUNT
from binance_trade_agent.simulator.errors import ApiError, bad_combination
from binance_trade_agent.simulator.parameters import BOOLEAN, INTEGER, Parameter
from binance_trade_agent.simulator.payloads import balance_rows, commission_rates, order_row, own_trade_row

_UID = 354_937_868
_TENTHS_OF_PERMILLE = 10_000  # makerCommission is in 1/10000
_LONGEST_SPAN_MS = 24 * 3_600_000
_LIMIT = Parameter("limit", INTEGER)
_TIMES = (Parameter("startTime", INTEGER), Parameter("endTime", INTEGER))

# Which of orderId, startTime, endTime, fromId may go together (binance-protocol.md 1.4, GET myTrades).
_TRADE_SELECTIONS: tuple[set[str], ...] = (
    set(),
    {"orderId"},
    {"startTime"},
    {"endTime"},
    {"fromId"},
    {"startTime", "endTime"},
    {"orderId", "fromId"},
)


def _account(call: Call) -> dict[str, Any]:
    rates = call.exchange.engine.settlement.rates
    account = call.exchange.engine.accounts[call.account]
    return {
        "makerCommission": int(rates.maker * _TENTHS_OF_PERMILLE),
        "takerCommission": int(rates.taker * _TENTHS_OF_PERMILLE),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": commission_rates(rates.maker, rates.taker),
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.now_ms,
        "accountType": "SPOT",
        "balances": balance_rows(account, omit_zero=call.arguments.flag("omitZeroBalances", default=False)),
        "permissions": ["SPOT"],
        "uid": _UID,
    }


def _order(call: Call) -> dict[str, Any]:
    order = find_order(call, call.symbol())
    if order is None:
        raise ApiError(-2013, "Order does not exist.")
    return order_row(order)


def _open_orders(call: Call) -> list[dict[str, Any]]:
    orders = call.exchange.engine.history.open_orders(call.account, call.optional_symbol())
    return [order_row(order) for order in orders]


def _all_orders(call: Call) -> list[dict[str, Any]]:
    symbol = call.symbol()
    from_id = call.arguments.integer("orderId")
    start_ms, end_ms = _times(call)
    orders = [
        order
        for order in call.exchange.engine.history.orders(call.account, symbol)
        if (from_id is None or order.order_id >= from_id)
        and (start_ms is None or order.created_ms >= start_ms)
        and (end_ms is None or order.created_ms <= end_ms)
    ]
    limit = call.arguments.limit(default=500, highest=1000)
    from_the_oldest = from_id is not None or start_ms is not None
    return [order_row(order) for order in (orders[:limit] if from_the_oldest else orders[-limit:])]


def _own_trades(call: Call) -> list[dict[str, Any]]:
    symbol = call.symbol()
    sent = {name for name in ("orderId", "startTime", "endTime", "fromId") if name in call.arguments}
    if sent not in _TRADE_SELECTIONS:
        raise bad_combination()
    order_id, from_id = call.arguments.integer("orderId"), call.arguments.integer("fromId")
    start_ms, end_ms = _times(call)

    def is_wanted(trade: Trade) -> bool:
        return (
            (order_id is None or trade.order_id == order_id)
            and (from_id is None or trade.trade_id >= from_id)
            and (start_ms is None or trade.at_ms >= start_ms)
            and (end_ms is None or trade.at_ms <= end_ms)
        )

    trades = [trade for trade in call.exchange.engine.history.trades(call.account, symbol) if is_wanted(trade)]
    limit = call.arguments.limit(default=500, highest=1000)
    from_the_oldest = from_id is not None or start_ms is not None
    return [own_trade_row(trade) for trade in (trades[:limit] if from_the_oldest else trades[-limit:])]


def _times(call: Call) -> tuple[int | None, int | None]:
    """The values of startTime and endTime in ms.

    Raises:
        ApiError: -1127 they are more than a day apart.
    """
    start_ms, end_ms = call.arguments.time_ms("startTime"), call.arguments.time_ms("endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > _LONGEST_SPAN_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return start_ms, end_ms


def _order_limits(call: Call) -> list[dict[str, Any]]:
    counts = call.exchange.order_count(call.account).counts(call.exchange.limits_now_ms())
    return [{**window.payload(), "count": count} for window, count in counts.items()]


def _commission(call: Call) -> dict[str, Any]:
    rates = call.exchange.engine.settlement.rates
    none = commission_rates(ZERO, ZERO)
    return {
        "symbol": call.symbol(),
        "standardCommission": commission_rates(rates.maker, rates.taker),
        "specialCommission": none,
        "taxCommission": none,
        "discount": NO_DISCOUNT,
    }


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v3/account",
        "account.status",
        Permission.USER_DATA,
        20,
        _account,
        (Parameter("omitZeroBalances", BOOLEAN),),
    ),
    Endpoint(
        "GET",
        "/api/v3/order",
        "order.status",
        Permission.USER_DATA,
        4,
        _order,
        (REQUIRED_SYMBOL, *ORDER_ID_PARAMETERS),
    ),
    Endpoint(
        "GET",
        "/api/v3/openOrders",
        "openOrders.status",
        Permission.USER_DATA,
        by_symbol(6, 80),
        _open_orders,
        (SYMBOL_PARAMETER,),
    ),
    Endpoint(
        "GET",
        "/api/v3/allOrders",
        "allOrders",
        Permission.USER_DATA,
        20,
        _all_orders,
        (REQUIRED_SYMBOL, Parameter("orderId", INTEGER), *_TIMES, _LIMIT),
    ),
    Endpoint(
        "GET",
        "/api/v3/myTrades",
        "myTrades",
        Permission.USER_DATA,
        lambda sent: 5 if "orderId" in sent else 20,
        _own_trades,
        (REQUIRED_SYMBOL, Parameter("orderId", INTEGER), *_TIMES, Parameter("fromId", INTEGER), _LIMIT),
    ),
    Endpoint(
        "GET",
        "/api/v3/rateLimit/order",
        "account.rateLimits.orders",
        Permission.USER_DATA,
        40,
        _order_limits,
    ),
    Endpoint(
        "GET",
        "/api/v3/account/commission",
        "account.commission",
        Permission.USER_DATA,
        20,
        _commission,
        (REQUIRED_SYMBOL,),
    ),
)
