"""The market as the trader has read it. Nothing here asks the exchange: the trader does, when somebody looks."""

from typing import Annotated

from pydantic import BaseModel, Field

from binance_trade_agent.cache.market_board import BookSeen, CandlesSeen, Quote
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.market import Level
from binance_trade_agent.mcp_server.awaiting import FRESH_SECONDS, LOOK_SECONDS, WAIT_SECONDS, awaited
from binance_trade_agent.mcp_server.fields import Interval, Number, Symbol, age_seconds, at_utc, refuse_symbol
from binance_trade_agent.mcp_server.offering import Call, ToolError, reads, shared
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms

_MOST_LOOKS = 3  # symbols that the trader reads each second for one reader (agents/market_publisher.py)


class Price(BaseModel):
    """Best prices of a symbol, in quote asset per unit of base asset."""

    symbol: str
    bid: Number = Field(description="the best price at which somebody buys")
    ask: Number = Field(description="the best price at which somebody sells")
    spread_pct: float = Field(description="from bid to ask, percent of the bid")
    last_price: Number | None = Field(description="of the last trade; null where it was not read")
    read_utc: str = Field(description="market time of the reading; a simulated market has a time of its own")
    age_seconds: float = Field(description="since the reading, by the clock of this machine")
    is_trader_running: bool = Field(description="without a trader nobody reads newer prices")


class DayFigures(BaseModel):
    """The exchange's rolling 24 hours; prices in quote asset per unit of base asset."""

    open: Number
    high: Number
    low: Number
    change_pct: Number = Field(description="percent")
    volume_base: Number = Field(description="base asset")
    volume_quote: Number = Field(description="quote asset")
    trades: int
    age_seconds: float


class MarketPrice(Price):
    """Best prices and the last 24 hours."""

    day: DayFigures | None = Field(description="null until the trader has read them for somebody who looks")


class BookLevel(BaseModel):
    """One price of an order book."""

    price: Number = Field(description="quote asset per unit of base asset")
    quantity_base: Number


class OrderBook(BaseModel):
    """Order book, best prices first."""

    symbol: str
    bids: list[BookLevel] = Field(description="who buys")
    asks: list[BookLevel] = Field(description="who sells")
    read_utc: str = Field(description="market time of the reading")
    age_seconds: float = Field(description="since the reading, by the clock of this machine")
    is_trader_running: bool


class Candle(BaseModel):
    """One candle; prices in quote asset per unit of base asset."""

    open_utc: str
    open: Number
    high: Number
    low: Number
    close: Number
    volume_base: Number
    is_closed: bool = Field(description="false for the one that still runs: strategies look at closed ones only")


class Candles(BaseModel):
    """Candles in time order."""

    symbol: str
    interval: str
    candles: list[Candle]
    read_utc: str = Field(description="market time of the reading")
    age_seconds: float = Field(description="since the reading, by the clock of this machine")
    is_trader_running: bool


class UpdatedPrices(BaseModel):
    """Prices that were read after they were asked for."""

    prices: list[Price]
    not_read: list[str] = Field(description="symbols whose prices did not come in time")


async def get_market_price(call: Call, symbol: Symbol) -> MarketPrice:
    """Best bid and ask, the last price and the figures of 24 hours, with their age.

    Of a symbol that nobody looked at before, the trader reads them now, within some seconds.
    """
    desk = shared(call).desk
    quote = await awaited(desk, lambda: _quote(desk, symbol), _is_fresh)
    if quote is None:
        raise await _nothing(desk, symbol)
    day = await desk.board.day(symbol)
    return MarketPrice(
        **_price(desk, quote).model_dump(),
        day=None
        if day is None
        else DayFigures(
            open=day.open,
            high=day.high,
            low=day.low,
            change_pct=day.change_pct,
            volume_base=day.volume_base,
            volume_quote=day.volume_quote,
            trades=day.trades,
            age_seconds=age_seconds(day.read_wall_ms),
        ),
    )


async def get_order_book(
    call: Call,
    symbol: Symbol,
    levels: Annotated[int, Field(ge=1, le=100, description="of each side")] = 10,
) -> OrderBook:
    """The order book near the best prices. The trader reads it within some seconds once somebody looks."""
    desk = shared(call).desk

    async def look() -> BookSeen | None:
        await desk.looking.at(symbol)
        return await desk.board.book(symbol)

    book = await awaited(desk, look, _is_fresh)
    if book is None:
        raise await _nothing(desk, symbol)
    return OrderBook(
        symbol=symbol,
        bids=_levels(book.bids[:levels]),
        asks=_levels(book.asks[:levels]),
        read_utc=at_utc(book.read_ms),
        age_seconds=age_seconds(book.read_wall_ms),
        is_trader_running=desk.is_running(),
    )


