"""BacktestGateway: the exchange of a backtest. It answers from the candles, at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from binance_trade_agent.backtest.clock import BacktestClock
from binance_trade_agent.backtest.fills import Barriers, FillRules, Part
from binance_trade_agent.domain.market import BookTicker, Depth
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, OrderIntent, OrderReport, OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import RejectedError, ReplaceRefusedError
from binance_trade_agent.exchange.gateway import Replaced

_COMMISSION_UNIT = Decimal("0.00000001")  # binance-protocol.md 4.4
_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
_NOTHING = ((ZERO, ZERO),)
INSUFFICIENT_BALANCE = -2010


@dataclass(slots=True)
class _Resting:
    """An order that waits since the opening of a candle, and what it has traded."""

    intent: OrderIntent
    exchange_order_id: int
    list_id: str | None
    since_row: int
    executed_base: Decimal = ZERO
    executed_quote: Decimal = ZERO

    @property
    def left_base(self) -> Decimal:
        return self.intent.quantity - self.executed_base


@dataclass(slots=True)
class Place:
    """A symbol on the exchange.

    Attributes:
        row: of the candle that begins at the clock's time, in the symbol's table.
        resting: orders that wait, by their number; at most a stop and a target of one list.
    """

    rules: SymbolRules
    fills: FillRules
    row: int
    resting: dict[int, _Resting]

    def book(self, row: int, at_ms: int) -> BookTicker:
        """Best bid and ask when the candle of `row` opens, with what the fill rules offer there."""
        bids, asks = self.fills.depth(row)
        return BookTicker(self.rules.symbol, *(bids or _NOTHING)[0], *(asks or _NOTHING)[0], at_ms)

    @property
    def barriers(self) -> Barriers:
        """Where what rests would sell."""
        stop = target = None
        since_row = 0
        for order in self.resting.values():
            since_row = order.since_row
            if order.intent.type in _STOPS:
                stop = order.intent.stop_price
            else:
                target = order.intent.price
        return Barriers(stop, target, since_row)


class BacktestGateway:
    """The part of the Gateway that deciding, executing and protecting need.

    Args:
        places: by symbol.
        balances: free at the beginning, by asset.
        fee_fraction: commission, of what a fill brings.
    """

    def __init__(
        self,
        places: Mapping[str, Place],
        balances: Mapping[str, Decimal],
        clock: BacktestClock,
        fee_fraction: Decimal,
    ) -> None:
        self.places = places
        self.balances = dict(balances)
        self.slippage_quote = ZERO
        self._clock = clock
        self._fee_fraction = fee_fraction
        self._orders = 0
        self._trades = dict.fromkeys(places, 0)
        self._told: dict[int, OrderReport] = {}

    # What agents ask

    async def book_ticker(self, symbol: str) -> BookTicker:
        """Best bid and ask at this tick."""
        return self.book(symbol)

    def book(self, symbol: str) -> BookTicker:
        """Best bid and ask at this tick."""
        place = self.places[symbol]
        return place.book(place.row, self._clock.at_ms)

    async def depth(self, symbol: str, limit: int = 100) -> Depth:  # noqa: ARG002
        """The book as the fill rules have it."""
        place = self.places[symbol]
        bids, asks = place.fills.depth(place.row)
        return Depth(tuple(bids), tuple(asks), self._clock.at_ms)

    async def last_price(self, symbol: str) -> Decimal:
        """Price of the latest trade: the open of the candle that begins."""
        place = self.places[symbol]
        return place.fills.quote(place.row).middle

    async def order_by_exchange_id(self, symbol: str, exchange_order_id: int) -> OrderReport | None:  # noqa: ARG002
        """What was last told of the order."""
        return self._told.get(exchange_order_id)

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """The same, by our id."""
        found = (told for told in self._told.values() if told.client_order_id == client_order_id)
        return next((told for told in found if told.symbol == symbol), None)

    async def trades_of_order(self, symbol: str, exchange_order_id: int) -> list[Fill]:  # noqa: ARG002
        """Nothing is told late: every fill came with its report."""
        return []

    async def trades_since(self, symbol: str, first_trade_id: int) -> list[Fill]:  # noqa: ARG002
        """The same."""
        return []

    # What agents do

    async def place_order(self, intent: OrderIntent) -> OrderReport:
        """Fill a MARKET order at once, as far as the fill rules let it; let any other rest."""
        place = self.places[intent.symbol]
        if intent.type is OrderType.MARKET:
            return self._take(place, intent)
        self._refuse_triggered(place, intent)
        return self._rest(place, intent, None)

    async def place_list(self, intents: Sequence[OrderIntent], list_id: str) -> list[OrderReport]:
        """Let two orders rest of which one ends the other."""
        place = self.places[intents[0].symbol]
        for intent in intents:
            self._refuse_triggered(place, intent)
        return [self._rest(place, intent, list_id) for intent in intents]

    async def cancel_order(
        self,
        symbol: str,
        exchange_order_id: int,
        cancel_id: str | None = None,  # noqa: ARG002 (a TradingGateway)
    ) -> tuple[OrderReport, ...]:
        """Cancel an order; of a leg, its whole list."""
        place = self.places[symbol]
        order = place.resting.get(exchange_order_id)
        if order is None:
            raise RejectedError(-2011, "Unknown order sent.")
        return tuple(
            self._end(place, each, "CANCELED")
            for each in list(place.resting.values())
            if each is order or (order.list_id is not None and each.list_id == order.list_id)
        )

    async def replace_order(
        self,
        symbol: str,
        exchange_order_id: int,
        intent: OrderIntent,
        cancel_id: str | None = None,  # noqa: ARG002 (a TradingGateway)
    ) -> Replaced:
        """Cancel one and place another."""
        place = self.places[symbol]
        if exchange_order_id not in place.resting:
            raise ReplaceRefusedError(-2022, "Order cancel-replace failed.", cancelled=False)
        cancelled = await self.cancel_order(symbol, exchange_order_id)
        try:
            self._refuse_triggered(place, intent)
        except RejectedError as failure:
            raise ReplaceRefusedError(failure.code, failure.message, cancelled=True) from None
        return Replaced(self._rest(place, intent, None), cancelled)

    # What the market does

    def let_candle_pass(self, symbol: str) -> list[OrderReport]:
        """What the candle that began does to what rests: a report for each order that it changes."""
        place = self.places[symbol]
        barriers = place.barriers
        quantity = max((order.left_base for order in place.resting.values()), default=ZERO)
        hit = place.fills.resting(place.row, barriers, quantity)
        if hit is None or not (hit.parts or hit.is_stop):
            return []
        orders = list(place.resting.values())
        hurt = next(order for order in orders if (order.intent.type in _STOPS) is hit.is_stop)
        reports = []
        fills = self._filled(place, hurt.intent, hurt.exchange_order_id, hit.parts, is_maker=not hit.is_stop)
        hurt.executed_base += sum((fill.quantity for fill in fills), start=ZERO)
        hurt.executed_quote += sum((fill.quote_quantity for fill in fills), start=ZERO)
        # A triggered stop takes what is there; what does not fill then expires. A target waits on for the rest.
        is_over = hit.is_stop or not hurt.left_base
        if is_over:
            status = "EXPIRED" if hurt.left_base else "FILLED"
            reports.append(self._end(place, hurt, status, fills))
        else:
            reports.append(self._report(hurt, "PARTIALLY_FILLED", fills))
        others = (
            each for each in orders if each is not hurt and hurt.list_id is not None and each.list_id == hurt.list_id
        )
        return [*reports, *(self._end(place, other, "EXPIRED") for other in others)]

    def _refuse_triggered(self, place: Place, intent: OrderIntent) -> None:
        """Refuse what the price has come to already (binance-protocol.md 2.6)."""
        quote = place.fills.quote(place.row)
        is_stop = intent.type in _STOPS
        price = intent.stop_price if is_stop else intent.price
        assert price is not None, "what rests has a price"
        if (is_stop and quote.middle <= price) or (not is_stop and quote.bid >= price):
            raise RejectedError(INSUFFICIENT_BALANCE, "Stop price would trigger immediately.")

    def _take(self, place: Place, intent: OrderIntent) -> OrderReport:
        parts = place.fills.market(place.row, intent.side, intent.quantity)
        if intent.side is Side.BUY:
            cost = sum((part.price * part.quantity for part in parts), start=ZERO)
            is_covered = cost <= self.balances.get(place.rules.quote_asset, ZERO)
        else:
            is_covered = intent.quantity <= self.balances.get(place.rules.base_asset, ZERO)
        if not is_covered:
            raise RejectedError(INSUFFICIENT_BALANCE, "Account has insufficient balance for requested action.")
        self._orders += 1
        order = _Resting(intent, self._orders, None, place.row)
        fills = self._filled(place, intent, order.exchange_order_id, parts, is_maker=False)
        for fill in fills:
            order.executed_base += fill.quantity
            order.executed_quote += fill.quote_quantity
        return self._report(order, "EXPIRED" if order.left_base else "FILLED", fills)

    def _filled(
        self, place: Place, intent: OrderIntent, exchange_order_id: int, parts: Sequence[Part], *, is_maker: bool
    ) -> tuple[Fill, ...]:
        rules, is_buy = place.rules, intent.side is Side.BUY
        middle, fills = place.fills.quote(place.row).middle, []
        for part in parts:
            self._trades[intent.symbol] += 1
            quote = part.price * part.quantity
            received, asset = (part.quantity, rules.base_asset) if is_buy else (quote, rules.quote_asset)
            commission = (received * self._fee_fraction).quantize(_COMMISSION_UNIT, ROUND_DOWN)
            self._move(rules.base_asset, part.quantity if is_buy else -part.quantity)
            self._move(rules.quote_asset, -quote if is_buy else quote)
            self._move(asset, -commission)
            if intent.type is OrderType.MARKET:
                self.slippage_quote += (part.price - middle) * (part.quantity if is_buy else -part.quantity)
            fills.append(
                Fill(
                    intent.symbol,
                    self._trades[intent.symbol],
                    exchange_order_id,
                    intent.client_order_id,
                    intent.side,
                    part.price,
                    part.quantity,
                    quote,
                    commission,
                    asset,
                    is_maker,
                    self._clock.at_ms if part.at_ms is None else part.at_ms,
                )
            )
        return tuple(fills)

    def _move(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balances.get(asset, ZERO) + amount

    def _rest(self, place: Place, intent: OrderIntent, list_id: str | None) -> OrderReport:
        self._orders += 1
        order = _Resting(intent, self._orders, list_id, place.row)
        place.resting[order.exchange_order_id] = order
        return self._report(order, "NEW")

    def _end(self, place: Place, order: _Resting, status: str, fills: tuple[Fill, ...] = ()) -> OrderReport:
        del place.resting[order.exchange_order_id]
        return self._report(order, status, fills)

    def _report(self, order: _Resting, status: str, fills: tuple[Fill, ...] = ()) -> OrderReport:
        report = OrderReport(
            order.intent.symbol,
            order.exchange_order_id,
            order.intent.client_order_id,
            order.intent.side,
            status,
            order.intent.quantity,
            order.executed_base,
            order.executed_quote,
            self._clock.at_ms,
            "",
            fills,
        )
        if order.intent.type is not OrderType.MARKET:
            self._told[order.exchange_order_id] = report
        return report
