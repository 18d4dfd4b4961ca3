"""Closing: a position is left at market now, whatever rests on the exchange; and what the kill switch asks for.

It goes the way of every exit: the risk agent judges, what rests gives way, the intent is committed, then sent, and what
is left afterwards is protected.
"""

import logging
from collections.abc import Callable, Mapping

from binance_trade_agent.agents.account_watch import AccountWatch
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.epochs import CannotReconcileError
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.market_data import MarketDataAgent, MarketDataError
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.orders import OrderIntent, OrderState, Side, client_order_id
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import changed
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger import switches
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.clock import MarketGoneError

# A largest lot or value makes several orders of a position; more than so many are not sent in one go.
_MOST_ORDERS = 20
_BOTH_SIDES = frozenset(Side)
KILL_NOT_OBEYED = "kill_not_obeyed"
_ENDS_THE_RUN = (CannotReconcileError, MarketGoneError)
# What could not be closed is not tried again before (market time): each try takes its protection off.
CLOSE_AGAIN_MS = 15_000

log = logging.getLogger(__name__)


class Closer:
    """Closes positions at market.

    Args:
        rules: of the traded symbols, and of others that the ledger holds something of.
    """

    def __init__(
        self,
        market_data: MarketDataAgent,
        risk: RiskManagementAgent,
        execution: TradeExecutionAgent,
        protection: Protection,
        keeper: OrderKeeper,
        ledger: Ledger,
        clock: Clock,
        rules: Mapping[str, SymbolRules],
    ) -> None:
        self._market_data = market_data
        self._risk = risk
        self._execution = execution
        self._protection = protection
        self._keeper = keeper
        self._ledger = ledger
        self._clock = clock
        self.rules = rules

    async def close(
        self,
        symbol: str,
        kind: ExitKind,
        reason: str,
        order_id: Callable[[int], str],
        command_id: int | None = None,
    ) -> str:
        """Take off what rests on the symbol and sell what the ledger holds of it.

        Args:
            symbol: what is closed.
            kind: what makes it be left.
            reason: the same in words.
            order_id: gives the client order id of each order by its number from 1.
            command_id: of the command that asks for it.

        Returns:
            Why more than dust is left, for a person; empty when nothing is, or a sale is under way.

        Raises:
            ExchangeError, LedgerError: it could not be done, or only in part; what is left is protected again.
        """
        rules = self.rules[symbol]
        try:
            return await self._close(symbol, kind, reason, order_id, command_id)
        except MarketDataError as trouble:
            return str(trouble)
        finally:
            await self._protect_again(symbol, rules)

    async def _close(
        self, symbol: str, kind: ExitKind, reason: str, order_id: Callable[[int], str], command_id: int | None
    ) -> str:
        for number in range(1, _MOST_ORDERS + 1):
            view = await self._market_data.glance(symbol)
            if await self._is_dust(view):
                await self._protection.release(symbol, _BOTH_SIDES)  # what would begin a new position
                return ""
            signal = Signal(symbol, "", Action.SELL, 1.0, reason, view.book.read_ms)
            review = await self._risk.review(signal, view, self._clock.now_ms(), kind)
            if isinstance(review.verdict, Refusal):
                return f"refused by {review.verdict.rule}: {review.verdict.detail}"
            if not await self._protection.release(symbol, _BOTH_SIDES):
                return "what rests on the exchange is not cancelled yet"
            intent = changed(review.verdict, client_order_id=order_id(number), reason=reason)
            trouble, is_all = await self._sell(intent, view, command_id)
            if trouble or is_all:
                return trouble
        return f"{_MOST_ORDERS} orders were not enough"

    async def _sell(self, intent: OrderIntent, view: MarketView, command_id: int | None) -> tuple[str, bool]:
        """Sell what is left by now; why that did not succeed, and whether nothing more is to be done."""
        symbol, rules = intent.symbol, view.rules
        async with self._keeper.turn(symbol):
            position = await self._ledger.consult(lambda books: books.position(symbol))
            left = rules.round_market_quantity(min(intent.quantity, position.quantity))
            if rules.is_rounded_dust(left, view.book.bid):
                return "", True  # what protected it has sold it meanwhile
            sent = await self._execution.place([changed(intent, quantity=left)], None, command_id)
        if sent.state is OrderState.UNKNOWN:
            return "", True
        if sent.failure is not None:
            return str(sent.failure), True
        (order,) = sent.orders
        return ("", False) if order.executed_base == left else ("nobody buys more", True)

    async def _is_dust(self, view: MarketView) -> bool:
        position = await self._ledger.consult(lambda books: books.position(view.symbol))
        return position.quantity <= 0 or view.rules.is_dust(position.quantity, view.book.bid)

    async def _protect_again(self, symbol: str, rules: SymbolRules) -> None:
        try:
            await self._protection.ensure(symbol, rules)
        except (ExchangeError, LedgerError) as failure:
            log.warning("%s: its protection is put right later: %s", symbol, failure)


