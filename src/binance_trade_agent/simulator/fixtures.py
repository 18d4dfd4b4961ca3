"""F0, F1, F2: the fixed markets of binance-protocol.md Appendix A. They never move by themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import cycle
from typing import Any

import numpy as np

from binance_trade_agent.domain.candles import MINUTE_MS, Candle, interval_open_ms
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.columns import to_units
from binance_trade_agent.simulator.market.feed import Print
from binance_trade_agent.simulator.market.whole_numbers import Column
from binance_trade_agent.simulator.symbols import listing

_HISTORY_CANDLES = 2999  # and one that is open
_TRADES_A_CANDLE = 10
_TRADE_EVERY_MS = MINUTE_MS // _TRADES_A_CANDLE
_TRADED_CANDLES = 50  # as many closed candles are there as trades too, so that GET trades can answer its 500
_TRADE_QUANTITY = Decimal(1)
_VOLUME = _TRADES_A_CANDLE * _TRADE_QUANTITY


def _levels(text: str) -> list[Level]:
    return [(Decimal(price), Decimal(size)) for price, size in (level.split("x") for level in text.split())]


_BOOKS = {
    "BTCUSDT": ("99990x1 99980x2 99970x3", "100000x1 100010x2 100020x3"),
    "ETHUSDT": ("3999.90x10", "4000x10"),
    "BNBUSDT": ("799.90x50", "800x50"),
    "SOLUSDT": ("199.99x100", "200x100"),
}
_BALANCES = {
    "BNB": Decimal(0),
    "BTC": Decimal(1),
    "ETH": Decimal(10),
    "SOL": Decimal(100),
    "USDT": Decimal(100_000),
}


@dataclass(frozen=True, slots=True)
class Fixture:
    """One of the fixed markets.

    Attributes:
        balances: of the main account, free, per asset.
        has_bnb_discount: whether the main account pays commission in BNB.
        changes: per symbol, fields of its entry in exchangeInfo that are other than usual.
    """

    balances: Mapping[str, Decimal]
    has_bnb_discount: bool = False
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _with_maximum_position(maximum: str) -> Sequence[Mapping[str, Any]]:
    return [*listing("BTCUSDT")["filters"], {"filterType": "MAX_POSITION", "maxPosition": maximum}]


def _with_minimum_notional(minimum: str) -> Sequence[Mapping[str, Any]]:
    """MIN_NOTIONAL in the place of NOTIONAL."""
    own = {"filterType": "MIN_NOTIONAL", "minNotional": minimum, "applyToMarket": True, "avgPriceMins": 5}
    return [own if entry["filterType"] == "NOTIONAL" else entry for entry in listing("SOLUSDT")["filters"]]


FIXTURES: Mapping[str, Fixture] = {
    "F0": Fixture(_BALANCES),
    "F1": Fixture({**_BALANCES, "BNB": Decimal(10)}, has_bnb_discount=True),
    "F2": Fixture(
        _BALANCES,
        changes={
            "BTCUSDT": {"filters": _with_maximum_position("2.00000000")},
            "SOLUSDT": {"filters": _with_minimum_notional("5.00000000")},
            "BNBUSDT": {"permissionSets": [["TRD_GRP_050"]]},
            "ETHUSDT": {"status": "BREAK"},
        },
    ),
}


class FixtureFeed:
    """A feed whose prices stand still; see market/feed.py for its methods."""

    def __init__(self, fixture: Fixture, start_ms: int) -> None:
        self.symbols: tuple[str, ...] = tuple(_BOOKS)
        self.start_ms = self.resume_ms = start_ms
        self.ends_ms: int | None = None
        self.intervals: Mapping[str, str] = dict.fromkeys(self.symbols, "1m")
        self.listings: Mapping[str, Mapping[str, Any]] = {
            symbol: {**listing(symbol), **fixture.changes.get(symbol, {})} for symbol in self.symbols
        }
        self._books = {symbol: (_levels(bids), _levels(asks)) for symbol, (bids, asks) in _BOOKS.items()}

    def history(self, symbol: str) -> CandleColumns:
        """Flat candles until the running minute."""
        open_ms = interval_open_ms("1m", self.start_ms)
        first_ms = open_ms - _HISTORY_CANDLES * MINUTE_MS
        price, volume = to_units(self._last_price(symbol)), to_units(_VOLUME)
        lengths_ms, prices, volumes = (np.full(_HISTORY_CANDLES, value) for value in (MINUTE_MS, price, volume))
        return CandleColumns(
            np.arange(first_ms, open_ms, MINUTE_MS), lengths_ms, prices, prices, prices, prices, volumes
        )

    def print_counts(self, symbol: str, candles: CandleColumns) -> Column:  # noqa: ARG002 (Feed)
        """Every candle has had ten trades."""
        return np.full(len(candles), _TRADES_A_CANDLE)

    def prelude(self, symbol: str) -> Sequence[Print]:
        """The trades of the last candles and of the open one, at the last price; half of the takers buy."""
        bids, asks = self._books[symbol]
        price = self._last_price(symbol)
        first_ms = interval_open_ms("1m", self.start_ms) - _TRADED_CANDLES * MINUTE_MS
        times_ms = range(first_ms, self.start_ms, _TRADE_EVERY_MS)
        return [
            Print(symbol, at_ms, price, _TRADE_QUANTITY, side, bids, asks)
            for at_ms, side in zip(times_ms, cycle((Side.SELL, Side.BUY)), strict=False)
        ]

    def prints_until(self, until_ms: int) -> Iterator[Print]:  # noqa: ARG002 (Feed)
        """Nothing happens by itself."""
        return iter(())

    def candles(self, symbol: str, after_ms: int, until_ms: int) -> Sequence[Candle]:
        """Every minute opens a candle, which is flat at whatever traded last: a volume of 0 would fix its price."""
        first_ms = interval_open_ms("1m", after_ms) + MINUTE_MS
        price = self._last_price(symbol)
        return [
            Candle(at_ms, at_ms + MINUTE_MS - 1, price, price, price, price, _VOLUME)
            for at_ms in range(first_ms, until_ms + 1, MINUTE_MS)
        ]

    def _last_price(self, symbol: str) -> Decimal:
        """The best ask is the last price."""
        return self._books[symbol][1][0][0]
