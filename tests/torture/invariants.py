"""What must be true at every moment of a simulated world, and what must be true at its end."""

import itertools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_ids import decision_digest, is_own_order_id
from binance_trade_agent.domain.order_states import (
    ENDED_STATES,
    GIVEN_UP_STATES,
    STATE_OF_STATUS,
    TRANSITIONS,
    OrderState,
)
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.ledger import queries
from tests.torture.exchange import WorldExchange, order_ids_in

ACCOUNT = "main"


class Invariants:
    """Watches the exchange and the ledger of one world.

    Args:
        instance: only its orders count, where several daemons trade on the account.
        assets: only of these the ledger's wallet is the account's balance; None: of all.

    Attributes:
        violations: sentences; empty when all is well.
        posted: how often each client order id has arrived at the exchange.
        posts: requests to place something that have arrived.
    """

    def __init__(
        self,
        exchange: WorldExchange,
        ledger_path: Path,
        *,
        instance: str | None = None,
        assets: Collection[str] | None = None,
    ) -> None:
        self.violations: list[str] = []
        self.posted: Counter[str] = Counter()
        self.posts = 0
        self._exchange = exchange
        self._path = ledger_path
        self._instance = instance
        self._assets = assets
        self._reader: sqlite3.Connection | None = None
        self._state: dict[str, OrderState] = {}
        self._filled: dict[str, Decimal] = {}
        self._seen = (0, 0, 0)
        self._was_restored = False
        self._placed_as: dict[tuple[str, int], str] = {}

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def forget(self) -> None:
        """The ledger was put back from a backup: what it said since does not bind it."""
        self._was_restored = True
        self.close()
        self._state.clear()
        self._filled.clear()
        self._seen = (0, 0, 0)

    def violated(self, text: str) -> None:
        """Note what must not be."""
        if text not in self.violations:
            self.violations.append(text)

    # -- at every moment

    def on_request(self, method: str, target: str, body: str) -> None:
        """A request arrives at the exchange: every order in it was committed before, and is new."""
        ids = [order_id for order_id in order_ids_in(method, target, body) if self._is_own(order_id)]
        self.posts += bool(ids)
        for order_id in ids:
            self.posted[order_id] += 1
            if self.posted[order_id] > 1:
                self.violated(f"order {order_id} was sent {self.posted[order_id]} times")
            if not self._is_committed(order_id):
                self.violated(f"order {order_id} was sent before its intent was committed")

    def on_transaction(self, transaction: Any) -> None:
        """Something has happened on the exchange."""
        for report in transaction.reports:
            order = report.order
            name = report.original_client_order_id or report.client_order_id
            self._placed_as.setdefault((order.symbol, order.order_id), name)

    def on_written(self, connection: sqlite3.Connection) -> None:
        """The ledger has changed: orders only go forward, and every sum is that of its parts."""
        seen = tuple(
            connection.execute(
                "SELECT (SELECT count(*) FROM order_events), (SELECT count(*) FROM fills), (SELECT count(*) FROM postings)"
            ).fetchone()
        )
        if seen == self._seen:
            return
        is_booked = seen[1:] != self._seen[1:]
        self._seen = seen
        self._check_orders(connection)
        if is_booked:
            for sentence in (*sums_that_differ(connection), *money_from_nowhere(connection)):
                self.violated(sentence)

    def _check_orders(self, connection: sqlite3.Connection) -> None:
        find = self._exchange.exchange.engine.history.find
        for row in connection.execute(
            "SELECT client_order_id, symbol, state, exchange_order_id, filled_base FROM orders"
        ):
            order_id, symbol, state = row["client_order_id"], row["symbol"], OrderState(row["state"])
            before = self._state.get(order_id)
            if before != state:
                if before in ENDED_STATES:
                    self.violated(f"order {order_id} went from {before} back to {state}")
                elif before in GIVEN_UP_STATES:
                    self.violated(f"order {order_id} was given up as {before} and is {state} after all")
                self._state[order_id] = state
            if row["exchange_order_id"] is not None and self._filled.get(order_id) != row["filled_base"]:
                self._filled[order_id] = row["filled_base"]
                order = find(ACCOUNT, symbol, row["exchange_order_id"])
                if order is None or Decimal(row["filled_base"]) > order.executed_base:
                    executed = "nothing" if order is None else order.executed_base
                    self.violated(f"order {order_id} filled {row['filled_base']}, the exchange executed {executed}")

    def _is_own(self, order_id: str) -> bool:
        return is_own_order_id(order_id, self._instance)

    def _is_committed(self, order_id: str) -> bool:
        if self._reader is None:
            self._reader = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        return (
            self._reader.execute("SELECT 1 FROM orders WHERE client_order_id = ?", (order_id,)).fetchone() is not None
        )

    # -- at the end

    def differences(self, connection: sqlite3.Connection) -> list[str]:
        """In what the ledger and the exchange disagree, to the last digit; empty when everything is settled."""
        return [
            *self._balance_differences(connection),
            *self._order_differences(connection),
            *self._trade_differences(connection),
        ]

    def _balance_differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        epoch = queries.current_epoch(connection)
        wallet = queries.wallet(connection, epoch.epoch if epoch else 0)
        for asset, amount in sorted(self._exchange.balances().items()):
            if (self._assets is None or asset in self._assets) and wallet.get(asset, ZERO) != amount:
                yield f"{asset}: ledger {wallet.get(asset, ZERO)}, exchange {amount}"

    def _order_differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        theirs, doubled = self._own_orders()
        yield from doubled
        entries = {entry.order.client_order_id: entry for entry in queries.orders(connection)}
        by_number = {(entry.order.symbol, entry.order.exchange_order_id): entry for entry in entries.values()}
        for name, order in theirs.items():
            # A leg that was cancelled is adopted under its list's id.
            entry = entries.get(name) or by_number.get((order.symbol, order.order_id))
            if entry is None or entry.order.state in GIVEN_UP_STATES:
                if not self._was_restored or order.status.value != "CANCELED" or order.executed_base:
                    yield f"order {name} is lost: the exchange has it, the ledger has not"
            elif (entry.order.state, entry.filled_base) != (STATE_OF_STATUS[order.status.value], order.executed_base):
                yield (
                    f"order {name}: ledger {entry.order.state} {entry.filled_base}, "
                    f"exchange {order.status} {order.executed_base}"
                )
        numbers = {(order.symbol, order.order_id) for order in theirs.values()}
        for name, entry in entries.items():
            is_there = name in theirs or (entry.order.symbol, entry.order.exchange_order_id) in numbers
            if not is_there and entry.order.state not in GIVEN_UP_STATES:
                yield f"order {name}: ledger {entry.order.state}, the exchange does not have it"
            if entry.order.is_terminal and not entry.is_settled:
                yield f"order {name} is over and not settled"

    def _own_orders(self) -> tuple[dict[str, Any], list[str]]:
        """The exchange's orders of ours by the ids they were placed under, and what it has twice."""
        found: dict[str, Any] = {}
        traded: Counter[str] = Counter()
        doubled = []
        for order in self._exchange.exchange.engine.history.all_orders():
            name = self._placed_as[order.symbol, order.order_id]
            if self._is_own(name):
                doubled += [f"order {name} is twice on the exchange"] * (name in found)
                found[name] = order
                traded[decision_digest(name)] += order.executed_base > 0
        doubled += [f"decision {digest} is twice on the exchange" for digest, times in traded.items() if times > 1]
        return found, doubled

    def _trade_differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        def numbers(trade: Any) -> tuple[Any, ...]:
            fee = trade.commission, trade.commission_asset
            return trade.side.value, trade.price, trade.quantity, trade.quote_quantity, *fee, trade.is_maker

        ours = {(fill.symbol, fill.trade_id): numbers(fill) for fill in queries.fills(connection)}
        theirs = {
            (trade.symbol, trade.trade_id): numbers(trade)
            for trade in self._exchange.exchange.engine.history.all_trades()
            if self._is_own(self._placed_as[trade.symbol, trade.order_id])
        }
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                yield f"trade {key}: ledger {ours.get(key)}, exchange {theirs.get(key)}"

    def check_books(self, connection: sqlite3.Connection) -> None:
        """The ledger is whole in itself: its journal, the steps of its orders, and no money from nowhere."""
        steps: dict[str, list[OrderState]] = defaultdict(list)
        for row in connection.execute(
            "SELECT client_order_id, state FROM order_events ORDER BY client_order_id, sequence"
        ):
            steps[row["client_order_id"]].append(OrderState(row["state"]))
        for order_id, states in steps.items():
            for before, after in itertools.pairwise(states):
                if after != before and after not in TRANSITIONS[before]:
                    self.violated(f"order {order_id} stepped from {before} to {after}")
        for sentence in (*sums_that_differ(connection), *money_from_nowhere(connection)):
            self.violated(sentence)
        try:
            from binance_trade_agent.ledger.verify import verify
        except ImportError:
            return
        verify(connection, lambda sentence: self.violated(f"ledger verify: {sentence}"))


