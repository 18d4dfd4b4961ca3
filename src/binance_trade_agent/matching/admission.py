"""What an account may not do as things stand: the engine's own refusals and the filters that count (-2010).

Binance's matching engine, not its API, counts what an account has open (binance-protocol.md 2.6 and section 3).
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.errors import (
    BAD_OCO_PRICES,
    DUPLICATE_ORDER,
    ICEBERG_TOO_LARGE,
    MARKET_CLOSED,
    NOTHING_ORDERED,
    OrderRefused,
)
from binance_trade_agent.matching.lists import OrderListRequest
from binance_trade_agent.matching.orders import STOP_TYPES, ExchangeOrder, OrderRequest
from binance_trade_agent.matching.state import ExchangeState

_TRADING = "TRADING"
_STOP_LOSSES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


def check_admission(state: ExchangeState, rules: SymbolRules, requests: Sequence[OrderRequest]) -> None:
    """Check new orders, one or the legs of a list, before anything else is done with them.

    Raises:
        OrderRefused: the symbol does not trade, a client id is in use, an amount makes no sense, or a filter that
            counts fails.
    """
    if rules.status != _TRADING:
        raise OrderRefused(MARKET_CLOSED)
    blotter = state.history.blotter(requests[0].account, rules.symbol)
    for request in requests:
        namesake = blotter.by_client_id.get(request.client_order_id)
        if namesake is not None and namesake.is_open:
            raise OrderRefused(DUPLICATE_ORDER)
        if not (request.quantity or request.quote_quantity):
            raise OrderRefused(NOTHING_ORDERED)
        if request.iceberg_quantity and request.quantity and request.iceberg_quantity > request.quantity:
            raise OrderRefused(ICEBERG_TOO_LARGE)
    if len({request.client_order_id for request in requests}) < len(requests):
        raise OrderRefused(DUPLICATE_ORDER)
    _check_counts(state, rules, requests)


def check_list(state: ExchangeState, rules: SymbolRules, request: OrderListRequest) -> None:
    """Check a new list, besides what its legs must pass.

    Raises:
        OrderRefused: another open list has its client id, or too many lists are open.
    """
    open_lists = state.history.open_lists(request.account)
    on_symbol = [order_list for order_list in open_lists if order_list.symbol == rules.symbol]
    if any(order_list.client_list_id == request.client_list_id for order_list in on_symbol):
        raise OrderRefused(DUPLICATE_ORDER)
    _check_count("MAX_NUM_ORDER_LISTS", rules.max_order_lists, len(on_symbol), 1)
    _check_count("EXCHANGE_MAX_NUM_ORDER_LISTS", state.limits.max_order_lists, len(open_lists), 1)


def check_position(state: ExchangeState, rules: SymbolRules, orders: Sequence[ExchangeOrder]) -> None:
    """Check MAX_POSITION for new orders: what the account has, what its open BUY orders say, and the new ones.

    Raises:
        OrderRefused: it would be too much.
    """
    if not rules.max_position:
        return
    account = orders[0].account
    open_orders = state.history.blotter(account, rules.symbol).open.values()
    bought = [order.quantity for order in (*open_orders, *orders) if order.side is Side.BUY]
    is_buying = any(order.side is Side.BUY for order in orders)
    if is_buying and sum(bought, state.accounts[account].total(rules.base_asset)) > rules.max_position:
        raise OrderRefused("Filter failure: MAX_POSITION")


def check_oco_prices(legs: Sequence[ExchangeOrder], last_price: Decimal | None) -> None:
    """Check that the last price is between the two legs of an OCO (binance-protocol.md 1.3, order lists).

    The profit leg counts with its limit, or with its stop price when it is a TAKE_PROFIT; the other with its stop
    price. A leg that only trails has no price to compare.

    Raises:
        OrderRefused: it is not.
    """
    profit, loss = ZERO, ZERO
    for leg in legs:
        if leg.type in _STOP_LOSSES:
            loss = leg.stop_price
        else:
            profit = leg.stop_price if leg.type in STOP_TYPES else leg.price
    descending = [profit, last_price, loss] if legs[0].side is Side.SELL else [loss, last_price, profit]
    prices = [price for price in descending if price]
    if any(upper <= lower for upper, lower in pairwise(prices)):
        raise OrderRefused(BAD_OCO_PRICES)


def _check_counts(state: ExchangeState, rules: SymbolRules, requests: Sequence[OrderRequest]) -> None:
    account, limits = requests[0].account, state.limits
    open_here = state.history.blotter(account, rules.symbol).open
    _check_count("MAX_NUM_ORDERS", rules.max_orders, len(open_here), len(requests))
    if limits.max_orders:
        everywhere = len(state.history.open_orders(account))
        _check_count("EXCHANGE_MAX_NUM_ORDERS", limits.max_orders, everywhere, len(requests))
    if not any(request.type in STOP_TYPES or request.iceberg_quantity for request in requests):
        return
    kinds: tuple[tuple[str, int, int, int, Callable[[ExchangeOrder], bool]], ...] = (
        (
            "ALGO",
            rules.max_algo_orders,
            limits.max_algo_orders,
            sum(request.type in STOP_TYPES for request in requests),
            lambda order: order.waits_for_trigger,
        ),
        (
            "ICEBERG",
            rules.max_iceberg_orders,
            limits.max_iceberg_orders,
            sum(bool(request.iceberg_quantity) for request in requests),
            lambda order: bool(order.iceberg_quantity),
        ),
    )
    for kind, on_symbol, in_all, added, is_such in kinds:
        if added and on_symbol:
            _check_count(f"MAX_NUM_{kind}_ORDERS", on_symbol, sum(map(is_such, open_here.values())), added)
        if added and in_all:
            everywhere = sum(map(is_such, state.history.open_orders(account)))
            _check_count(f"EXCHANGE_MAX_NUM_{kind}_ORDERS", in_all, everywhere, added)


def _check_count(filter_name: str, limit: int, count: int, added: int) -> None:
    if limit and count + added > limit:
        raise OrderRefused(f"Filter failure: {filter_name}")
