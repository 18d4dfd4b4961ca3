"""Binance's public archive of candles: a zip file a month or a day, with its SHA-256 in a file beside it.

Facts from https://github.com/binance/binance-public-data (README.md, python/enums.py), read in 2026:
`data/spot/monthly/klines/SYMBOL/INTERVAL/SYMBOL-INTERVAL-YYYY-MM.zip`, under `daily` with `-YYYY-MM-DD`, each with
`.CHECKSUM` behind its name; a day is there on the next one, a month from its successor's first Monday; intervals above
1d have no daily files. A zip holds one CSV file of the 12 columns of GET klines, without a header until now; times are
milliseconds, from 2025 on microseconds.
"""

import asyncio
import hashlib
import io
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from binance_trade_agent.domain.candles import MONTH, candle_span_ms
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.files import read_table
from binance_trade_agent.history.spans import Span
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.history.web import Web

ARCHIVE_URL = "https://data.binance.vision"

_TRIES = 2  # a wrong checksum may be a transfer's fault once


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of the archive: a month's or a day's candles. `period` is `2024-01` or `2024-01-31`."""

    symbol: str
    interval: str
    period: str
    span: Span

    @classmethod
    def of_month(cls, symbol: str, interval: str, at_ms: int) -> "ArchiveFile":
        """The file of the month that contains `at_ms`."""
        return cls(symbol, interval, f"{_moment(at_ms):%Y-%m}", candle_span_ms(MONTH, at_ms))

    @classmethod
    def of_day(cls, symbol: str, interval: str, at_ms: int) -> "ArchiveFile":
        """The file of the day that contains `at_ms`."""
        return cls(symbol, interval, f"{_moment(at_ms):%Y-%m-%d}", candle_span_ms("1d", at_ms))

    @property
    def is_month(self) -> bool:
        """Whether it holds a month."""
        return self.period.count("-") == 1

    @property
    def name(self) -> str:
        """Its name without a suffix."""
        return f"{self.symbol}-{self.interval}-{self.period}"

    @property
    def path(self) -> str:
        """Where it is below the archive's address."""
        folder = "monthly" if self.is_month else "daily"
        return f"data/spot/{folder}/klines/{self.symbol}/{self.interval}/{self.name}.zip"


async def fetch(web: Web, archive_url: str, file: ArchiveFile) -> CandleTable | None:
    """A file's candles, checked against its checksum; None when the archive has no such file.

    Raises:
        UnreachableError: the archive does not answer.
        HistoryError: the file is not what its checksum says, also when it is fetched again, or cannot be read.
    """
    url = f"{archive_url}/{file.path}"
    found = expected = ""
    for _ in range(_TRIES):
        checksum = await _body(web, f"{url}.CHECKSUM")
        content = None if checksum is None else await _body(web, url)
        if checksum is None or content is None:
            return None
        expected = checksum.decode("ascii", "replace").split(maxsplit=1)[0].lower() if checksum.strip() else "nothing"
        found = hashlib.sha256(content).hexdigest()
        if found == expected:
            return await asyncio.to_thread(_candles, file, content)
    raise HistoryError(
        f"{url} has the SHA-256 {found[:12]}..., but its .CHECKSUM says {expected[:12]}...; it is left out"
    )


async def _body(web: Web, url: str) -> bytes | None:
    answer = await web.get(url)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise HistoryError(f"{url} answered HTTP {answer.status}")
    return answer.body


def _candles(file: ArchiveFile, content: bytes) -> CandleTable:
    """What the zip file holds."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            members = [name for name in packed.namelist() if name.endswith(".csv")]
            if len(members) != 1:
                raise HistoryError(f"{file.name}.zip holds {len(members)} CSV files instead of one")
            text = packed.read(members[0])
    except zipfile.BadZipFile as error:
        raise HistoryError(f"{file.name}.zip is not a whole zip file: {error}") from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{file.name}.csv"
        path.write_bytes(text)
        return read_table(path, file.symbol, file.interval)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
