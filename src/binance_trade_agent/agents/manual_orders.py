"""ManualOrders: what a person orders, cancels and closes goes through the same agents as what a strategy decides.

The intent is committed together with the command's note of it, and its client order id follows from the command. So
after a crash the same command is answered from what became of its order, and never carried out twice. What comes too
late, or waited while no trader ran, is refused.
"""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from binance_trade_agent.agents.closing import Closer
from binance_trade_agent.agents.execution import TradeExecutionAgent, execution_text
from binance_trade_agent.agents.market_data import MarketDataAgent, MarketDataError
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.protection import UNPROTECTED, Protection
from binance_trade_agent.agents.risk import Asked, Identity, OrderReview, RiskManagementAgent
from binance_trade_agent.agents.standing import standing
from binance_trade_agent.control.carriers import Carried, Carrier, Moment, done, refused
from binance_trade_agent.control.commands import Command, CommandKind, CommandState, name_order
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.manual_orders import ManualOrder, manual_order
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.order_ids import decision_digest
from binance_trade_agent.domain.orders import Fill, Order, OrderState, OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.order_lookup import order_of_decision, orders_of_list
from binance_trade_agent.ledger.records import OrderEntry

# A command that says nothing itself is not carried out later than so long after it was placed (wall time).
LIFETIME_MS = 60_000
_MOST_CLOSES = 20

log = logging.getLogger(__name__)


class _NotDoneError(Exception):
    """A command is not carried out, and nothing was sent. One sentence for who asked."""


