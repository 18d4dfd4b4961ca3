"""What the account is worth, what it holds, what it has traded, and what that has brought."""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from binance_trade_agent.cache.market_board import Quote
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.money import rounded
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import Side as OrderSide
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.mcp_server.fields import (
    Moment,
    Number,
    Side,
    Symbol,
    age_seconds,
    at_utc,
    maybe_utc,
    moment_ms,
)
from binance_trade_agent.mcp_server.offering import Call, ToolError, reads, shared
from binance_trade_agent.reports.equity_curve import Change, Worth, quote_assets, worth
from binance_trade_agent.reports.positions_now import PositionNow, SellOrder, positions_now
from binance_trade_agent.reports.status import open_orders
from binance_trade_agent.reports.tally_sums import Group
from binance_trade_agent.reports.trade_pages import Filters, Place, TradeRow, trade_page

_PRICE_UNIT = Decimal("0.00000001")


class Gain(BaseModel):
    """What equity has gained, deposits and withdrawals left out."""

    since_utc: str
    quote: Number
    pct: float | None = Field(description="percent; null of nothing")


class PortfolioSummary(BaseModel):
    """Where the account stands, in quote asset. Equity is the quote asset in the wallet and the bot's own positions."""

    quote_asset: str
    at_utc: str = Field(description="the tick at which it was noted, market time")
    equity_quote: Number
    cash_quote: Number
    positions_quote: Number = Field(description="the bot's own positions at the bid")
    external_quote: Number = Field(description="what came from outside since the epoch began, less what went there")
    realised_pnl_quote: Number = Field(description="profit of all sales of the epoch, after fees in base and quote")
    unrealised_pnl_quote: Number = Field(description="profit that the positions would have at the bid, before fees")
    today: Gain | None = Field(description="since midnight UTC")
    week: Gain | None = Field(description="since seven days before")
    all_time: Gain = Field(description="since the epoch began")
    positions: int = Field(description="how many are held, what is too little to be sold too")
    open_orders: int = Field(description="orders that are not settled")
    is_trader_running: bool = Field(description="without a trader the figures are those of its last tick")


class ProtectingOrder(BaseModel):
    """An order that will sell. Prices in quote asset per unit of base asset."""

    client_order_id: str
    role: str = Field(description="STOP_LOSS, TAKE_PROFIT, or whose sale it is")
    state: str
    left_base: Number
    price: Number | None = Field(description="its limit; null sells at the market's price")
    stop_price: Number | None = Field(description="that awakes it")
    stands: bool = Field(description="whether it rests on the exchange")


class HeldPosition(BaseModel):
    """A position. Prices in quote asset per unit of base asset; null is not known."""

    symbol: str
    base_asset: str
    quote_asset: str
    quantity_base: Number
    cost_quote: Number
    average_price: Number | None = Field(description="what one unit cost, after fees")
    opened_utc: str | None
    strategy: str = Field(description="whose entry it was; `by hand` for a person's, empty where nobody knows")
    mark_price: Number | None = Field(description="the last bid seen")
    mark_utc: str | None
    mark_age_seconds: float | None = Field(description="null for a bid that only a decision saw")
    worth_quote: Number | None = Field(description="at the mark, before fees")
    pnl_quote: Number | None
    pnl_pct: float | None = Field(description="percent of the cost")
    realised_pnl_quote: Number
    is_dust: bool | None = Field(description="too little to be sold")
    stop_price: Number | None = Field(description="the first stop that the price comes to")
    target_price: Number | None = Field(description="the first target that the price comes to")
    protected_base: Number = Field(description="what the stops that stand will sell")
    unprotected_base: Number = Field(description="what neither a stop nor a sale of a person covers")
    orders: list[ProtectingOrder]
    alarms: list[str] = Field(description="what is wrong about the symbol")


class CurrentPositions(BaseModel):
    """All that is held."""

    positions: list[HeldPosition]
    is_trader_running: bool


