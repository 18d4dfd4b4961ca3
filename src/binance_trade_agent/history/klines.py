"""Candles from an exchange's public REST interface: GET klines, within its limits and without a key."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.exchange.limits_store import LimitsFile, place_of
from binance_trade_agent.exchange.rate_budget import RateBudget
from binance_trade_agent.exchange.weights import cost
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.files import are_sound
from binance_trade_agent.history.merging import AMOUNTS
from binance_trade_agent.history.rounding import TooLargeError, rounded_table
from binance_trade_agent.history.spans import Span
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.history.web import Answer, Web
from binance_trade_agent.ops.clock import ScaledClock, monotonic_seconds

MOST_ROWS = 1000  # of one answer (binance-protocol.md 1.2)

BINANCE = "binance"
# binance-protocol.md 5.4; the last is for public market data only
_PRODUCTION_HOST = re.compile(r"api(\d|-gcp)?\.binance\.com|data-api\.binance\.vision")
_UNKNOWN_SYMBOL = -1121
_LONGEST_WAIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class KlinesSource:
    """An exchange that is asked for candles.

    Attributes:
        name: of the market: the exchange's host, or a simulated one's session.
        listings: entries of exchangeInfo of the symbols that are asked about.
    """

    name: str
    url: str
    web: Web
    clock: ScaledClock
    budget: RateBudget
    listings: Mapping[str, Mapping[str, Any]]

    @classmethod
    async def reach(cls, web: Web, url: str, symbols: Sequence[str], limits_folder: Path) -> Self:
        """Take over the exchange's limits and clock, and the filters of `symbols`.

        Args:
            web: asks.
            url: base address, such as https://api.binance.com.
            symbols: upper-case names.
            limits_folder: where the trader keeps what the exchange has told it, which holds for the whole address.

        Raises:
            UnreachableError: it does not answer.
            HistoryError: it knows one of the symbols not, or answers what exchangeInfo does not.
        """
        clock = ScaledClock()
        limits = LimitsFile(limits_folder, place_of(url))
        budget = RateBudget(clock, file=limits, longest_wait_seconds=_LONGEST_WAIT_SECONDS)
        host = urlsplit(url).netloc
        answer = await _ask(web, url, budget, "exchangeInfo", {"symbols": json.dumps(symbols, separators=(",", ":"))})
        document = _document(host, answer)
        if answer.status != 200:
            if _code(document) == _UNKNOWN_SYMBOL:
                raise await _unknown_symbol(web, url, budget, symbols)
            raise HistoryError(f"{host} refused to say what it lists: {_told(answer, document)}")
        asked = monotonic_seconds()
        time = await _ask(web, url, budget, "time", {})
        try:
            budget.learn(document["rateLimits"])
            listings = {entry["symbol"]: entry for entry in document["symbols"]}
            server_ms = int(_document(host, time)["serverTime"])
        except (LookupError, TypeError, ValueError) as error:
            raise HistoryError(f"{host} does not answer as an exchange of Binance does: {error!r}") from None
        clock.synchronise(server_ms, age_seconds=(monotonic_seconds() - asked) / 2)
        session = time.headers.get("x-simulated-session")
        return cls(f"simulated {session}" if session else market_of(url), url, web, clock, budget, listings)

    async def first_open_ms(self, symbol: str, interval: str) -> int | None:
        """When the oldest candle opened; None without any.

        Raises:
            UnreachableError, HistoryError: see `candles`.
        """
        rows = await self._rows(symbol, interval, startTime="0", limit="1")
        return int(rows[0][0]) if rows else None

    async def candles(self, symbol: str, interval: str, span: Span) -> CandleTable:
        """The candles that open in `span`, which is at most 1000 candles long and lies in the past.

        Raises:
            UnreachableError: the exchange does not answer.
            HistoryError: it refused, or answered what are not sound candles.
        """
        rows = await self._rows(
            symbol, interval, startTime=str(span[0]), endTime=str(span[1] - 1), limit=str(MOST_ROWS)
        )
        try:
            return _table(symbol, interval, rows)
        except (ValueError, TypeError, IndexError, TooLargeError) as error:
            raise HistoryError(f"{self.name}: {symbol} {interval} klines from {iso_second(span[0])}: {error}") from None

    async def _rows(self, symbol: str, interval: str, **bounds: str) -> list[Any]:
        parameters = {"symbol": symbol, "interval": interval, **bounds}
        answer = await _ask(self.web, self.url, self.budget, "klines", parameters)
        document = _document(self.name, answer)
        if answer.status != 200 or not isinstance(document, list):
            raise HistoryError(f"{self.name} gives no {symbol} {interval} klines: {_told(answer, document)}")
        return document


def _table(symbol: str, interval: str, rows: Sequence[Sequence[Any]]) -> CandleTable:
    """Rows of GET klines as columns; raises what a row that is none makes NumPy raise."""
    times_ms = np.array([row[0] for row in rows], dtype=np.int64)
    amounts = np.array([row[1:6] for row in rows], dtype=np.float64).reshape(len(rows), len(AMOUNTS))
    columns = {name: np.ascontiguousarray(amounts[:, place]) for place, name in enumerate(AMOUNTS)}
    if rows and not are_sound(interval, times_ms, columns, whole=False):
        raise ValueError("a candle is not sound")
    return rounded_table(symbol, interval, times_ms, columns)


async def _ask(web: Web, url: str, budget: RateBudget, path: str, parameters: Mapping[str, str]) -> Answer:
    return await web.get(f"{url}/api/v3/{path}", parameters, budget=budget, cost=cost("get", path, parameters))


def market_of(url: str) -> str:
    """The name of an exchange's market: `binance` behind each address of its production, else the address' place."""
    parts = urlsplit(url)
    return BINANCE if _PRODUCTION_HOST.fullmatch(parts.hostname or "") else parts.netloc


def _code(document: Any) -> Any:
    return document.get("code") if isinstance(document, dict) else None


def _told(answer: Answer, document: Any) -> str:
    """The exchange's own words where it has some."""
    return f"{document.get('msg')} ({_code(document)})" if _code(document) else f"HTTP {answer.status}"


def _document(host: str, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        raise HistoryError(f"{host} answered HTTP {answer.status} with what is not JSON") from None


async def _unknown_symbol(web: Web, url: str, budget: RateBudget, symbols: Sequence[str]) -> HistoryError:
    """What to say when the exchange does not know one of `symbols`."""
    host = urlsplit(url).netloc
    document = _document(host, await _ask(web, url, budget, "exchangeInfo", {}))
    known = [entry["symbol"] for entry in document["symbols"]]
    unknown = next((symbol for symbol in symbols if symbol not in known), symbols[0])
    near = nearest(unknown, known)
    return HistoryError(f"{host} has no symbol {unknown}" + (f"; did you mean {near}?" if near else ""))
