"""A backtest that would go on for ever, and a way to see its process begin and end: its candles come through a pipe."""

import errno
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from binance_trade_agent.ops.clock import sleep_seconds

ENDLESS = {"strategy": "rsi_momentum", "symbols": ["BTCUSDT"], "interval": "1m"}  # asks for candles of the pipe
BUSY = "A backtest runs already: wait for it, or cancel it first."
_LOOK_SECONDS = 0.02


class Pipe:
    """The end of the pipe into which nothing is ever written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end: int | None = None

    async def has_reader(self) -> None:
        """Return when a backtest reads from it."""
        while self._end is None:
            try:
                self._end = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as failure:
                if failure.errno != errno.ENXIO:
                    raise
                await sleep_seconds(_LOOK_SECONDS)

    async def has_no_reader(self) -> None:
        """Return when the process that read has ended."""
        assert self._end is not None
        watch = select.poll()
        watch.register(self._end, 0)
        while not any(events & select.POLLERR for _, events in watch.poll(0)):
            await sleep_seconds(_LOOK_SECONDS)

    def put_a_file_there(self) -> None:
        """What comes next finds a file that holds no candles, and ends."""
        self._path.unlink()
        self._path.write_text("nothing\n")

    def close(self) -> None:
        if self._end is not None:
            os.close(self._end)


@contextmanager
def endless_candles(folder: Path) -> Iterator[Pipe]:
    """A data folder, made here, of candles that never come."""
    folder.mkdir()
    path = folder / "BTCUSDT-1m.csv"
    os.mkfifo(path)
    pipe = Pipe(path)
    try:
        yield pipe
    finally:
        pipe.close()
