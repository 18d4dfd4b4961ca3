"""What the exchange allows on a symbol: its filters (binance-protocol.md section 3), and rounding that obeys them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.money import ZERO, floor_to_step, is_multiple
from binance_trade_agent.domain.orders import OrderType, Side

_MARKET = OrderType.MARKET  # to look it up by its name takes as long as to compare two bounds
_MARKET_TYPES = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})

AveragePrice = Callable[[int], Decimal]
"""A symbol's average price of the last so many minutes, quote per base; of 0 minutes its last price."""


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """A symbol's filters. A zero bound switches its rule off, as on the exchange.

    Prices in quote asset, quantities in base asset, notionals in quote asset. `..._minutes` are those of the average
    price by which a filter goes. The fields of the notional are those of NOTIONAL, or of MIN_NOTIONAL where the symbol
    has no other; `extra_min_notional` and what belongs to it are MIN_NOTIONAL where it has both.

    Attributes:
        market_step: the step that a MARKET quantity must obey: the coarser of LOT_SIZE and MARKET_LOT_SIZE.
        digits_step: the step of the base asset's digits, 0 where a multiple of `market_step` obeys it anyhow.
        smallest_market_quantity, largest_market_quantity: what LOT_SIZE and MARKET_LOT_SIZE let a MARKET order have.
        smallest_market_notional, smallest_notional: the least value in quote asset that NOTIONAL and MIN_NOTIONAL let a
            MARKET order, and any order, have.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    status: str = "TRADING"
    order_types: tuple[str, ...] = ("LIMIT", "LIMIT_MAKER", "MARKET")
    base_precision: int = 8
    quote_precision: int = 8
    min_price: Decimal = ZERO
    max_price: Decimal = ZERO
    tick_size: Decimal = ZERO
    min_quantity: Decimal = ZERO
    max_quantity: Decimal = ZERO
    step_size: Decimal = ZERO
    market_min_quantity: Decimal = ZERO
    market_max_quantity: Decimal = ZERO
    market_step_size: Decimal = ZERO
    min_notional: Decimal = ZERO
    max_notional: Decimal = ZERO
    min_notional_on_market: bool = True
    max_notional_on_market: bool = False
    notional_filter: str = "NOTIONAL"
    notional_minutes: int = 5
    extra_min_notional: Decimal = ZERO
    extra_min_notional_on_market: bool = True
    extra_min_notional_minutes: int = 5
    multiplier_up: Decimal = ZERO
    multiplier_down: Decimal = ZERO
    percent_price_minutes: int = 5
    bid_multiplier_up: Decimal = ZERO
    bid_multiplier_down: Decimal = ZERO
    ask_multiplier_up: Decimal = ZERO
    ask_multiplier_down: Decimal = ZERO
    percent_price_by_side_minutes: int = 5
    max_orders: int = 0
    max_algo_orders: int = 0
    max_iceberg_orders: int = 0
    max_order_lists: int = 0
    max_position: Decimal = ZERO
    iceberg_parts: int = 0
    min_trailing_above_delta: int = 0
    max_trailing_above_delta: int = 0
    min_trailing_below_delta: int = 0
    max_trailing_below_delta: int = 0
    market_step: Decimal = field(init=False, repr=False, compare=False)
    digits_step: Decimal = field(init=False, repr=False, compare=False)
    smallest_market_quantity: Decimal = field(init=False, repr=False, compare=False)
    largest_market_quantity: Decimal = field(init=False, repr=False, compare=False)
    smallest_market_notional: Decimal = field(init=False, repr=False, compare=False)
    smallest_notional: Decimal = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every order is measured by."""
        most = [bound for bound in (self.max_quantity, self.market_max_quantity) if bound]
        market_notionals = (
            self.min_notional if self.min_notional_on_market else ZERO,
            self.extra_min_notional if self.extra_min_notional_on_market else ZERO,
        )
        market_step, digits_step = max(self.step_size, self.market_step_size), Decimal(1).scaleb(-self.base_precision)
        derived = {
            "market_step": market_step,
            "digits_step": ZERO if market_step and is_multiple(market_step, digits_step) else digits_step,
            "smallest_market_quantity": max(self.min_quantity, self.market_min_quantity),
            "largest_market_quantity": min(most) if most else Decimal("Infinity"),
            "smallest_market_notional": max(market_notionals),
            "smallest_notional": max(self.min_notional, self.extra_min_notional),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def round_market_quantity(self, quantity: Decimal) -> Decimal:
        """`quantity` rounded down to what a MARKET order may carry, at most the largest allowed; 0 when too small."""
        rounded = floor_to_step(min(quantity, self.largest_market_quantity), self.market_step)
        return rounded if rounded >= self.smallest_market_quantity else ZERO

    def round_price(self, price: Decimal) -> Decimal:
        """`price` rounded down to the tick."""
        return floor_to_step(price, self.tick_size)

    def is_dust(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether `quantity` is too little to be sold at `price`: below the lot or below the minimum notional."""
        return not quantity or self.is_rounded_dust(self.round_market_quantity(quantity), price)

    def is_rounded_dust(self, sellable: Decimal, price: Decimal) -> bool:
        """The same of a quantity that `round_market_quantity` gave."""
        return not sellable or sellable * price < self.smallest_market_notional

    def price_violation(self, price: Decimal) -> str | None:
        """Name of the filter that `price` breaks, PRICE_FILTER, or None."""
        too_low = self.min_price and price < self.min_price
        too_high = self.max_price and price > self.max_price
        return "PRICE_FILTER" if too_low or too_high or not is_multiple(price, self.tick_size) else None

    def quantity_violation(self, order_type: OrderType, quantity: Decimal) -> str | None:
        """Name of the filter that `quantity` breaks, LOT_SIZE or MARKET_LOT_SIZE, or None."""
        if _outside(quantity, self.min_quantity, self.max_quantity, self.step_size):
            return "LOT_SIZE"
        if order_type is _MARKET and _outside(
            quantity, self.market_min_quantity, self.market_max_quantity, self.market_step_size
        ):
            return "MARKET_LOT_SIZE"
        return None

    def iceberg_violation(self, order_type: OrderType, quantity: Decimal, shown: Decimal) -> str | None:
        """Name of the filter that an iceberg order of `quantity` breaks that shows `shown` at a time, or None.

        LOT_SIZE holds for what is shown too; ICEBERG_PARTS bounds the number of slices.
        """
        if self.iceberg_parts and shown * self.iceberg_parts < quantity:
            return "ICEBERG_PARTS"
        return self.quantity_violation(order_type, shown)

    def trailing_delta_violation(self, order_type: OrderType, side: Side, delta: int) -> str | None:
        """TRAILING_DELTA when `delta`, in bips, is out of its bounds, or None.

        A stop-loss that buys and a take-profit that sells trail above the price, the others below it.
        """
        is_stop_loss = order_type in {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT}
        if is_stop_loss is (side is Side.BUY):
            minimum, maximum = self.min_trailing_above_delta, self.max_trailing_above_delta
        else:
            minimum, maximum = self.min_trailing_below_delta, self.max_trailing_below_delta
        return "TRAILING_DELTA" if delta < minimum or (maximum and delta > maximum) else None

    def percent_price_violation(self, side: Side, price: Decimal, average_price: AveragePrice) -> str | None:
        """Name of the filter by which `price` is too far from the average price, or None."""
        buying = side is Side.BUY
        up = self.bid_multiplier_up if buying else self.ask_multiplier_up
        down = self.bid_multiplier_down if buying else self.ask_multiplier_down
        if (self.multiplier_up or self.multiplier_down) and _too_far(
            price, average_price(self.percent_price_minutes), self.multiplier_up, self.multiplier_down
        ):
            return "PERCENT_PRICE"
        if (up or down) and _too_far(price, average_price(self.percent_price_by_side_minutes), up, down):
            return "PERCENT_PRICE_BY_SIDE"
        return None

    def notional_violation(self, order_type: OrderType, notional: Decimal) -> str | None:
        """Name of the filter that the order's value in quote asset breaks, NOTIONAL or MIN_NOTIONAL, or None.

        Stop orders that take at the market go by the rules for MARKET.
        """
        on_market = order_type in _MARKET_TYPES
        too_small = notional < self.min_notional and (self.min_notional_on_market or not on_market)
        too_large = (
            self.max_notional and notional > self.max_notional and (self.max_notional_on_market or not on_market)
        )
        return self.notional_filter if too_small or too_large else None

    def extra_notional_violation(self, order_type: OrderType, notional: Decimal) -> str | None:
        """MIN_NOTIONAL when it stands beside NOTIONAL and the order's value in quote asset breaks it, or None."""
        applies = self.extra_min_notional_on_market or order_type not in _MARKET_TYPES
        return "MIN_NOTIONAL" if applies and notional < self.extra_min_notional else None


def _outside(value: Decimal, minimum: Decimal, maximum: Decimal, step: Decimal) -> bool:
    if value < minimum or not is_multiple(value, step):
        return True
    return value > maximum if maximum else False


def _too_far(price: Decimal, reference_price: Decimal, up: Decimal, down: Decimal) -> bool:
    return bool((up and price > reference_price * up) or (down and price < reference_price * down))


def symbol_rules(payload: Mapping[str, Any]) -> SymbolRules:
    """Rules from one entry of exchangeInfo's `symbols` (binance-protocol.md 1.1).

    Raises:
        KeyError, ArithmeticError: the entry lacks a field or holds what is not a number.
    """
    filters = {entry["filterType"]: entry for entry in payload["filters"]}

    def amount(filter_type: str, field: str) -> Decimal:
        return Decimal(filters[filter_type][field]) if filter_type in filters else ZERO

    def count(filter_type: str, field: str) -> int:
        return int(filters[filter_type][field]) if filter_type in filters else 0

    def minutes(filter_type: str) -> int:
        return int(filters.get(filter_type, {}).get("avgPriceMins", 5))

    notional_filter = "NOTIONAL" if "NOTIONAL" in filters else "MIN_NOTIONAL"
    notional = filters.get(notional_filter, {})
    extra = filters.get("MIN_NOTIONAL", {}) if notional_filter == "NOTIONAL" else {}
    return SymbolRules(
        symbol=payload["symbol"],
        base_asset=payload["baseAsset"],
        quote_asset=payload["quoteAsset"],
        status=payload["status"],
        order_types=tuple(payload["orderTypes"]),
        base_precision=int(payload.get("baseAssetPrecision", 8)),
        quote_precision=int(payload.get("quoteAssetPrecision", 8)),
        min_price=amount("PRICE_FILTER", "minPrice"),
        max_price=amount("PRICE_FILTER", "maxPrice"),
        tick_size=amount("PRICE_FILTER", "tickSize"),
        min_quantity=amount("LOT_SIZE", "minQty"),
        max_quantity=amount("LOT_SIZE", "maxQty"),
        step_size=amount("LOT_SIZE", "stepSize"),
        market_min_quantity=amount("MARKET_LOT_SIZE", "minQty"),
        market_max_quantity=amount("MARKET_LOT_SIZE", "maxQty"),
        market_step_size=amount("MARKET_LOT_SIZE", "stepSize"),
        min_notional=amount(notional_filter, "minNotional"),
        max_notional=Decimal(notional.get("maxNotional", "0")),
        min_notional_on_market=bool(notional.get("applyMinToMarket", notional.get("applyToMarket", True))),
        max_notional_on_market=bool(notional.get("applyMaxToMarket", False)),
        notional_filter=notional_filter,
        notional_minutes=minutes(notional_filter),
        extra_min_notional=Decimal(extra.get("minNotional", "0")),
        extra_min_notional_on_market=bool(extra.get("applyToMarket", True)),
        extra_min_notional_minutes=minutes("MIN_NOTIONAL"),
        multiplier_up=amount("PERCENT_PRICE", "multiplierUp"),
        multiplier_down=amount("PERCENT_PRICE", "multiplierDown"),
        percent_price_minutes=minutes("PERCENT_PRICE"),
        bid_multiplier_up=amount("PERCENT_PRICE_BY_SIDE", "bidMultiplierUp"),
        bid_multiplier_down=amount("PERCENT_PRICE_BY_SIDE", "bidMultiplierDown"),
        ask_multiplier_up=amount("PERCENT_PRICE_BY_SIDE", "askMultiplierUp"),
        ask_multiplier_down=amount("PERCENT_PRICE_BY_SIDE", "askMultiplierDown"),
        percent_price_by_side_minutes=minutes("PERCENT_PRICE_BY_SIDE"),
        max_orders=count("MAX_NUM_ORDERS", "maxNumOrders"),
        max_algo_orders=count("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"),
        max_iceberg_orders=count("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders"),
        max_order_lists=count("MAX_NUM_ORDER_LISTS", "maxNumOrderLists"),
        max_position=amount("MAX_POSITION", "maxPosition"),
        iceberg_parts=count("ICEBERG_PARTS", "limit"),
        min_trailing_above_delta=count("TRAILING_DELTA", "minTrailingAboveDelta"),
        max_trailing_above_delta=count("TRAILING_DELTA", "maxTrailingAboveDelta"),
        min_trailing_below_delta=count("TRAILING_DELTA", "minTrailingBelowDelta"),
        max_trailing_below_delta=count("TRAILING_DELTA", "maxTrailingBelowDelta"),
    )
