"""A pipeline of three stages in plain Python: signal, risk, execution. What joins them is the peer's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from backtest.peers.measured import Run
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, Candles, Parameters

BUY, HOLD, SELL = 1, 0, -1


class Signal:
    """RSI of Wilder, candle by candle: the first mean is a plain one over `period` changes, as TA-Lib's."""

    __slots__ = ("_before", "_close", "_gain", "_high", "_loss", "_low", "_period", "_seen")

    def __init__(self, parameters: Parameters) -> None:
        self._period, self._low, self._high = parameters.period, parameters.low, parameters.high
        self._seen = 0
        self._gain = self._loss = self._close = 0.0
        self._before = 50.0

    def on_close(self, close: float) -> int:
        """What the rule says after this candle."""
        change = close - self._close
        self._close = close
        if self._seen <= self._period:
            return self._start(change)
        keep = self._period - 1
        if change > 0:
            gain = self._gain = (self._gain * keep + change) / self._period
            loss = self._loss = self._loss * keep / self._period
        else:
            gain = self._gain = self._gain * keep / self._period
            loss = self._loss = (self._loss * keep - change) / self._period
        before = self._before
        rsi = self._before = 100 * gain / (gain + loss)
        if rsi < self._low <= before:
            return BUY
        if rsi > self._high >= before:
            return SELL
        return HOLD

    def _start(self, change: float) -> int:
        if self._seen:
            self._gain += max(change, 0.0) / self._period
            self._loss += max(-change, 0.0) / self._period
        if self._seen == self._period:
            self._before = 100 * self._gain / (self._gain + self._loss)
        self._seen += 1
        return HOLD


class Risk:
    """Allows an entry when flat and an exit when long."""

    __slots__ = ("_is_long",)

    def __init__(self) -> None:
        self._is_long = False

    def allowed(self, signal: int) -> int:
        """The signal, or `HOLD` where the position forbids it."""
        if (signal == BUY) == self._is_long:
            return HOLD
        self._is_long = signal == BUY
        return signal


class Execution:
    """Fills the order of the candle before at the open, with all the cash or all the position, and pays the fee."""

    __slots__ = ("_base", "_cash", "_fills", "_order")

    def __init__(self) -> None:
        self._cash, self._base = CASH_QUOTE, 0.0
        self._order = HOLD
        self._fills: list[tuple[int, float]] = []

    def on_open(self, index: int, price: float) -> None:
        """Fill what is waiting."""
        if self._order == BUY:
            self._base, self._cash = self._cash / (price * (1 + FEE_FRACTION)), 0.0
        elif self._order == SELL:
            self._cash, self._base = self._base * price * (1 - FEE_FRACTION), 0.0
        else:
            return
        self._order = HOLD
        self._fills.append((index, price))

    def place(self, order: int) -> None:
        """Have it filled at the next open."""
        self._order = order

    def result(self, last_close: float) -> Run:
        """What came of all candles."""
        run = Run(self._cash + self._base * last_close)
        for (entry, bought), (out, sold) in zip(self._fills[::2], self._fills[1::2], strict=False):
            run.trades.append((entry, out))
            run.prices.append((bought, sold))
        return run


@dataclass(frozen=True, slots=True)
class Job:
    """Opens and closes as Python's own numbers, and the sets of parameters."""

    opens: list[float]
    closes: list[float]
    sets: Sequence[Parameters]


def prepare(candles: Candles, sets: Sequence[Parameters]) -> Job:
    return Job(candles.open.tolist(), candles.close.tolist(), sets)
