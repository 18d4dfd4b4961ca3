"""Pipeline: what is done about one symbol once its market was seen, its strategy asked, and its turn has come."""

import logging
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.exit_plan import Exit
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.risk import RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.turns import Turn
from binance_trade_agent.domain.decisions import Decision, Outcome, Refusal
from binance_trade_agent.domain.exits import LEAVES_ALL, ExitKind
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderIntent, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import changed
from binance_trade_agent.domain.words import Words, said, words_of
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.ledger.errors import LedgerError

log = logging.getLogger(__name__)

# To look a member up by its name takes longer than to compare it.
_STRATEGY, _SELL = ExitKind.STRATEGY, Side.SELL
_SELL_ACTION = Action.SELL
_SALES = frozenset({Side.SELL})


class Pipeline:
    """From a wish to the order, through the agents; the same for live and for recorded markets.

    While nothing that it asks has to be waited for it does not wait either, so no event loop has to run.

    Args:
        is_stopping: whether the daemon is to end: then no order is decided on any more.

    Attributes:
        protection: what makes positions be left.
    """

    def __init__(
        self,
        signals: SignalAgent,
        risk: RiskManagementAgent,
        execution: TradeExecutionAgent,
        protection: Protection,
        books: Books,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._signals = signals
        self._risk = risk
        self._execution = execution
        self.protection = protection
        self._books = books
        self._is_stopping = is_stopping

    async def act_on(
        self, decision: Decision, view: MarketView, leave: Exit | None, turn: Turn | None = None
    ) -> Decision:
        """Decide on an order, and place it: what makes the position be left goes before what the strategy says.

        Args:
            decision: on the symbol at this tick so far, with the strategy's signal, BUY or SELL, if there is one.
            view: the market as it was seen.
            leave: why the position is to be closed whatever the strategy says; None when it may stay.
            turn: to be waited for and passed on; None when nobody else acts.

        Raises:
            LedgerError: the books could not be read, or the intent not be written; nothing was sent.
            ExchangeError: what protects the position could not be taken off.
        """
        wish, exit_kind = _wish(decision, view, leave)
        found: dict[str, Any] = {}  # to be noted in the decision however it ends
        if exit_kind is not None:
            found = {"exit": exit_kind, "exit_reason": words_of(wish, "reason")}
            if reason := self._signals.nothing_to_do(wish, view, await self._position(view.symbol)):
                return changed(decision, **found, outcome=Outcome.SKIPPED, detail=reason)
            if exit_kind is _STRATEGY and not self.protection.follows_strategy:
                text = "the position is left by its own exits (RISK_STRATEGY_EXIT=false)"
                return changed(decision, **found, outcome=Outcome.SKIPPED, detail=text)

        may_enter = None if turn is None else partial(turn.may_enter, partial(self._execution.prepare, view.symbol))
        review = await self._risk.review(wish, view, decision.tick_ms, exit_kind, may_enter)
        found["findings"] = review.findings
        verdict = review.verdict
        if isinstance(verdict, Refusal):
            detail = words_of(verdict, "detail")
            return changed(decision, **found, outcome=Outcome.REFUSED, rule=verdict.rule, detail=detail)
        if self._is_stopping():  # asked last: a signal may have come while another symbol's call was waited for
            return changed(decision, **found, outcome=Outcome.SKIPPED, detail="the daemon is stopping")

        return await self._act(changed(decision, **found), verdict, view, review.on_sale_base, turn)

    async def _act(
        self, decision: Decision, intent: OrderIntent, view: MarketView, on_sale_base: Decimal, turn: Turn | None
    ) -> Decision:
        """Execute what was approved. What protects the position gives way to a sale, and follows a purchase.

        So does what persons have on sale, when all of the position is to go; else that part stays for their orders.
        """
        if intent.side is _SELL:
            if turn is not None:
                turn.pass_on()
            if not await self.protection.release(view.symbol, _SALES if intent.exit in LEAVES_ALL else ()):
                text = "what rests on the exchange for the position is not cancelled yet"
                return changed(decision, outcome=Outcome.SKIPPED, detail=text)
            # The protection may have filled meanwhile: what is sold is what the ledger still holds.
            position = await self._position(view.symbol)
            left = view.rules.round_market_quantity(max(ZERO, min(intent.quantity, position.quantity - on_sale_base)))
            if view.rules.is_rounded_dust(left, view.book.bid):
                text = "the protection has sold the position meanwhile"
                return changed(decision, outcome=Outcome.SKIPPED, detail=text)
            intent = changed(intent, quantity=left)
        decision = await self._execution.execute(decision, intent, None if turn is None else turn.pass_on)
        try:
            if more := await self.protection.ensure(view.symbol, view.rules):
                decision = changed(decision, detail=(_both, words_of(decision, "detail"), more))
        except (ExchangeError, LedgerError) as failure:
            log.warning("%s: its protection is put right later: %s", view.symbol, failure)
        return decision

    async def _position(self, symbol: str) -> Position:
        return await self._books.consult(lambda books: books.position(symbol))


def _wish(decision: Decision, view: MarketView, leave: Exit | None) -> tuple[Signal, ExitKind | None]:
    """What is put before the risk rules: the strategy's signal, or that the position is to be left, and why."""
    if leave is None:
        assert decision.signal is not None, "without a signal only an exit is decided on"
        return decision.signal, _STRATEGY if decision.signal.action is _SELL_ACTION else None
    kind, reason = leave
    strategy = decision.signal.strategy if decision.signal else ""
    candle_open_ms = view.candles[-1].open_time_ms if view.candles else decision.tick_ms
    return Signal(view.symbol, strategy, Action.SELL, 1.0, reason, candle_open_ms), kind


def _both(detail: Words, more: str) -> str:
    return f"{said(detail)}; {more}"
