"""The replay feed: recorded candles of several symbols, played on their own timeline."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.candle_feed import CandleFeed
from binance_trade_agent.simulator.market.candle_files import CandleFile, read_candle_file
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.printer import Printer
from binance_trade_agent.simulator.symbols import listing

DEFAULT_HISTORY_CANDLES = 1_500

_SEED = 0  # the way through each candle is always the same; the market is the file's


class RecordedCandles:
    """One symbol's recorded candles. Where the recording has a gap, so has the market."""

    def __init__(self, file: CandleFile) -> None:
        self.interval = file.interval
        self._candles = file.candles
        self._opens = [candle.open_time_ms for candle in file.candles]

    def history(self, before_ms: int) -> CandleColumns:
        """Candles that open before `before_ms`."""
        return CandleColumns.of(self.between(0, before_ms))

    def between(self, from_ms: int, before_ms: int) -> Sequence[Candle]:
        """Candles that open in [from_ms, before_ms)."""
        return self._candles[bisect_left(self._opens, from_ms) : bisect_left(self._opens, before_ms)]

    def since(self, from_ms: int) -> Iterator[Candle]:
        """Candles that open at `from_ms` or later."""
        for index in range(bisect_left(self._opens, from_ms), len(self._candles)):
            yield self._candles[index]


class ReplayFeed(CandleFeed):
    """Recorded candles, all of those before the start being history. The market ends with the last of them."""

    def __init__(self, paths: Sequence[Path], *, start_ms: int | None = None, resume_ms: int | None = None) -> None:
        """Read the files.

        Args:
            paths: one file a symbol; see `read_candle_file`. Their intervals may differ.
            start_ms: when the session begins; by default after 1500 candles of the file that has them last, or after
                half of it.
            resume_ms: where a continued session goes on; its start by default.

        Raises:
            FeedError: a file is missing or broken, two are of one symbol, or the start is outside the data of one.
        """
        files = [read_candle_file(path) for path in paths]
        _check_one_file_a_symbol(files)
        first_ms, last_ms = _common_span(files)
        start_ms = _default_start_ms(files, last_ms) if start_ms is None else start_ms
        if not first_ms <= start_ms <= last_ms:
            raise FeedError(
                f"start {iso_second(start_ms)} is outside the recorded data, "
                f"which go from {iso_second(first_ms)} to {iso_second(last_ms)}"
            )
        prices = {file.symbol: file.candles[0].open for file in files}
        listings = {symbol: listing(symbol, price) for symbol, price in prices.items()}
        super().__init__(
            {file.symbol: RecordedCandles(file) for file in files},
            {symbol: Printer(listings[symbol], seed=_SEED, price=price) for symbol, price in prices.items()},
            listings,
            start_ms=start_ms,
            resume_ms=resume_ms,
            ends_ms=max(file.candles[-1].close_time_ms for file in files) + 1,
        )


def _check_one_file_a_symbol(files: Sequence[CandleFile]) -> None:
    if not files:
        raise FeedError("a replay needs at least one candle file, such as BTCUSDT-1m.csv.gz")
    seen: dict[str, CandleFile] = {}
    for file in files:
        if file.symbol in seen:
            raise FeedError(f"{seen[file.symbol].path.name} and {file.path.name} are both of {file.symbol}; give one")
        seen[file.symbol] = file


def _common_span(files: Sequence[CandleFile]) -> tuple[int, int]:
    """The first and the last moment at which every file has begun and none has ended."""
    first_ms = max(file.candles[0].open_time_ms for file in files)
    last_ms = min(file.candles[-1].close_time_ms for file in files)
    if first_ms > last_ms:
        raise FeedError(
            "the recorded files have no time in common: one begins at "
            f"{iso_second(first_ms)}, another has ended at {iso_second(last_ms)}"
        )
    return first_ms, last_ms


def _default_start_ms(files: Sequence[CandleFile], last_ms: int) -> int:
    """After 1500 candles, or half of a shorter file; within what all files have."""
    starts = []
    for file in files:
        count = len(file.candles)
        starts.append(file.candles[DEFAULT_HISTORY_CANDLES if count > DEFAULT_HISTORY_CANDLES else count // 2])
    return min(max(candle.open_time_ms for candle in starts), last_ms)