def money_from_nowhere(connection: sqlite3.Connection) -> list[str]:
    """Nobody deposits or withdraws here, so what is booked as external is a fill that was lost or doubled."""
    rows = connection.execute("SELECT * FROM postings WHERE kind = 'external' AND account = 'wallet'")
    return [f"{row['amount']} {row['asset']} was booked as coming from outside ({row['reference']})" for row in rows]


def sums_that_differ(connection: sqlite3.Connection) -> list[str]:
    """Entries that do not sum to zero, and wallets and positions that are not the sums of postings and fills."""
    entries: defaultdict[tuple[Any, ...], Decimal] = defaultdict(lambda: ZERO)
    wallets: defaultdict[tuple[int, str], Decimal] = defaultdict(lambda: ZERO)
    for row in connection.execute("SELECT epoch, kind, reference, asset, account, amount FROM postings"):
        amount = Decimal(row["amount"])
        entries[row["epoch"], row["kind"], row["reference"], row["asset"]] += amount
        if row["account"] == "wallet":
            wallets[row["epoch"], row["asset"]] += amount
    wrong = [f"entry {key} sums to {amount}" for key, amount in entries.items() if amount]
    wrong += [
        f"the wallet says {row['amount']} {row['asset']}, its postings say otherwise"
        for row in connection.execute("SELECT epoch, asset, amount FROM wallets")
        if wallets[row["epoch"], row["asset"]] != Decimal(row["amount"])
    ]
    for row in connection.execute("SELECT * FROM positions"):
        position = Position(row["symbol"])
        for fill in queries.fills(connection, epoch=row["epoch"], symbol=row["symbol"]):
            position = apply_fill(position, fill, base_asset=row["base_asset"], quote_asset=row["quote_asset"])
        kept = tuple(Decimal(row[name]) for name in ("quantity", "cost_quote", "realised_pnl_quote"))
        if kept != (position.quantity, position.cost_quote, position.realised_pnl_quote):
            wrong.append(f"the position of {row['symbol']} says {kept[0]}, its fills say {position.quantity}")
    return wrong
