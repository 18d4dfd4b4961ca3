"""What market data costs the simulated exchange: klines, tickers and symbols asked for, trades taken in, memory."""

import gc
import tracemalloc
from collections.abc import Callable

import orjson

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.listings import Listings
from binance_trade_agent.simulator.market.klines import KlineSeries
from binance_trade_agent.simulator.market.payloads import kline_row, mini_ticker_row
from binance_trade_agent.simulator.market.state import Market
from binance_trade_agent.simulator.market.synthetic import SyntheticFeed
from binance_trade_agent.simulator.symbols import listing
from support.machine import print_head

SYMBOL = "BTCUSDT"
START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z
MONTH_MINUTES = 30 * 1_440
SYMBOLS = 500
MORE_DAYS = 20


def main() -> None:
    """Measure and print."""
    print_head("benchmarks/market_data.py")
    feed = SyntheticFeed([SYMBOL], seed=1, start_ms=START_MS, history_minutes=MONTH_MINUTES)
    market = Market(feed)
    market.advance_to(START_MS + 10 * MINUTE_MS)
    print("\nOne symbol after a month of minutes, ms a call")
    for name, call, before in (
        ("klines 1d, 30 rows", lambda: market.klines(SYMBOL, "1d"), "100"),
        ("klines 1h, 500 rows", lambda: market.klines(SYMBOL, "1h"), "100"),
        ("klines 1m, 1000 rows, as JSON rows", lambda: rows(market), "13"),
        ("ticker 24hr", lambda: market.ticker_24hr(SYMBOL), "15"),
        ("ticker, window 7d", lambda: market.ticker(SYMBOL, 7 * 1_440 * MINUTE_MS), ""),
    ):
        print(f"  {name:45} {milliseconds(call):9.3f}   {f'({before} before issue 3)' if before else ''}")

    symbols = [f"SIM{number}USDT" for number in range(1, SYMBOLS + 1)]
    many = Market(SyntheticFeed(symbols, seed=1, start_ms=START_MS))
    listings = Listings({symbol: listing(symbol) for symbol in symbols})
    print(f"\n{SYMBOLS} symbols, ms a call")
    for name, call in (
        ("24 hour mini tickers of all", lambda: [mini_ticker_row(many.ticker_24hr(symbol)) for symbol in symbols]),
        ("exchangeInfo, encoded", lambda: orjson.dumps(listings.encoded(symbols, show_permission_sets=True))),
    ):
        print(f"  {name:45} {milliseconds(call):9.3f}")

    print("\nMemory of one symbol's klines, MB")
    series, used_mb = series_mb(feed)
    print(f"  {'a month of minutes':45} {used_mb:9.2f}   (20 before issue 3)")
    print(f"  {f'and {MORE_DAYS} days later':45} {grown_mb(series):9.2f}")


def rows(market: Market) -> bytes:
    """What GET klines answers."""
    return orjson.dumps([kline_row(kline) for kline in market.klines(SYMBOL, "1m", limit=1_000)])


def milliseconds(call: Callable[[], object]) -> float:
    """The best of twenty calls, after a first one."""
    call()
    best = float("inf")
    for _ in range(20):
        started = monotonic_seconds()
        call()
        best = min(best, monotonic_seconds() - started)
    return best * 1000


def series_mb(feed: SyntheticFeed) -> tuple[KlineSeries, float]:
    """A series of the feed's history, and what it holds in memory."""
    history = feed.history(SYMBOL)
    tracemalloc.start()
    series = KlineSeries("1m", history, feed.print_counts(SYMBOL, history))
    gc.collect()
    return series, tracemalloc.get_traced_memory()[0] / 1e6


def grown_mb(series: KlineSeries) -> float:
    """What the series holds after MORE_DAYS more, each minute with a trade."""
    (last,) = series.select("1m", limit=1)
    first_ms = last.close_time_ms + 1
    for minute in range(MORE_DAYS * 1_440):
        at_ms = first_ms + minute * MINUTE_MS
        series.open_at(at_ms, last.close + minute % 7)
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1e6


if __name__ == "__main__":
    main()
