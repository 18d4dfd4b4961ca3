"""Candles that no market had, to test strategies on."""

from pathlib import Path
from random import Random

NOON_MS = 1_767_614_400_000


def write_minutes(folder: Path) -> Path:
    """Ten hours of minutes of BTCUSDT from NOON_MS on, in a data folder; returns it."""
    random, price, rows = Random(7), 40_000.0, []
    for minute in range(600):
        opened, price = price, price * (1 + random.gauss(0, 0.001))
        high, low = max(opened, price) + 5, min(opened, price) - 5
        rows.append(f"{NOON_MS + minute * 60_000},{opened:.2f},{high:.2f},{low:.2f},{price:.2f},12.5\n")
    (folder / "BTCUSDT-1m.csv").write_text("".join(rows))
    return folder
