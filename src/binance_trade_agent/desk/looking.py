"""What open pages look at, told to the trader, which then reads these symbols more often than its ticks need."""

import secrets

from binance_trade_agent.cache.market_board import MarketBoard, Wish
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms

_REPEAT_SECONDS = 5.0  # well before the trader forgets a wish (market_board.WANTED_SECONDS)
_FORGET_SECONDS = 8.0  # an open page asks for its regions about each second


class Looking:
    """The looks of all pages of this process. Whoever makes a region that shows a market says so each time.

    Args:
        reader: what kind of process this is among those that read the board (cache/market_board.py READERS); of
            several of a kind each gets a name of its own.
    """

    def __init__(self, board: MarketBoard, reader: str) -> None:
        self._board = board
        self._reader = reader
        self._process = secrets.token_hex(4)
        self._looks: dict[tuple[str, str], float] = {}
        self._told_at = float("-inf")

    async def at(self, symbol: str, interval: str = "") -> None:
        """Somebody looks at `symbol` now, in candles of `interval`; at its prices and its book only without one."""
        now = monotonic_seconds()
        is_new = (symbol, interval) not in self._looks
        self._looks[symbol, interval] = now
        if not is_new and now - self._told_at < _REPEAT_SECONDS:
            return
        self._looks = {look: at for look, at in self._looks.items() if now - at <= _FORGET_SECONDS}
        self._told_at = now
        await self._board.want(self._reader, [Wish(*look, wall_ms()) for look in self._looks], process=self._process)
