"""Recovery: asks about every order that is not settled, then books every trade of ours that the ledger missed."""

import logging
import sqlite3
from collections.abc import Collection, Iterable, Mapping

from binance_trade_agent.agents import in_question
from binance_trade_agent.agents.order_keeper import OrderKeeper, is_another
from binance_trade_agent.domain.order_states import GIVEN_UP_STATES, STATE_OF_STATUS
from binance_trade_agent.domain.orders import Fill, Order, OrderReport
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import order_symbols, queries
from binance_trade_agent.ledger.journal import BEFORE_ALL_TRADES
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ops import crash_points

log = logging.getLogger(__name__)


class Recovery:
    """Writes into the ledger what the exchange knows of our orders and the ledger does not.

    Args:
        rules: of the traded symbols, and of others that the ledger holds something of.
    """

    def __init__(self, gateway: Gateway, ledger: Ledger, keeper: OrderKeeper, rules: Mapping[str, SymbolRules]) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._keeper = keeper
        self._rules = rules
        self._begun: set[str] = set()

    async def begin(self, symbol: str, market_trade_id: int | None = None) -> None:
        """Note up to which trade the account has traded a symbol, before the first order of ours on it is committed.

        Where it is noted already, as it is for few symbols when an epoch opens, nothing is asked; nor is the account
        where a stream tells the market's last trade: every trade of ours from now on has a higher number, as an
        account's trades have the market's (github.com/ccxt/ccxt/issues/4618). A note that is older than need be, as
        after a kill in between, does no harm: what others have traded since is read and skipped. Under the symbol's
        turn.

        Args:
            symbol: of the order.
            market_trade_id: of a trade on the market that was before now, a recent one; None when none is known.

        Raises:
            ExchangeError: it could not be asked.
            LedgerError: it could not be written.
        """
        if symbol in self._begun:
            return
        if market_trade_id is not None:
            await self._ledger.begin_trades(symbol, market_trade_id)
        elif not await self._is_noted(symbol):
            latest = await self._gateway.latest_trade_id(symbol)
            await self._ledger.begin_trades(symbol, BEFORE_ALL_TRADES if latest is None else latest)
        crash_points.passed("trades.noted")
        self._begun.add(symbol)

    def begin_epoch(self) -> None:
        """Another epoch is traded in: nothing is noted in it yet that it did not open with."""
        self._begun.clear()

    async def catch_up(self) -> None:
        """Ask about every order that is not settled; of few symbols then about every trade since the last one read.

        Raises:
            ExchangeError: the exchange could not be asked; what was booked until then stays booked.
            LedgerError: something could not be written.
        """
        await self._ask_about(await self._ledger.open_orders())
        if in_question.are_few(self._rules):
            await self.read_trades(self._rules)

    async def read_trades(self, symbols: Collection[str]) -> None:
        """Ask about every trade of these symbols since the last one that was read, and book ours.

        Raises:
            ExchangeError, LedgerError: see catch_up.
        """
        for symbol in [symbol for symbol in self._rules if symbol in symbols]:
            async with self._keeper.turn(symbol):
                await self._book_missed_trades(symbol)

    async def ask_about_unsettled(self) -> None:
        """Ask about every order that should have ended by now: all but what rests on the exchange on purpose.

        Raises:
            ExchangeError, LedgerError: see catch_up.
        """
        await self._ask_about([order for order in await self._ledger.open_orders() if not order.rests])

    async def _ask_about(self, orders: list[Order]) -> None:
        unchanged = await self._unchanged(orders)
        for order in orders:
            if order.symbol not in self._rules or order.client_order_id in unchanged:
                continue
            async with self._keeper.turn(order.symbol):
                entry = await self._ledger.order(order.client_order_id)
                if entry is not None and not entry.is_settled:  # it may have moved on while its turn was awaited
                    await self._keeper.ask(entry.order)

    async def _unchanged(self, orders: Iterable[Order]) -> set[str]:
        """Of many orders those that are open there just as the ledger says: one question about all of them tells."""
        resting = sum(order.is_on_exchange for order in orders)
        if in_question.are_few(self._rules) or resting <= in_question.FEW_ORDERS:
            return set()
        reports = {(report.symbol, report.exchange_order_id): report for report in await self._gateway.open_orders()}

        def compare(connection: sqlite3.Connection) -> set[str]:
            found = set()
            for entry in queries.unsettled_orders(connection, queries.epoch_number(connection)):
                report = reports.get((entry.order.symbol, entry.order.exchange_order_id or 0))
                if report is not None and _tells_nothing_new(entry, report):
                    found.add(entry.order.client_order_id)
            return found

        return await self._ledger.read(compare)

    async def take_back(self, symbol: str, orders: Iterable[Order]) -> None:
        """Ask about what was given up, of `orders` and of all that rests there: the exchange may have it after all.

        Raises:
            ExchangeError, LedgerError: see catch_up.
        """
        async with self._keeper.turn(symbol):
            names = [report.client_order_id for report in await self._gateway.open_orders(symbol)]
            names += [order.client_order_id for order in orders if order.symbol == symbol]
            for name in dict.fromkeys(names):
                entry = await self._ledger.order(name)
                if entry is not None and entry.order.state in GIVEN_UP_STATES:
                    await self._keeper.ask(entry.order)

    async def _book_missed_trades(self, symbol: str) -> None:
        """Read the account's trades behind the cursor; book ours, skip those of others, and move the cursor."""
        cursor = await self._ledger.trade_cursor(symbol)
        if cursor is None and not await self._has_order(symbol):
            return  # nothing of ours, and all that the account has ever traded would be read
        trades = await self._gateway.trades_since(symbol, 0 if cursor is None else cursor + 1)
        for exchange_order_id in dict.fromkeys(trade.exchange_order_id for trade in trades):
            entry = await self._entry(symbol, exchange_order_id)
            made = [trade for trade in trades if trade.exchange_order_id == exchange_order_id]
            if entry is not None and entry.is_settled and await self._are_booked(entry.order, made):
                continue  # nothing is new, and a question costs more than all of them together
            report = await self._gateway.order_by_exchange_id(symbol, exchange_order_id)
            if entry is None and report is not None:
                entry = await self._ledger.order(report.client_order_id)  # its answer was never seen
            if report is None:
                self._keeper.suspects_reset = True  # a trade without its order: nothing is concluded from that
                return
            if entry is None:
                continue
            fills = tuple(replace(trade, client_order_id=entry.order.client_order_id) for trade in made)
            await self._keeper.apply(replace(report, client_order_id=entry.order.client_order_id, fills=fills))
        if trades:
            await self._ledger.move_trade_cursor(symbol, trades[-1].trade_id)

    async def _are_booked(self, order: Order, trades: Iterable[Fill]) -> bool:
        """Whether the ledger has these trades of the order, as the exchange states them."""
        booked = await self._ledger.read(lambda inside: queries.fills_of_order(inside, order.client_order_id))
        return all(replace(trade, client_order_id=order.client_order_id) in booked for trade in trades)

    async def _has_order(self, symbol: str) -> bool:
        return await self._ledger.read(
            lambda connection: order_symbols.has_order(connection, queries.epoch_number(connection), symbol)
        )

    async def _is_noted(self, symbol: str) -> bool:
        """Whether it is known where the symbol's trades begin that have to be read: after one, or with the first."""

        def look(connection: sqlite3.Connection) -> bool:
            epoch = queries.epoch_number(connection)
            cursor = queries.trade_cursor(connection, epoch, symbol)
            return cursor is not None or order_symbols.has_order(connection, epoch, symbol)

        return await self._ledger.read(look)

    async def _entry(self, symbol: str, exchange_order_id: int) -> OrderEntry | None:
        def find(connection: sqlite3.Connection) -> OrderEntry | None:
            number = queries.epoch_number(connection)
            return queries.order_by_exchange_id(connection, number, symbol, exchange_order_id)

        return await self._ledger.read(find)


def _tells_nothing_new(entry: OrderEntry, report: OrderReport) -> bool:
    """Whether an open order stands as the ledger says, with every fill booked."""
    order = entry.order
    if report.client_order_id != order.client_order_id or is_another(order, report):
        return False
    said = STATE_OF_STATUS.get(report.status), report.executed_base, report.executed_base
    return said == (order.state, order.executed_base, entry.filled_base)
