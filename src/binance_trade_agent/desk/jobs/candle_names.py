"""Which recorded candles there are, by the names of their files: none is opened, and no library of tables loaded."""

import re
from dataclasses import dataclass
from pathlib import Path

from binance_trade_agent.domain.candles import INTERVAL_MS

# As history/files.py has it, which reads the files too: SYMBOL-INTERVAL[-REMARK] and a suffix.
_NAME = re.compile(r"([A-Z0-9_]+)-([^-.]+)(?:-[^.]*)?\.(?:parquet|feather|csv|csv\.gz)")


@dataclass(frozen=True, slots=True)
class CandleNames:
    """What is in the data folder.

    Attributes:
        held: symbol and interval of each file.
        trouble: why there is nothing to test, one sentence; empty when there is something.
    """

    folder: Path
    held: frozenset[tuple[str, str]]
    trouble: str = ""

    @property
    def symbols(self) -> list[str]:
        """Symbols of which there are candles."""
        return sorted({symbol for symbol, _ in self.held})

    @property
    def intervals(self) -> list[str]:
        """Intervals of which there are candles, shortest first."""
        return sorted({interval for _, interval in self.held}, key=lambda interval: INTERVAL_MS[interval])

    def intervals_of(self, symbol: str) -> list[str]:
        """Those of a symbol."""
        return [interval for interval in self.intervals if (symbol, interval) in self.held]


def candle_names(path: Path) -> CandleNames:
    """What is in the folder `path`, or which candles the file `path` holds."""
    try:
        paths = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else None
    except OSError as failure:
        return CandleNames(path, frozenset(), f"The data folder {path} cannot be read: {failure.strerror}.")
    if paths is None:
        return CandleNames(path, frozenset(), f"There is no data folder {path} yet (HISTORY_PATH).")
    named = [match for each in paths if (match := _NAME.fullmatch(each.name))]
    held = {(match[1].replace("_", ""), match[2]) for match in named if match[2] in INTERVAL_MS}
    return CandleNames(
        path, frozenset(held), "" if held else f"The data folder {path} holds no candles (HISTORY_PATH)."
    )