class ManualOrders:
    """Carries out what persons order, cancel and close.

    Args:
        traded: symbols that may be bought.
        wall_ms: the machine's time, by which commands expire.
        is_stopping: whether the daemon is to end: then nothing new is begun.
    """

    def __init__(
        self,
        market_data: MarketDataAgent,
        risk: RiskManagementAgent,
        execution: TradeExecutionAgent,
        protection: Protection,
        keeper: OrderKeeper,
        ledger: Ledger,
        closer: Closer,
        identity: Identity,
        traded: Sequence[str],
        *,
        wall_ms: Callable[[], int],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._market_data = market_data
        self._risk = risk
        self._execution = execution
        self._protection = protection
        self._keeper = keeper
        self._ledger = ledger
        self._closer = closer
        self._identity = identity
        self._traded = traded
        self._wall_ms = wall_ms
        self._is_stopping = is_stopping

    @property
    def by_kind(self) -> Mapping[CommandKind, Carrier]:
        """The carrier of each kind."""
        return {CommandKind.ORDER: self.order, CommandKind.CANCEL: self.cancel, CommandKind.CLOSE: self.close}

    # Orders

    async def order(self, command: Command, moment: Moment) -> Carried | None:  # noqa: ARG002 (a Carrier)
        """Place an order; None while its outcome is not known.

        Raises:
            LedgerError: the intent could not be committed (nothing was sent), or what came of it not be read.
        """
        if command.client_order_id is not None:
            return await self._told(command.client_order_id)
        try:
            order = self._asked_for(command)
            view = await self._look(order)
            review = await self._approved(order, view, _asked(command))
            said = await self._place(command, order, view, review)
        except (_NotDoneError, MarketDataError, ExchangeError) as failure:  # nothing was sent
            return refused(str(failure))
        return await self._told(review.intents[0].client_order_id, said)

    def _asked_for(self, command: Command) -> ManualOrder:
        if reason := self._reason_not_to_begin(command):
            raise _NotDoneError(reason)
        try:
            order = manual_order(command.payload)
            self._check_symbol(order.symbol, buys=order.side is Side.BUY)
        except ValueError as failure:
            raise _NotDoneError(str(failure)) from None
        return order

    async def _approved(self, order: ManualOrder, view: MarketView, asked: Asked) -> OrderReview:
        review = await self._risk.review_order(order, view, asked)
        if review.refusal is not None:
            raise _NotDoneError(f"refused by {review.refusal.rule}: {review.refusal.detail}")
        return review

    async def _place(self, command: Command, order: ManualOrder, view: MarketView, review: OrderReview) -> str:
        """Commit and send; what protects gives way to a sale, and is put right afterwards: what is new about it."""
        symbol, sells = order.symbol, order.side is Side.SELL
        try:
            is_protected = sells and await self._free_base(symbol) < order.quantity
            if is_protected and not await self._protection.release(symbol):
                raise _NotDoneError("what protects the position is not cancelled yet: try again")
            async with self._keeper.turn(symbol):
                if sells and (free := await self._free_base(symbol)) < order.quantity:
                    left = f"{plain(max(ZERO, free))} {view.rules.base_asset}"
                    raise _NotDoneError(
                        f"only {left} can be sold now: the others were sold meanwhile, or are being sold"
                    )
                if self._is_stopping():
                    raise _NotDoneError("the trader is stopping")
                async with self._execution.reserved(review.intents) as refusal:
                    if refusal is not None:
                        raise _NotDoneError(f"refused by {refusal.rule}: {refusal.detail}")
                    await self._execution.place(review.intents, review.list_id, command.command_id)
        finally:
            said = await self._protect(symbol, view.rules)
        return said

    async def _free_base(self, symbol: str) -> Decimal:
        """What the ledger holds and no order has on sale, in base asset; 0 while another order is under way."""

        def free(books: BooksView) -> Decimal:
            found = standing(books, symbol)
            if found.protection is None:
                return ZERO
            protected = max((order.left_base for order in found.protection), default=ZERO)
            return books.position(symbol).quantity - found.on_sale_base - protected

        return await self._ledger.consult(free)

    async def _look(self, order: ManualOrder) -> MarketView:
        """The market; with candles for an entry where they are sound, for what is measured by them."""
        if order.side is Side.BUY:
            try:
                return await self._market_data.observe(order.symbol)
            except MarketDataError as trouble:
                log.info("%s: a person's order is judged without candles: %s", order.symbol, trouble)
        return await self._market_data.glance(order.symbol)

    # Cancels

    async def cancel(self, command: Command, moment: Moment) -> Carried | None:  # noqa: ARG002 (a Carrier)
        """Cancel an order that rests; None while the exchange has not said what became of it.

        Raises:
            ExchangeError: it could not be asked; the wish is in the ledger.
            LedgerError: the ledger could not be read or written.
        """
        name = command.payload.get("client_order_id", "")
        entry = await self._ledger.order(name)
        if entry is None:
            return refused(f"there is no order {name!r}")
        order = entry.order
        rules = self._closer.rules.get(order.symbol)
        is_begun = command.client_order_id is not None
        if not entry.is_settled and (reason := await self._reason_out_of_reach(entry)):
            return refused(reason)
        if not is_begun and (reason := self._reason_not_to_begin(command) or _reason_not_to_cancel(entry)):
            return refused(reason)
        if not entry.is_settled:
            if not is_begun:
                await self._ledger.write(partial(name_order, command_id=command.command_id, client_order_id=name))
            async with self._keeper.turn(order.symbol):
                legs = [leg.order for leg in await self._of_list(entry)]
                await self._execution.cancel([leg for leg in legs if not leg.is_terminal])
        said = await self._protect(order.symbol, rules) if rules else ""
        entry = await self._ledger.order(name)
        if entry is None or await self._are_under_way(await self._of_list(entry)):
            return None
        executed = await self._executed(await self._of_list(entry))
        if entry.order.state is OrderState.CANCELED:
            return done(_joined("cancelled" + (f", after it had EXECUTED {executed}" if executed else ""), said))
        became = f"EXECUTED {executed}" if executed else f"{entry.order.state}"
        return refused(_joined(f"it was over before it could be cancelled: {became}", said))

    async def _reason_out_of_reach(self, entry: OrderEntry) -> str:
        """Why the exchange cannot be asked about an order any more; empty when it can."""
        name, symbol = entry.order.client_order_id, entry.order.symbol
        if not await self._are_under_way([entry]):
            return f"the exchange has forgotten {name}: it was reset since"
        if symbol not in self._closer.rules:
            return f"the exchange did not list {symbol} when this run began: nothing can be asked about {name}"
        return ""

    # Closing

    async def close(self, command: Command, moment: Moment) -> Carried | None:  # noqa: ARG002 (a Carrier)
        """Close the position of `symbol` or, where that is empty, all; None while the outcome of a sale is not known.

        Raises:
            LedgerError: the ledger could not be read or written.
        """
        symbol = command.payload.get("symbol", "")
        troubles: dict[str, str] = {}
        if command.client_order_id is None:
            if reason := self._reason_not_to_begin(command):
                return refused(reason)
            if "symbol" not in command.payload:  # what cannot be read must not come to mean all of them
                return refused("it does not say of which symbol")
            try:
                if symbol:
                    self._check_symbol(symbol, buys=False)
            except ValueError as failure:
                return refused(str(failure))
            held = await self._held()
            if symbol and symbol not in held:
                return refused(f"nothing is held of {symbol}")
            for each in [symbol] if symbol else held:
                troubles[each] = await self._close_one(command, each)
        return await self._closed(command, [symbol] if symbol else sorted(self._closer.rules), troubles)

    async def _close_one(self, command: Command, symbol: str) -> str:
        asked = _asked(command)
        reason = command.payload.get("reason", "")
        words = f"closed by {asked.by} (command {asked.number})" + (f": {reason}" if reason else "")
        try:
            return await self._closer.close(
                symbol,
                ExitKind.MANUAL,
                words,
                lambda number: self._close_id(asked, symbol, number),
                command.command_id,
            )
        except ExchangeError as failure:
            return str(failure)

    async def _closed(self, command: Command, symbols: Sequence[str], troubles: Mapping[str, str]) -> Carried | None:
        """What came of it, as far as the ledger says: also after a crash, when what was not sold is left."""
        asked, told, first = _asked(command), [], None
        left = set(await self._held())
        is_done = True
        for symbol in symbols:
            sales = await self._sales(asked, symbol)
            if await self._are_under_way(sales):
                return None
            first = first or next((sale.order.client_order_id for sale in sales), None)
            if executed := await self._executed(sales):
                told.append(f"{symbol}: EXECUTED {executed}")
            elif troubles.get(symbol) == "" and not sales and symbol not in left:
                told.append(f"{symbol}: what rested is cancelled, nothing was to be sold")
            if symbol in left and (symbol in troubles or sales or command.client_order_id is not None):
                is_done = False
                became = "; ".join(f"{sale.order.state} {sale.order.detail}" for sale in sales if not sale.filled_base)
                told.append(f"{symbol} is not closed: {troubles.get(symbol) or became or 'the trader ended meanwhile'}")
        answer = "; ".join(told) or "nothing is held"
        return Carried(CommandState.DONE if is_done and told else CommandState.REFUSED, answer, first)

    async def _held(self) -> list[str]:
        """Symbols of which more than dust is held, and those on which a person has orders resting."""
        rules = self._closer.rules

        def find(books: BooksView) -> list[str]:
            return [
                symbol
                for symbol in sorted(rules)
                if books.holding(symbol, rules[symbol]) is not None or standing(books, symbol).persons
            ]

        return await self._ledger.consult(find)

    def _close_id(self, asked: Asked, symbol: str, number: int) -> str:
        return asked.order_id(self._identity, symbol, f"close {number}")

    async def _sales(self, asked: Asked, symbol: str) -> list[OrderEntry]:
        """The sales of a close: by what their ids have in common in every generation of the daemon."""
        digests = [decision_digest(self._close_id(asked, symbol, number)) for number in range(1, _MOST_CLOSES + 1)]

        def find(connection: sqlite3.Connection) -> list[OrderEntry]:
            found = []
            for digest in digests:
                entry = order_of_decision(connection, digest)
                if entry is None:
                    break
                found.append(entry)
            return found

        return await self._ledger.read(find)

    # What they have in common

    def _reason_not_to_begin(self, command: Command) -> str:
        """Why a command is not begun; empty when it is."""
        given = command.payload.get("expires_wall_ms", "")
        expires_ms = (
            int(given)
            if given.isascii() and given.isdigit() and len(given) < 20
            else command.requested_wall_ms + LIFETIME_MS
        )
        late_ms = self._wall_ms() - expires_ms
        if late_ms > 0:
            return f"it came {late_ms / 1000:.0f} s too late and was not carried out"
        return "the trader is stopping" if self._is_stopping() else ""

    def _check_symbol(self, symbol: str, *, buys: bool) -> None:
        """Refuse, with a ValueError, a symbol that is not traded here."""
        known = self._traded if buys else sorted(self._closer.rules)
        if symbol not in known:
            hint = nearest(symbol, known)
            raise ValueError(
                f"{symbol} is not traded here, only {', '.join(known)}" + (f"; did you mean {hint}?" if hint else "")
            )

    async def _told(self, client_order_id: str, protection: str = "") -> Carried | None:
        """What came of an order that is in the ledger; None while its outcome is not known."""
        entry = await self._ledger.order(client_order_id)
        assert entry is not None, "an order never leaves the ledger"
        legs = await self._of_list(entry)
        resting = [leg.order for leg in legs if leg.order.is_on_exchange and leg.order.type is not OrderType.MARKET]
        if await self._are_under_way([leg for leg in legs if leg.order not in resting]):
            return None  # a market order never rests: one that is there and has not traded yet is about to
        executed = await self._executed(legs)
        if not executed and not resting:
            return Carried(CommandState.REFUSED, _joined(_ended(entry.order), protection), client_order_id)
        texts = [f"EXECUTED {executed}"] if executed else []
        if resting:
            texts.append(f"rests on the exchange: {_resting_text(resting)}")
        return Carried(CommandState.DONE, _joined("; ".join(texts), protection), client_order_id)

    async def _are_under_way(self, entries: Sequence[OrderEntry]) -> bool:
        """Whether something may still become of one; of what the exchange has forgotten since nothing does."""
        epoch = await self._ledger.current_epoch()
        return any(not entry.is_settled and epoch is not None and entry.epoch == epoch.epoch for entry in entries)

    async def _of_list(self, entry: OrderEntry) -> list[OrderEntry]:
        """The order, or both of its list."""
        return await self._ledger.read(lambda connection: orders_of_list(connection, entry))

    async def _executed(self, entries: Sequence[OrderEntry]) -> str:
        """What was traded, with its fees; empty when nothing was."""
        texts = []
        for entry in entries:
            if entry.order.executed_base:
                fills = await self._ledger.read(partial(_fills, client_order_id=entry.order.client_order_id))
                texts.append(execution_text(entry.order, fills))
        return " and ".join(texts)

    async def _protect(self, symbol: str, rules: SymbolRules) -> str:
        """What was done to protect the position; where it stands without protection, that."""
        try:
            done = await self._protection.ensure(symbol, rules)
            alarms = [] if done else await self._ledger.alarms()
        except (ExchangeError, LedgerError) as failure:
            log.warning("%s: its protection is put right later: %s", symbol, failure)
            return ""
        is_bare = any((alarm.kind, alarm.subject) == (UNPROTECTED, symbol) for alarm in alarms)
        return "its position is NOT protected now, `trade-agent status` says why" if is_bare else done


def _asked(command: Command) -> Asked:
    return Asked(command.command_id, command.requested_wall_ms, command.requested_by)


def _fills(connection: sqlite3.Connection, client_order_id: str) -> tuple[Fill, ...]:
    return tuple(queries.fills_of_order(connection, client_order_id))


def _reason_not_to_cancel(entry: OrderEntry) -> str:
    order = entry.order
    if order.role.is_protective:
        return (
            f"{order.client_order_id} protects the position of {order.symbol} and would be put back at once: it "
            "follows the RISK_ settings on exits; to leave the position, close it"
        )
    if order.is_terminal:
        return f"{order.client_order_id} is over already: {order.state}"
    if not order.is_on_exchange:
        return f"what became of {order.client_order_id} is not known yet: it is asked about"
    return ""


def _ended(order: Order) -> str:
    """Why an order came to nothing."""
    words = {
        OrderState.REJECTED: "the exchange refused it",
        OrderState.DENIED: "it was not sent",
        OrderState.NOT_PLACED: "it never came to the exchange",
        OrderState.CANCELED: "it was cancelled before it traded",
        OrderState.EXPIRED: "it expired and traded nothing",
        OrderState.UNKNOWN: "what became of it was not known when the exchange was reset",
    }
    return f"{words.get(order.state, order.state)}" + (f": {order.detail}" if order.detail else "")


def _resting_text(orders: Sequence[Order]) -> str:
    """`SELL 0.001 at 70000 or, once the price is at 60000, at 59900`; what has traded of it is left out."""
    prices = []
    for order in orders:
        at = f"at {plain(order.price)}" if order.price is not None else "at market"
        prices.append(at if order.stop_price is None else f"once the price is at {plain(order.stop_price)}, {at}")
    return f"{orders[0].side} {plain(orders[0].left_base)} {' or, '.join(prices)}"


def _joined(answer: str, more: str) -> str:
    return f"{answer}; {more}" if more else answer
