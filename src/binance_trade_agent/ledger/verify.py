"""Replaying the ledger: everything that is a sum is worked out again from the fills and postings alone.

Reads one row after the other, so a ledger of a million fills takes no more memory than an empty one. What was not
worked out (a price, a reason) cannot be verified here; `trade-agent reconcile` asks the exchange.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import groupby

from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.integrity import UNREADABLE
from binance_trade_agent.ledger.packing import unpack
from binance_trade_agent.ledger.verify_equity import verify_equity, verify_external_sums
from binance_trade_agent.ledger.verify_orders import verify_orders
from binance_trade_agent.ledger.verify_positions import verify_positions

Say = Callable[[str], None]


def verify(connection: sqlite3.Connection, say: Say) -> dict[str, int]:
    """Verify the ledger as this connection's transaction sees it, and `say` each difference in a sentence.

    Returns:
        How many fills, postings and orders were read.
    """
    counts: Counter[str] = Counter()
    checks: dict[str, Callable[[], None]] = {
        "the file": lambda: _verify_file(connection, say),
        "epochs and runs": lambda: _verify_numbers(connection, say),
        "postings": lambda: _verify_wallets(connection, say, counts),
        "fills": lambda: verify_positions(connection, say, counts),
        "fee values": lambda: _verify_fee_values(connection, say),
        "orders": lambda: verify_orders(connection, say, counts),
        "decisions": lambda: _verify_decisions(connection, say),
        "equity": lambda: verify_equity(connection, say),
        "what came from outside": lambda: verify_external_sums(connection, say),
    }
    for what, check in checks.items():
        try:
            check()
        except sqlite3.DatabaseError as error:
            say(f"{what}: the file could not be read to the end: {error}")
        except UNREADABLE as error:
            say(f"{what}: a value cannot be worked with: {error!r}")
    return {what: counts[what] for what in ("fills", "postings", "orders")}


def _verify_file(connection: sqlite3.Connection, say: Say) -> None:
    for (answer,) in connection.execute("PRAGMA integrity_check"):
        if answer != "ok":
            say(f"the file is damaged: {answer}")
    lost = Counter((row[0], row[2]) for row in connection.execute("PRAGMA foreign_key_check"))
    for (table, parent), rows in sorted(lost.items()):
        say(f"{table}: {rows} rows refer to rows of {parent} that are not there")


def _verify_numbers(connection: sqlite3.Connection, say: Say) -> None:
    epochs = queries.epochs(connection)
    for number, epoch in enumerate(epochs, start=1):
        if epoch.epoch != number:
            say(f"epoch {epoch.epoch} is the {number}. one: an epoch is missing")
            break
        if (epoch.closed_ms is None) != (number == len(epochs)):
            say(f"epoch {number} is {'open' if epoch.closed_ms is None else 'closed'} and {len(epochs)} is the last")
    numbers = [run.number for run in queries.runs(connection)]
    if numbers != list(range(1, len(numbers) + 1)):
        say(f"the {len(numbers)} runs are not numbered 1 to {len(numbers)}")


def _verify_wallets(connection: sqlite3.Connection, say: Say, counts: "Counter[str]") -> None:
    """Each entry is whole and sums to zero for each asset; the wallet is the sum of its postings."""
    rows = connection.execute(
        "SELECT epoch, kind, reference, line, asset, account, amount FROM postings"
        " ORDER BY epoch, kind, reference, line"
    )
    worked_out: defaultdict[tuple[int, str], Decimal] = defaultdict(lambda: ZERO)
    for (epoch, kind, reference), lines in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        sums: dict[str, Decimal] = {}
        expected = 0
        for expected, (_, _, _, line, asset, account, text) in enumerate(lines, start=1):
            if line != expected:
                say(f"entry {kind} {reference} of epoch {epoch}: line {expected} is missing")
                break
            amount = Decimal(text)
            sums[asset] = sums.get(asset, ZERO) + amount
            if account == "wallet":
                worked_out[epoch, asset] += amount
        counts["postings"] += expected
        for asset, total in sums.items():
            if total:
                say(f"entry {kind} {reference} of epoch {epoch} does not sum to zero: {plain(total)} {asset} is left")
    noted = {
        (row["epoch"], row["asset"]): Decimal(row["amount"]) for row in connection.execute("SELECT * FROM wallets")
    }
    for epoch, asset in sorted({*worked_out, *noted}):
        amount, total = noted.get((epoch, asset), ZERO), worked_out.get((epoch, asset), ZERO)
        if amount != total:
            say(f"wallet of epoch {epoch}: {plain(amount)} {asset}, and its postings sum to {plain(total)}")


def _verify_fee_values(connection: sqlite3.Connection, say: Say) -> None:
    """A commission in a third asset is that of its fill, and its value the amount at the noted price."""
    rows = connection.execute(
        "SELECT fee_values.*, fills.commission, fills.commission_asset FROM fee_values"
        " LEFT JOIN fills USING (epoch, symbol, trade_id) ORDER BY epoch, symbol, trade_id"
    )
    for row in rows:
        what = f"fee value of fill {row['symbol']}:{row['trade_id']} of epoch {row['epoch']}"
        if (row["amount"], row["asset"]) != (row["commission"], row["commission_asset"]):
            say(f"{what} is not of its fill's commission")
        elif (row["price"] is None) != (row["value_quote"] is None):
            say(f"{what} has a price without a value, or the other way round")
        elif row["price"] is not None and Decimal(row["amount"]) * Decimal(row["price"]) != Decimal(row["value_quote"]):
            say(f"{what}: {row['amount']} at {row['price']} is not {row['value_quote']}")


def _verify_decisions(connection: sqlite3.Connection, say: Say) -> None:
    """What each was made on can be read."""
    rows = connection.execute("SELECT run_id, tick_ms, symbol, packed FROM decisions WHERE packed IS NOT NULL")
    for row in rows:
        try:
            unpack(row["packed"])
        except ValueError as error:
            say(f"decision on {row['symbol']} at {row['tick_ms']} of run {row['run_id']}: {error}")


def sentences(connection: sqlite3.Connection) -> Iterator[str]:
    """Every difference; for tests and short ledgers."""
    found: list[str] = []
    verify(connection, found.append)
    yield from found
