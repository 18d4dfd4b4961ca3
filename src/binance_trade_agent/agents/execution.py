"""TradeExecutionAgent: the intent is committed, then sent; what comes of it enters the ledger through one door."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Fill, Order, OrderIntent, OrderReport, OrderState
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import AuthError, ExchangeError, RejectedError, UnknownOutcomeError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.exchange.payloads import execution_report
from binance_trade_agent.ledger.errors import DuplicateIntent, LedgerError, UnknownOrder
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import AppliedReport

log = logging.getLogger(__name__)


class TradeExecutionAgent:
    """Sends orders and books what the exchange says of them.

    Whatever happens to the orders of a symbol happens one at a time, under the symbol's `turn`: an event that overtakes
    the answer waits for it, so the ledger says the same whichever came first.
    """

    def __init__(self, gateway: Gateway, ledger: Ledger, clock: Clock, rules: Mapping[str, SymbolRules]) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._clock = clock
        self._rules = rules
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def turn(self, symbol: str) -> asyncio.Lock:
        """To be held while an order of `symbol` is asked about or moved: nobody else does so meanwhile."""
        return self._turns[symbol]

    async def execute(self, decision: Decision, intent: OrderIntent) -> Decision:
        """Place the approved order, once, and say how the decision ended.

        Raises:
            LedgerError: the intent could not be committed, and nothing was sent.
        """
        decision = replace(decision, outcome=Outcome.ORDERED, client_order_id=intent.client_order_id)
        async with self.turn(intent.symbol):
            try:
                await self._ledger.commit_intent(decision, intent, self._clock.now_ms())
            except DuplicateIntent:
                return replace(decision, outcome=Outcome.SKIPPED, detail="this decision's order was placed already")
            try:
                return await self._send(decision, intent)
            except LedgerError as failure:
                # The order stays unsettled in the ledger, so it is asked about until its end can be written.
                log.error("order %s: %s", intent.client_order_id, failure)  # noqa: TRY400 (a sentence for the user)
                return replace(decision, detail=f"what came of the order could not be written yet: {failure}")

    async def apply(self, report: OrderReport) -> AppliedReport | None:
        """Book a report on one of our orders, under the symbol's turn; None for an order that the ledger lacks."""
        rules = self._rules[report.symbol]
        try:
            applied = await self._ledger.apply_report(
                report, base_asset=rules.base_asset, quote_asset=rules.quote_asset
            )
        except UnknownOrder:
            return None
        if applied.is_after_end:
            log.error("order %s filled after it was thought dead; booked", report.client_order_id)
        return applied

    async def on_event(self, event: Mapping[str, Any]) -> None:
        """Handle one event of the user data stream (binance-protocol.md 4.5)."""
        if event["e"] == "executionReport" and event["s"] in self._rules:
            report = execution_report(event)
            async with self.turn(report.symbol):
                applied = await self.apply(report)
            if applied is None:
                log.warning("order %s on %s is not ours; left alone", report.client_order_id, report.symbol)
        elif event["e"] == "balanceUpdate":
            reference = f"balanceUpdate:{event['a']}:{event['T']}"
            await self._ledger.post_external(event["a"], Decimal(event["d"]), int(event["T"]), reference)
            log.warning("the account's %s changed by %s from outside", event["a"], event["d"])

    async def _send(self, decision: Decision, intent: OrderIntent) -> Decision:
        await self._move(intent, OrderState.SENT)
        try:
            report = await self._gateway.place_order(intent)
        except UnknownOutcomeError as failure:
            await self._move(intent, OrderState.UNKNOWN, str(failure))
            return replace(decision, outcome=Outcome.UNKNOWN, detail=str(failure))
        except (RejectedError, AuthError) as failure:
            await self._move(intent, OrderState.REJECTED, str(failure))
            return replace(decision, outcome=Outcome.REJECTED, detail=str(failure))
        except ExchangeError as failure:  # the exchange was not reached or was not willing to listen
            await self._move(intent, OrderState.DENIED, str(failure))
            return replace(decision, outcome=Outcome.REJECTED, detail=str(failure))
        applied = await self.apply(report)
        assert applied is not None, "the intent was committed before the order was sent"
        return concluded(decision, applied.order, report.fills)

    async def _move(self, intent: OrderIntent, state: OrderState, detail: str = "") -> None:
        await self._ledger.transition(intent.client_order_id, state, self._clock.now_ms(), detail=detail)


def concluded(decision: Decision, order: Order, fills: tuple[Fill, ...]) -> Decision:
    """The decision with what the exchange made of its order."""
    if order.executed_base:
        return replace(decision, outcome=Outcome.EXECUTED, detail=execution_text(order, fills))
    if order.is_terminal:
        return replace(decision, outcome=Outcome.UNFILLED, detail=f"order {order.state}: {order.detail}")
    return replace(decision, outcome=Outcome.ORDERED, detail=f"order {order.state}")


def execution_text(order: Order, fills: tuple[Fill, ...]) -> str:
    """What was traded: `0.00151 @ 66,120.10, fee 0.00000151 BTC`; prices are averages over the fills."""
    fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for fill in fills:
        fees[fill.commission_asset] += fill.commission
    average = order.executed_quote / order.executed_base
    fee = " + ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(fees.items())) or "not stated"
    partly = "" if order.executed_base == order.quantity else f" of {plain(order.quantity)}"
    return f"{plain(order.executed_base)}{partly} @ {_price(average)}, fee {fee}"


def _price(price: Decimal) -> str:
    """Two decimals from 1 on, more for small prices."""
    return f"{price:,.2f}" if price >= 1 else f"{price:,.8f}"
