"""Files of own strategies for the tests: a sound one, to be changed in one place."""

from pathlib import Path

SOUND = '''"""A strategy of a test."""

import numpy as np
import pandas as pd
from pydantic import Field

from binance_trade_agent.strategies.base import Strategy, Votes, directions
from binance_trade_agent.strategies.params import StrategyParams


class MineParams(StrategyParams):
    period: int = Field(5, ge=1, le=50, description="candles looked back")
    pct: float = Field(0.05, ge=0, le=20, description="least change, percent")
    both_ways: bool = Field(True, description="whether it sells too")


class Mine(Strategy[MineParams]):
    """BUY what rose, SELL what fell."""

    name = "mine"
    summary = "buys what rose"
    Params = MineParams

    @property
    def warm_up(self):
        return self.params.period + 1

    def vote(self, frame):
        change = 100 * (frame["close"] / frame["close"].shift(self.params.period) - 1)
        buy, sell = change > self.params.pct, (change < -self.params.pct) & self.params.both_ways
        strength = np.full(len(frame), 0.5)
        return Votes(directions(buy.to_numpy(), sell.to_numpy()), strength, {"change_pct": change.to_numpy()})

    def reason(self, row):
        return f"change {row['change_pct']:+.2f} %"
'''


def write(folder: Path, name: str, text: str = SOUND) -> Path:
    """Write `name`.py; the class is named the same."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text.replace('name = "mine"', f'name = "{name}"'), encoding="utf-8")
    return path


def changed(old: str, new: str) -> str:
    """The sound file with one place changed."""
    assert SOUND.count(old) == 1, f"{old!r} is there {SOUND.count(old)} times"
    return SOUND.replace(old, new)
