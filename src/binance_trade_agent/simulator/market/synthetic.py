"""The synthetic feed: a market from a seed, for any symbols, without an end."""

from collections.abc import Sequence

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.simulator.market.candle_feed import CandleFeed
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.printer import Printer
from binance_trade_agent.simulator.market.synthetic_candles import SyntheticCandles, common_factor, temper_of
from binance_trade_agent.simulator.symbols import UnknownSymbolError, check_synthetic, listing, typical_price

_HISTORY_MINUTES = 1_500
_MOST_WITH_PAST = 50  # symbols; the past of each takes a thirtieth of a second at the start


class SyntheticFeed(CandleFeed):
    """A market from a seed: regimes, clusters of volatility, rare jumps, and a factor that all symbols share.

    A symbol's candles depend on the seed, its name and the genesis (start less history), not on the other symbols.
    Rates between symbols (BTCUSDT, ETHUSDT, ETHBTC) are not tied to each other.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        seed: int,
        start_ms: int,
        history_minutes: int | None = None,
        resume_ms: int | None = None,
    ) -> None:
        """Make the market.

        Args:
            symbols: upper-case names, each once.
            seed: any integer.
            start_ms: when the session begins; minutes before its own are history.
            history_minutes: how many candles there are before the start. By default 1500, and up to fifty symbols have
                42 days of longer candles before those, so that strategies on longer candles need no warming up.
            resume_ms: where a continued session goes on; its start by default.

        Raises:
            FeedError: no symbol, an unknown one, or one named twice.
        """
        _check_symbols(symbols)
        minutes = _HISTORY_MINUTES if history_minutes is None else history_minutes
        genesis_ms = (start_ms // MINUTE_MS - minutes) * MINUTE_MS
        common = common_factor(seed)
        has_past = history_minutes is None and len(symbols) <= _MOST_WITH_PAST
        sources = {
            symbol: SyntheticCandles(symbol, seed=seed, genesis_ms=genesis_ms, common=common, has_past=has_past)
            for symbol in symbols
        }
        listings = {symbol: listing(symbol) for symbol in symbols}
        printers = {
            symbol: Printer(
                listings[symbol], seed=seed, price=typical_price(symbol), spacing_ms=temper_of(symbol).spacing_ms
            )
            for symbol in symbols
        }
        super().__init__(
            sources,
            printers,
            listings,
            start_ms=start_ms,
            resume_ms=resume_ms,
            ends_ms=None,
        )


def _check_symbols(symbols: Sequence[str]) -> None:
    if not symbols:
        raise FeedError("a market needs at least one symbol, such as BTCUSDT")
    for symbol in symbols:
        try:
            check_synthetic(symbol)
        except UnknownSymbolError as error:
            raise FeedError(str(error)) from None
        if symbols.count(symbol) > 1:
            raise FeedError(f"symbol {symbol} is named twice; name each symbol once")