class OpenOrder(BaseModel):
    """An order that is not settled. Amounts in base asset, prices in quote asset per unit of it."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    role: str
    state: str = Field(description="UNKNOWN: its outcome was not seen, and is being asked for")
    quantity_base: Number
    left_base: Number
    price: Number | None
    stop_price: Number | None
    reserved_quote: Number = Field(description="quote asset that it may still spend")
    created_utc: str


class OpenOrders(BaseModel):
    """Orders that are not settled, oldest first."""

    orders: list[OpenOrder]


class PastTrade(BaseModel):
    """An order as far as it filled. Price in quote asset per unit of base asset."""

    traded_utc: str
    symbol: str
    side: str
    role: str
    type: str
    exit: str | None = Field(description="what made the position be left; null for entries")
    strategy: str = Field(description="`by hand` for a person's, empty where nobody knows")
    price: Number = Field(description="average of its fills")
    quantity_base: Number
    value_quote: Number
    quote_asset: str
    fees: dict[str, Number] = Field(description="by asset")
    realised_pnl_quote: Number | None = Field(description="what a sale added; null for a purchase")
    fills: int
    client_order_id: str


class TradeHistory(BaseModel):
    """Trades, newest first."""

    trades: list[PastTrade]
    older: str | None = Field(description="give it as `before` for the next page; null at the end")


class TradeFigures(BaseModel):
    """What trades add up to, in one quote asset."""

    name: str = Field(description="the symbol, the strategy, or the quote asset for all together")
    quote_asset: str
    buys: int = Field(description="orders")
    sells: int = Field(description="orders")
    won: int = Field(description="sales with a profit, after fees in base and quote")
    lost: int
    win_rate_pct: float | None = Field(description="of the sales; null without any")
    volume_quote: Number
    realised_pnl_quote: Number
    fees: dict[str, Number] = Field(description="by asset")


class PerformanceMetrics(BaseModel):
    """What the epoch has brought so far."""

    is_whole: bool = Field(description="whether all fills are counted; of a long ledger the first count takes seconds")
    in_all: list[TradeFigures]
    by_symbol: list[TradeFigures]
    by_strategy: list[TradeFigures]
    quote_asset: str | None = Field(description="of what follows, which is about the whole equity curve")
    today: Gain | None
    week: Gain | None
    all_time: Gain | None
    drawdown_pct: float | None = Field(description="below its highest value now, percent")
    deepest_drawdown_pct: float | None = Field(description="the deepest fall of the epoch, percent")
    sharpe: float | None = Field(description="of daily returns, a year of 365 days; null before 30 days")
    days: int = Field(description="UTC days that the curve spans")


async def get_portfolio_summary(call: Call) -> PortfolioSummary:
    """Equity, cash, positions and profit, today, this week and in all."""
    desk = shared(call).desk

    def read(connection: sqlite3.Connection) -> tuple[Worth | None, int, int]:
        epoch = queries.epoch_number(connection)
        held = sum(position.quantity != 0 for position in queries.positions(connection, epoch).values())
        return _worth(connection, epoch), held, len(queries.unsettled_orders(connection, epoch))

    found, held, orders = await desk.read(read)
    if found is None:
        raise ToolError("No tick has noted yet what the account is worth.")
    return PortfolioSummary(
        quote_asset=found.quote_asset,
        at_utc=at_utc(found.tick_ms),
        equity_quote=found.equity_quote,
        cash_quote=found.cash_quote,
        positions_quote=found.positions_quote,
        external_quote=found.external_quote,
        realised_pnl_quote=found.realised_pnl_quote,
        unrealised_pnl_quote=found.unrealised_pnl_quote,
        today=_gain(found.day),
        week=_gain(found.week),
        all_time=_known_gain(found.all_time),
        positions=held,
        open_orders=orders,
        is_trader_running=desk.is_running(),
    )


async def get_current_positions(call: Call) -> CurrentPositions:
    """What is held: cost, worth and profit, and the orders that protect it."""
    desk = shared(call).desk
    symbols = [one.symbol for one in await desk.read(_positions)]
    quotes, rules = await _seen(desk, symbols)
    held = await desk.read(lambda connection: _positions(connection, quotes, rules))
    return CurrentPositions(positions=[_held(one) for one in held], is_trader_running=desk.is_running())


async def get_open_orders(call: Call) -> OpenOrders:
    """Orders that are not settled: those that rest on the exchange, and those whose outcome is not known yet."""
    found = await shared(call).desk.read(
        lambda connection: open_orders(connection, queries.epoch_number(connection)),
    )
    return OpenOrders(
        orders=[
            OpenOrder(
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                type=order.type,
                role=order.role,
                state=order.state,
                quantity_base=order.quantity,
                left_base=order.left_base,
                price=order.price,
                stop_price=order.stop_price,
                reserved_quote=order.reserved_quote,
                created_utc=at_utc(order.created_ms),
            )
            for order in found
        ]
    )


async def get_trade_history(
    call: Call,
    symbol: Symbol | None = None,
    side: Side | None = None,
    strategy: Annotated[str | None, Field(max_length=100, description="`by hand` for persons' orders")] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Field(ge=1, le=100, description="trades a page")] = 20,
    before: Annotated[str | None, Field(max_length=100, description="`older` of the page before")] = None,
) -> TradeHistory:
    """Trades with their profit and fees, newest first, in pages."""
    desk = shared(call).desk
    filters = Filters(
        symbol=symbol,
        side=OrderSide(side) if side else None,
        strategy=strategy,
        from_ms=moment_ms("since", since),
        to_ms=moment_ms("until", until),
    )
    try:
        place = Place.parse(before) if before is not None else None
    except ValueError as failure:
        raise ToolError(f"before: {failure}.") from None
    known = await desk.read(lambda connection: list(queries.positions(connection, queries.epoch_number(connection))))
    if filters.symbol is not None and filters.symbol not in known:
        near = nearest(filters.symbol, known)
        raise ToolError(f"{filters.symbol} was never traded here" + (f"; did you mean {near}?" if near else "."))
    page = await desk.read(
        lambda connection: trade_page(connection, queries.epoch_number(connection), filters, place, limit=limit)
    )
    return TradeHistory(trades=[_trade(row) for row in page.rows], older=str(page.older) if page.older else None)


async def get_performance_metrics(call: Call) -> PerformanceMetrics:
    """Profit, win rate and fees, in all and by symbol and strategy; drawdown and Sharpe ratio of the equity curve."""
    room = shared(call)
    epoch = await room.desk.read(queries.epoch_number)
    tally = await room.memory.tally(epoch)
    found = await room.desk.read(lambda connection: _worth(connection, epoch))
    figures = None
    if found is not None:
        curve, _, is_read = await room.memory.curve(Series(epoch, found.quote_asset))
        figures = await room.memory.in_thread(curve.figures) if is_read else None
    deepest = figures.deepest if figures else None
    return PerformanceMetrics(
        is_whole=tally.is_whole and (found is None or figures is not None),
        in_all=_figures(tally.in_all),
        by_symbol=_figures(tally.by_symbol),
        by_strategy=_figures(tally.by_strategy),
        quote_asset=found.quote_asset if found else None,
        today=_gain(found.day) if found else None,
        week=_gain(found.week) if found else None,
        all_time=_gain(found.all_time) if found else None,
        drawdown_pct=figures.drawdown_pct if figures else None,
        deepest_drawdown_pct=deepest.pct if deepest else None,
        sharpe=figures.sharpe if figures else None,
        days=figures.days if figures else 0,
    )


def _worth(connection: sqlite3.Connection, epoch: int) -> Worth | None:
    assets = quote_assets(connection, epoch)
    return worth(connection, Series(epoch, assets[0])) if assets else None


def _positions(
    connection: sqlite3.Connection,
    quotes: dict[str, Quote] | None = None,
    rules: dict[str, SymbolRules] | None = None,
) -> list[PositionNow]:
    return positions_now(connection, queries.epoch_number(connection), quotes=quotes, rules=rules)


async def _seen(desk: Desk, symbols: Iterable[str]) -> tuple[dict[str, Quote], dict[str, SymbolRules]]:
    """What the market board says of these symbols."""
    quotes, rules = {}, {}
    for symbol in symbols:
        if (quote := await desk.board.quote(symbol)) is not None:
            quotes[symbol] = quote
        if (known := await desk.board.rules(symbol)) is not None:
            rules[symbol] = known
    return quotes, rules


def _held(one: PositionNow) -> HeldPosition:
    given: dict[str, Any] = {
        name: getattr(one, name)
        for name in HeldPosition.model_fields
        if name not in {"average_price", "opened_utc", "mark_utc", "mark_age_seconds", "orders", "alarms"}
    }
    return HeldPosition(
        **given,
        average_price=None if one.average_price is None else rounded(one.average_price, _PRICE_UNIT),
        opened_utc=maybe_utc(one.opened_ms),
        mark_utc=maybe_utc(one.mark_ms),
        mark_age_seconds=None if one.mark_wall_ms is None else age_seconds(one.mark_wall_ms),
        orders=[_selling(order) for order in (*one.stops, *one.targets, *one.persons, *one.leaving)],
        alarms=[alarm.text for alarm in one.alarms],
    )


def _selling(order: SellOrder) -> ProtectingOrder:
    return ProtectingOrder(
        client_order_id=order.client_order_id,
        role=order.role.value,
        state=order.state.value,
        left_base=order.left_base,
        price=order.price,
        stop_price=order.stop_price,
        stands=order.stands,
    )


def _trade(row: TradeRow) -> PastTrade:
    trade = row.trade
    return PastTrade(
        traded_utc=at_utc(trade.traded_ms),
        symbol=trade.symbol,
        side=trade.side.value,
        role=row.role,
        type=row.type,
        exit=row.exit,
        strategy=row.strategy,
        price=trade.price,
        quantity_base=trade.quantity_base,
        value_quote=trade.value_quote,
        quote_asset=trade.quote_asset,
        fees=trade.fees,
        realised_pnl_quote=trade.realised_pnl_quote,
        fills=trade.fills,
        client_order_id=trade.client_order_id,
    )


def _figures(groups: Iterable[Group[str]]) -> list[TradeFigures]:
    return [
        TradeFigures(
            name=group.name,
            quote_asset=group.quote_asset,
            buys=group.sums.buys,
            sells=group.sums.sells,
            won=group.sums.won,
            lost=group.sums.lost,
            win_rate_pct=group.sums.win_rate_pct,
            volume_quote=group.sums.volume_quote,
            realised_pnl_quote=group.sums.realised_quote,
            fees=group.sums.fees,
        )
        for group in groups
    ]


def _known_gain(change: Change) -> Gain:
    return Gain(since_utc=at_utc(change.since_ms), quote=change.quote, pct=change.pct)


def _gain(change: Change | None) -> Gain | None:
    return None if change is None else _known_gain(change)


TOOLS = (
    reads(get_portfolio_summary, "Portfolio"),
    reads(get_current_positions, "Positions"),
    reads(get_open_orders, "Open orders"),
    reads(get_trade_history, "Trades"),
    reads(get_performance_metrics, "Performance"),
)
