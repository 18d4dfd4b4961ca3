"""Desks on markets that a test writes down: candles by hand, or none, so that only the test moves the price."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.agents.desk import Desk, desk

_START, _START_MS = "2026-01-05T00:00:00Z", 1_767_571_200_000
_MINUTES_BEFORE, _MINUTES_AFTER = 10, 1_500


@asynccontextmanager
async def played_desk(
    tmp_path: Path, candles: Sequence[str] = (), *, flat: str = "64000", **exchange_options: Any
) -> AsyncIterator[Desk]:
    """A desk without commission on one-minute candles of BTCUSDT, each `open high low close`.

    Before and after them nothing is traded, and the price is `flat` until the test moves it.
    """
    quiet = f"{flat} {flat} {flat} {flat} 0"
    rows = [quiet] * _MINUTES_BEFORE + [f"{candle} 20" for candle in candles] + [quiet] * _MINUTES_AFTER
    lines = [
        ",".join([str(_START_MS + (index - _MINUTES_BEFORE) * 60_000), *row.split()]) for index, row in enumerate(rows)
    ]
    file = tmp_path / "BTCUSDT-1m.csv"
    file.write_text("\n".join(["open_time_ms,open,high,low,close,volume", *lines]), encoding="utf-8")
    options = {"replay": (file,), "start": _START, "commission_rate": Decimal(0), **exchange_options}
    async with desk(tmp_path, symbols=("BTCUSDT",), **options) as ready:
        yield ready
