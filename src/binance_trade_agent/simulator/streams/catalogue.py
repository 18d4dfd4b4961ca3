"""From a stream's name to its channel."""

from collections.abc import Callable, Mapping

from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.streams.books import BookTickerChannel, DiffDepthChannel, PartialDepthChannel
from binance_trade_agent.simulator.streams.channel import Channel
from binance_trade_agent.simulator.streams.klines import KlineChannel
from binance_trade_agent.simulator.streams.names import Kind, StreamName, parse_name
from binance_trade_agent.simulator.streams.tickers import (
    AllTickersChannel,
    TickerChannel,
    average_price,
    mini_ticker,
    ticker_24hr,
    window_ticker,
)
from binance_trade_agent.simulator.streams.trades import AggregateTradeChannel, TradeChannel

_Maker = Callable[[str, StreamName, Exchange], Channel]


def open_channel(name: str, exchange: Exchange) -> Channel | None:
    """The channel of a stream's name; None when there is no such stream, or no such symbol here."""
    parsed = parse_name(name)
    if parsed is None:
        return None
    if parsed.symbol is None:
        return AllTickersChannel(window_ticker(parsed.window) if parsed.window else mini_ticker)
    return _MAKERS[parsed.kind](parsed.symbol, parsed, exchange) if parsed.symbol in exchange.listings else None


def _depth_channel(symbol: str, name: StreamName, exchange: Exchange) -> Channel:
    if name.levels is None:
        return DiffDepthChannel(symbol, exchange, is_fast=name.is_fast)
    return PartialDepthChannel(symbol, name.levels, is_fast=name.is_fast)


_MAKERS: Mapping[Kind, _Maker] = {
    Kind.TRADE: lambda symbol, _name, _exchange: TradeChannel(symbol),
    Kind.AGGREGATE_TRADE: lambda symbol, _name, exchange: AggregateTradeChannel(symbol, exchange),
    Kind.KLINE: lambda symbol, name, exchange: KlineChannel(symbol, name.interval, name.zone_ms, exchange),
    Kind.BOOK_TICKER: lambda symbol, _name, _exchange: BookTickerChannel(symbol),
    Kind.DEPTH: _depth_channel,
    Kind.MINI_TICKER: lambda symbol, _name, _exchange: TickerChannel(symbol, mini_ticker),
    Kind.TICKER: lambda symbol, _name, _exchange: TickerChannel(symbol, ticker_24hr),
    Kind.WINDOW_TICKER: lambda symbol, name, _exchange: TickerChannel(symbol, window_ticker(name.window)),
    Kind.AVERAGE_PRICE: lambda symbol, _name, _exchange: TickerChannel(symbol, average_price),
}