class Emergency:
    """While the kill switch is on nothing rests but protection, and where it asks for it every position is closed.

    What it asks for is in the ledger (ledger/switches.py), so it holds over restarts.

    Attributes:
        is_on: whether the switch was on at the last look.
    """

    def __init__(
        self, ledger: Ledger, watch: AccountWatch, closer: Closer, clock: Clock, identity: Identity, alarms: Alarms
    ) -> None:
        self._ledger = ledger
        self._alarms = alarms
        self._watch = watch
        self._closer = closer
        self._clock = clock
        self._identity = identity
        self._attempt = 0
        self._trouble = ""
        self._closes = False
        self._has_looked = False
        self._left: dict[str, str] = {}
        self._again_ms: dict[str, float] = {}
        self.is_on = False

    async def obey(self) -> None:
        """Do what the switch asks for, as far as it can be done now.

        Raises:
            ExchangeError, LedgerError: something could not be; it is tried again at the next call, a sale that failed
                after a pause.
        """
        self.is_on, self._closes = await self._ledger.read(
            lambda connection: (switches.killed(connection), switches.closes_positions(connection))
        )
        if not self.is_on:
            self._has_looked = False
            self._left.clear()
            self._again_ms.clear()
            return
        try:
            await self._watch.cancel_unprotective("the kill switch is on")
        finally:
            if self._closes:
                await self._close_all()

    async def obey_or_alarm(self) -> None:
        """The same at each look. What nobody expected ends no run: it is an alarm, which keeps entries away.

        Raises:
            ExchangeError, LedgerError: see obey.
        """
        try:
            await self.obey()
        except (ExchangeError, LedgerError, *_ENDS_THE_RUN):
            raise
        except Exception as failure:
            text = f"the kill switch could not be looked at or obeyed, {type(failure).__name__}: {failure}"
            if text != self._trouble or not self._alarms.stands(KILL_NOT_OBEYED, ""):
                self._trouble = text
                log.exception("looking at the kill switch failed; it is tried again at each look")
                await self._alarms.sound(KILL_NOT_OBEYED, "", text, blocks="")
        else:
            self._trouble = ""
            await self._alarms.clear(KILL_NOT_OBEYED)

    async def obey_and_tell(self) -> str:
        """The same for who has thrown the switch: how far it has come, whatever could not be done."""
        try:
            await self.obey()
        except (ExchangeError, LedgerError) as failure:
            return "; ".join(filter(None, [f"not everything could be done yet: {failure}", self.progress]))
        return self.progress

    @property
    def progress(self) -> str:
        """How far closing has come, for a person; empty when it was not asked for, or nothing is known of it yet."""
        if not self.is_on or not self._closes or not self._has_looked:
            return ""
        if not self._left:
            return "all positions are closed"
        left = ", ".join(f"{symbol} ({why})" for symbol, why in sorted(self._left.items()))
        return f"not closed yet and tried again every {CLOSE_AGAIN_MS // 1000} s: {left}"

    async def _close_all(self) -> None:
        rules = self._closer.rules

        held = await self._ledger.consult(
            lambda books: [
                symbol
                for symbol, position in books.positions().items()
                if position.quantity > 0 and (symbol not in rules or books.holding(symbol, rules[symbol]) is not None)
            ]
        )
        for symbol in self._left.keys() - set(held):
            del self._left[symbol]
        for symbol in sorted(held):
            if symbol not in rules:
                self._left[symbol] = "the exchange did not list it when this run began"
        self._has_looked = True
        for symbol in sorted(set(held) & rules.keys()):
            if self._clock.monotonic_ms() >= self._again_ms.get(symbol, float("-inf")):
                await self._try(symbol)

    async def _try(self, symbol: str) -> None:
        """Close one; what goes wrong keeps no other from being closed."""
        log.warning("%s: closing its position, the kill switch asks for it", symbol)
        self._left.setdefault(symbol, "its sale is under way")
        try:
            why = await self._closer.close(symbol, ExitKind.EMERGENCY, "the kill switch was thrown", self._id(symbol))
        except (ExchangeError, LedgerError) as failure:
            why = str(failure)
        except _ENDS_THE_RUN:
            raise
        except Exception as failure:
            log.exception("%s: closing its position failed", symbol)
            why = f"{type(failure).__name__}: {failure}"
        self._again_ms[symbol] = self._clock.monotonic_ms() + CLOSE_AGAIN_MS
        if why:
            log.warning("%s: not closed: %s", symbol, why)
            self._left[symbol] = why
            return
        still = await self._ledger.consult(lambda books: books.holding(symbol, self._closer.rules[symbol]))
        if still is None:
            del self._left[symbol]

    def _id(self, symbol: str) -> Callable[[int], str]:
        def order_id(number: int) -> str:
            self._attempt += 1
            return client_order_id(
                instance=self._identity.instance,
                epoch=0,
                strategy="",
                symbol=symbol,
                tick_ms=self._clock.now_ms(),
                leg=f"emergency:{self._identity.fence}:{number}",
                attempt=self._attempt,
                fence=self._identity.fence,
            )

        return order_id