async def get_candles(
    call: Call,
    symbol: Symbol,
    interval: Annotated[Interval | None, Field(description="TRADING_CANDLE_INTERVAL without one")] = None,
    limit: Annotated[int, Field(ge=1, le=500, description="so many, the newest")] = 100,
) -> Candles:
    """Candles in time order as the trader has read them; the last one still runs, see is_closed."""
    desk = shared(call).desk
    length = interval or desk.settings.trading_candle_interval

    async def look() -> CandlesSeen | None:
        await desk.looking.at(symbol, length)
        return await desk.board.candles(symbol, length)

    seen = await awaited(desk, look, _is_fresh)
    if seen is None:
        raise await _nothing(desk, symbol, f"{length} candles")
    return Candles(
        symbol=symbol,
        interval=length,
        candles=[
            Candle(
                open_utc=at_utc(candle.open_time_ms),
                open=candle.open,
                high=candle.high,
                low=candle.low,
                close=candle.close,
                volume_base=candle.volume,
                is_closed=candle.close_time_ms < seen.read_ms,
            )
            for candle in seen.candles[-limit:]
        ],
        read_utc=at_utc(seen.read_ms),
        age_seconds=age_seconds(seen.read_wall_ms),
        is_trader_running=desk.is_running(),
    )


async def update_market_prices(
    call: Call,
    symbols: Annotated[
        list[Symbol] | None,
        Field(min_length=1, max_length=_MOST_LOOKS, description="without them the first three that are traded"),
    ] = None,
) -> UpdatedPrices:
    """Have the trader read prices now, and wait for them some seconds; for one symbol get_market_price is enough."""
    desk = shared(call).desk
    if not desk.is_running():
        raise ToolError("No trader runs, so nobody can read prices.")
    wanted = dict.fromkeys(symbols or desk.settings.trading_symbols[:_MOST_LOOKS])
    asked_ms, until = wall_ms(), monotonic_seconds() + WAIT_SECONDS
    found: dict[str, Quote] = {}
    while len(found) < len(wanted) and monotonic_seconds() < until and desk.is_running():
        for symbol in wanted:
            quote = await _quote(desk, symbol)
            if quote is not None and quote.read_wall_ms >= asked_ms:
                found[symbol] = quote
        if len(found) < len(wanted):
            await sleep_seconds(LOOK_SECONDS)
    if not found:
        raise await refuse_symbol(
            desk, next(iter(wanted)), f"No prices of {', '.join(wanted)} came within {WAIT_SECONDS:g} s"
        )
    return UpdatedPrices(
        prices=[_price(desk, found[symbol]) for symbol in wanted if symbol in found],
        not_read=[symbol for symbol in wanted if symbol not in found],
    )


def _is_fresh(seen: Quote | BookSeen | CandlesSeen) -> bool:
    return age_seconds(seen.read_wall_ms) <= FRESH_SECONDS


async def _quote(desk: Desk, symbol: str) -> Quote | None:
    await desk.looking.at(symbol)
    return await desk.board.quote(symbol)


def _price(desk: Desk, quote: Quote) -> Price:
    return Price(
        symbol=quote.symbol,
        bid=quote.bid,
        ask=quote.ask,
        spread_pct=round(float((quote.ask - quote.bid) * 100 / quote.bid), 6) if quote.bid else 0.0,
        last_price=quote.last_price,
        read_utc=at_utc(quote.read_ms),
        age_seconds=age_seconds(quote.read_wall_ms),
        is_trader_running=desk.is_running(),
    )


def _levels(levels: tuple[Level, ...]) -> list[BookLevel]:
    return [BookLevel(price=price, quantity_base=quantity) for price, quantity in levels]


async def _nothing(desk: Desk, symbol: str, what: str = "the market") -> ToolError:
    runs = "" if desk.is_running() else ", and no trader runs now"
    return await refuse_symbol(desk, symbol, f"The trader has told nothing of {what} of {symbol}{runs}")


TOOLS = (
    reads(get_market_price, "Price of a symbol"),
    reads(get_order_book, "Order book"),
    reads(get_candles, "Candles"),
    reads(update_market_prices, "Read prices now"),
)
