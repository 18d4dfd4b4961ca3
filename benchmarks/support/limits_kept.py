"""Whether a session kept its limits, worked out from the ledger's fills alone, without a line of the code of `risk/`.

An entry that fills above the price at which it was sized may end above a limit in quote asset by that slippage; so much
is allowed for (`SLIPPAGE`).
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.ledger.rows import in_full

SLIPPAGE = Decimal("1.005")
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A filled entry: when, how much, and what the bot held right after it (quote, all at the last price of each)."""

    symbol: str
    at_ms: int
    spent_quote: Decimal
    position_quote: Decimal
    exposure_quote: Decimal
    open_positions: int


def broken_limits(connection: sqlite3.Connection) -> list[str]:
    """A sentence for each entry that broke a limit of the run's settings; empty when all were kept."""
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT settings_json, started_ms FROM runs ORDER BY number DESC LIMIT 1").fetchone()
    settings = json.loads(row["settings_json"])
    entries = list(_entries(connection))
    return [
        *_sizes(entries, settings, connection),
        *_frequency(entries, settings),
        *_pauses(entries, connection),
        *_findings(connection),
    ]


def _limit(settings: dict[str, str], name: str) -> Decimal:
    return Decimal(settings[f"RISK_{name}"])


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """One for each order that bought, at its last fill, in the order of time."""
    held: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    price: dict[str, Decimal] = {}
    spent: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    rows = connection.execute("SELECT * FROM fills ORDER BY traded_ms, symbol, trade_id").fetchall()
    last = {row["client_order_id"]: (row["traded_ms"], row["trade_id"]) for row in rows}
    for row in rows:
        symbol, quantity = row["symbol"], Decimal(row["quantity"])
        price[symbol] = Decimal(row["price"])
        is_buy = row["side"] == "BUY"
        held[symbol] += quantity if is_buy else -quantity
        if row["commission_asset"] not in {"USDT", "BNB"}:
            held[symbol] -= Decimal(row["commission"])
        spent[row["client_order_id"]] += Decimal(row["quote_quantity"])
        if is_buy and last[row["client_order_id"]] == (row["traded_ms"], row["trade_id"]):
            worth = {name: amount * price[name] for name, amount in held.items()}
            yield Entry(
                symbol,
                row["traded_ms"],
                spent[row["client_order_id"]],
                worth[symbol],
                sum(worth.values(), ZERO),
                sum(value > 5 for value in worth.values()),  # less than the least notional is dust
            )


def _sizes(entries: list[Entry], settings: dict[str, str], connection: sqlite3.Connection) -> Iterator[str]:
    equity = connection.execute("SELECT tick_ms, cash_quote, positions_quote FROM equity ORDER BY tick_ms").fetchall()
    at = 0
    for entry in entries:
        while at + 1 < len(equity) and equity[at + 1]["tick_ms"] <= entry.at_ms:
            at += 1
        worth = Decimal(equity[at]["cash_quote"]) + Decimal(equity[at]["positions_quote"])
        most = {
            "MAX_ORDER_QUOTE": (entry.spent_quote, _limit(settings, "MAX_ORDER_QUOTE")),
            "MAX_POSITION_QUOTE": (entry.position_quote, _limit(settings, "MAX_POSITION_QUOTE")),
            "MAX_EXPOSURE_PCT": (entry.exposure_quote, _limit(settings, "MAX_EXPOSURE_PCT") * worth / 100),
        }
        for name, (value, limit) in most.items():
            if value > limit * SLIPPAGE:
                yield f"{entry.symbol} at {entry.at_ms}: {value:f} passes RISK_{name}, {limit:f}"
        if entry.open_positions > _limit(settings, "MAX_OPEN_POSITIONS"):
            yield f"{entry.symbol} at {entry.at_ms}: {entry.open_positions} positions pass RISK_MAX_OPEN_POSITIONS"


def _frequency(entries: list[Entry], settings: dict[str, str]) -> Iterator[str]:
    for index, entry in enumerate(entries):
        before = entries[:index]
        for name, length_ms, is_own in (
            ("MAX_TRADES_PER_HOUR", _HOUR_MS, False),
            ("MAX_TRADES_PER_DAY", _DAY_MS, False),
            ("MAX_SYMBOL_TRADES_PER_HOUR", _HOUR_MS, True),
            ("MAX_SYMBOL_TRADES_PER_DAY", _DAY_MS, True),
        ):
            since = entry.at_ms - length_ms
            counted = 1 + sum(e.at_ms > since and (not is_own or e.symbol == entry.symbol) for e in before)
            if _limit(settings, name) and counted > _limit(settings, name):
                yield f"{entry.symbol} at {entry.at_ms}: entry {counted} passes RISK_{name}"
        own = [e.at_ms for e in before if e.symbol == entry.symbol]
        if own and entry.at_ms - own[-1] < _limit(settings, "COOLDOWN_SECONDS") * 1000:
            yield f"{entry.symbol} at {entry.at_ms}: {(entry.at_ms - own[-1]) / 1000} s after the entry before"


def _pauses(entries: list[Entry], connection: sqlite3.Connection) -> Iterator[str]:
    for pause in connection.execute("SELECT * FROM pauses").fetchall():
        for entry in entries:
            if pause["since_ms"] < entry.at_ms < pause["until_ms"]:
                yield f"{entry.symbol} at {entry.at_ms}: entered in the pause for {pause['rule']}"


def _findings(connection: sqlite3.Connection) -> Iterator[str]:
    """Every rule has allowed each order that an entry's decision led to."""
    rows = connection.execute("SELECT * FROM decisions WHERE client_order_id IS NOT NULL AND exit IS NULL")
    for row in map(in_full, rows):
        refusing = [rule for rule, allows, *_ in json.loads(row["findings_json"] or "[]") if not allows]
        if refusing or not row["findings_json"]:
            yield f"{row['symbol']} at {row['tick_ms']}: ordered though {refusing or 'no rule was asked'}"
