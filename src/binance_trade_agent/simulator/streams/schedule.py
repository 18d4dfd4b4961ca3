"""When streams are asked for messages: at once, or at the beat of their period; see channel.py for the rules."""

from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.streams.books import DiffDepthChannel
from binance_trade_agent.simulator.streams.channel import NEVER_MS, REAL_TIME_MS, Channel
from binance_trade_agent.simulator.streams.stream import Stream

_LEAST_REAL_SECONDS = 0.1

_Streams = dict[Stream, Channel]


class Schedule:
    """All streams with a channel, by when they are to be asked.

    A pump costs next to nothing while nothing has happened: it comes with every request of every client.
    """

    def __init__(self) -> None:
        self._channels: _Streams = {}
        self._beats: dict[int, Beat] = {}
        self._immediate: dict[str, _Streams] = {}
        self._diffs: dict[str, _Streams] = {}
        self._changed: set[str] = set()
        self._book_alone_changed = False

    def add(self, stream: Stream, channel: Channel) -> None:
        """Let a stream be asked from now on."""
        self._channels[stream] = channel
        if channel.period_ms == REAL_TIME_MS:
            self._immediate.setdefault(str(channel.symbol), {})[stream] = channel
            self._changed.add(str(channel.symbol))
            return
        if channel.period_ms not in self._beats:
            self._beats[channel.period_ms] = Beat(channel.period_ms)
        self._beats[channel.period_ms].add(stream, channel)
        if isinstance(channel, DiffDepthChannel):
            self._diffs.setdefault(str(channel.symbol), {})[stream] = channel

    def remove(self, stream: Stream) -> None:
        """Ask a stream no more; one that was never added is ignored."""
        channel = self._channels.pop(stream, None)
        if channel is None:
            return
        for streams in (self._immediate, self._diffs):
            streams.get(str(channel.symbol), {}).pop(stream, None)
        if channel.period_ms in self._beats:
            self._beats[channel.period_ms].remove(stream)

    def on_transaction(self, transaction: Transaction) -> None:
        """Note what has changed."""
        for trade in transaction.trades:
            self._changed.add(trade.symbol)
            for channel in self._immediate.get(trade.symbol, {}).values():
                channel.on_trade(trade)
        for report in transaction.reports:
            self._changed.add(report.order.symbol)
        if not transaction.trades and not transaction.reports:
            self._book_alone_changed = True

    def pump(self, exchange: Exchange) -> None:
        """Send what is due."""
        if self._book_alone_changed:
            self._changed.update(self._immediate)
            self._book_alone_changed = False
        if self._changed:
            for symbol in self._changed:
                _send(self._immediate.get(symbol, {}), exchange)
            self._changed.clear()
        real_seconds = monotonic_seconds()
        for beat in self._beats.values():
            beat.pump(exchange, real_seconds)

    def end_diffs(self, symbol: str, exchange: Exchange) -> None:
        """Send the symbol's running diffs of the book now, ahead of their beat."""
        _send(self._diffs.get(symbol, {}), exchange)


class Beat:
    """Streams that are sent at the same moments: at the whole multiples of a period of market time."""

    def __init__(self, period_ms: int) -> None:
        self._period_ms = period_ms
        self._streams: _Streams = {}
        self._count = -1  # whole periods of market time until the last beat
        self._real_seconds = 0.0
        self._wakes_ms = NEVER_MS

    def add(self, stream: Stream, channel: Channel) -> None:
        """Let a stream be asked from the next beat on."""
        self._streams[stream] = channel
        self._wakes_ms = min(self._wakes_ms, channel.wakes_ms)

    def remove(self, stream: Stream) -> None:
        """Ask a stream no more."""
        self._streams.pop(stream, None)

    def pump(self, exchange: Exchange, real_seconds: float) -> None:
        """Send what is due, and of the others what has a reason to come earlier."""
        if self._is_due(exchange, real_seconds):
            _send(self._streams, exchange)
        elif exchange.now_ms >= self._wakes_ms:
            awake = {
                stream: channel for stream, channel in self._streams.items() if channel.wakes_ms <= exchange.now_ms
            }
            _send(awake, exchange)
        else:
            return
        self._wakes_ms = min((channel.wakes_ms for channel in self._streams.values()), default=NEVER_MS)

    def _is_due(self, exchange: Exchange, real_seconds: float) -> bool:
        """Whether a period is over, and at a fast market not too soon in real time; a yes is taken as done."""
        count = exchange.now_ms // self._period_ms
        speed = exchange.clock.speed
        is_fast = speed is not None and speed > 1
        if count <= self._count or (is_fast and real_seconds - self._real_seconds < _LEAST_REAL_SECONDS):
            return False
        self._count, self._real_seconds = count, real_seconds
        return True


def _send(streams: _Streams, exchange: Exchange) -> None:
    for stream, channel in streams.items():
        for message in channel.messages(exchange):
            stream.send(message)
