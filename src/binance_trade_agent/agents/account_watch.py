"""AccountWatch: what has to be looked at again and again beside the decisions, and what keeps entries away meanwhile.

It asks about orders whose outcome is open, polls the account while the user stream is away, glances at the balances
every minute and reconciles every hour, keeps an eye on the disk, converts fees, and puts protection right.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from binance_trade_agent.agents import in_question
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.reconciler import Reconciler
from binance_trade_agent.agents.recovery import Recovery
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.orders import Order, Role
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import ExchangeError, RejectedError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import fee_values
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger

GLANCE_MS, RECONCILE_MS, POLL_MS = 60_000, 3_600_000, 5_000
# A reconciliation costs some hundred request weight: one that failed, or explained nothing, is not repeated before.
RETRY_MS = 15_000
# Entries need news of the account that is not older than this: by the stream, or by asking.
NEWS_MS = 20_000

KEYS = "keys"  # the alarm

log = logging.getLogger(__name__)


class AccountWatch:
    """Looks after the account. Times are market time.

    Args:
        alarms: sounded when the keys are refused.
        stream_is_live: whether the user stream delivers.
        exchange_trouble: why the exchange is not asked now, None when it is.
        keys_trouble: why nothing is signed now, None when it is.
        disk_trouble: why the ledger's disk is no place to trade on, None when it is.
        is_stepped: whether the market stands still while nobody waits; then everything happens at ticks, so that the
            same seed gives the same ledger.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        clock: Clock,
        rules: Mapping[str, SymbolRules],
        reconciler: Reconciler,
        recovery: Recovery,
        protection: Protection,
        gate: EntryGate,
        alarms: Alarms,
        *,
        stream_is_live: Callable[[], bool],
        exchange_trouble: Callable[[], str | None],
        keys_trouble: Callable[[], str | None],
        disk_trouble: Callable[[], str | None],
        is_stepped: bool,
    ) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._clock = clock
        self._rules = rules
        self._reconciler = reconciler
        self._recovery = recovery
        self._protection = protection
        self._gate = gate
        self._alarms = alarms
        self._exchange_trouble = exchange_trouble
        self._keys_trouble = keys_trouble
        self._stream_is_live = stream_is_live
        self._disk_trouble = disk_trouble
        self._is_stepped = is_stepped
        self._wants_reconciliation = ""
        self._asked_ms = self._glanced_ms = clock.monotonic_ms()
        self._reconciled_ms = clock.monotonic_ms()
        self._tried_ms = float("-inf")
        self._news_ms = clock.monotonic_ms()

    def reconcile_soon(self, reason: str) -> None:
        """Ask for a reconciliation at the next look."""
        self._wants_reconciliation = self._wants_reconciliation or reason

    async def before_tick(self) -> None:
        """Bring in what is known of the account, before anything is decided.

        Raises:
            CannotReconcileError: ledger and exchange contradict each other.
            ExchangeError, LedgerError: something could not be asked or written; entries are kept away where needed.
        """
        await self._look(is_tick=True)

    async def between_ticks(self) -> None:
        """The same, about once a second of wall time.

        Raises:
            CannotReconcileError, ExchangeError, LedgerError: see before_tick.
        """
        await self._look(is_tick=False)

    def health(self) -> tuple[str, bool, float]:
        """Why no position is entered now (empty when nothing forbids it), whether the stream delivers, age of news."""
        reasons = "; ".join(dict.fromkeys(self._gate.reasons().values()))
        return reasons, self._stream_is_live(), (self._clock.monotonic_ms() - self._news_ms) / 1000

    async def close_down(self, orders_on_stop: str) -> None:
        """Cancel what is not to stay on the exchange when the daemon stops: `cancel_entries`, `cancel_all` or `keep`.

        What leaves a position stays with `cancel_entries`: what protects it, and what persons have on sale.
        Protection that is to stay is put right: the stop may have come between two of its steps.

        Raises:
            ExchangeError, LedgerError: it could not be done; what was wished is asked about later.
        """
        for order in await self._ledger.open_orders():
            if order.exchange_order_id is None or order.symbol not in self._rules:
                continue
            if orders_on_stop == "cancel_all" or (orders_on_stop != "keep" and not _leaves_a_position(order)):
                log.info("cancelling %s on %s, as TRADING_ORDERS_ON_STOP says", order.client_order_id, order.symbol)
                await self._protection.cancel(order)
        if orders_on_stop != "cancel_all":
            await self._protection.ensure_all(self._rules)

    async def cancel_unprotective(self, why: str) -> int:
        """Cancel all that rests and protects nothing, again where an earlier cancel has not come to an end.

        Of a symbol that the exchange does not list any more nothing can be asked.

        Returns:
            How many orders that were.

        Raises:
            ExchangeError, LedgerError: one could not be; the others were tried too.
        """
        found = [
            order
            for order in await self._ledger.open_orders()
            if not order.role.is_protective and order.exchange_order_id is not None and not order.is_terminal
            if order.symbol in self._rules
        ]
        for order in found:
            log.info("cancelling %s on %s: %s", order.client_order_id, order.symbol, why)
        await self._do_each([partial(self._protection.cancel, order) for order in found])
        return len(found)

    async def _look(self, *, is_tick: bool) -> None:
        self._shut_while("disk", self._disk_trouble())
        self._shut_while("exchange", self._exchange_trouble())
        await self._watch_keys()
        steps: list[Callable[[], Awaitable[None]]] = []
        if is_tick or self._due("_asked_ms", POLL_MS):
            steps.append(self._ask)
        if is_tick or not self._is_stepped:
            steps += [self._reconcile_when_due, self._protect, self._convert_fees]
        try:
            await self._do_each(steps)
            self._gate.clear("ledger")
        except LedgerError as failure:
            self._gate.block("ledger", f"the ledger cannot be written: {failure}")
            raise
        finally:
            self._watch_news()

    async def _do_each(self, steps: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Every step, though one before it could not be done; what went wrong is raised at the end, the ledger's first.

        A reconciliation that fails for hours must not keep a position from being protected, and an exchange that is
        away must not hide a ledger that cannot be written.
        """
        troubles: list[ExchangeError | LedgerError] = []
        for step in steps:
            try:
                await step()
            except (ExchangeError, LedgerError) as failure:
                troubles.append(failure)
        if troubles:
            raise next((trouble for trouble in troubles if isinstance(trouble, LedgerError)), troubles[0])

    async def _protect(self) -> None:
        await self._protection.ensure_all(self._rules)

    def _due(self, name: str, interval_ms: int) -> bool:
        return bool(self._clock.monotonic_ms() - getattr(self, name) >= interval_ms)

    async def _ask(self) -> None:
        """While the stream delivers only what is open is asked about; without it all is, of many the balances."""
        self._asked_ms = self._clock.monotonic_ms()
        if self._stream_is_live():
            await self._recovery.ask_about_unsettled()
        else:
            await self._recovery.catch_up()
            if not in_question.are_few(self._rules) and not await self._reconciler.is_equal_at_a_glance():
                self.reconcile_soon("balances differ")
        self._news_ms = self._clock.monotonic_ms()

    async def _reconcile_when_due(self) -> None:
        reason = ""
        if self._due("_tried_ms", RETRY_MS):
            reason = self._wants_reconciliation
            if not reason and self._reconciler.is_suspicious:
                reason = "the exchange has said what it should not"
            if not reason and self._due("_reconciled_ms", RECONCILE_MS):
                reason = "every hour"
        if not reason and self._due("_glanced_ms", GLANCE_MS):
            self._glanced_ms = self._clock.monotonic_ms()
            if not await self._reconciler.is_equal_at_a_glance():
                reason = "balances differ"
        if reason:
            self._tried_ms = self._clock.monotonic_ms()
            self._wants_reconciliation = reason  # until it has come to its end
            await self._reconciler.run(reason)
            self._wants_reconciliation = ""
            self._reconciled_ms = self._glanced_ms = self._clock.monotonic_ms()

    def _watch_news(self) -> None:
        age_ms = self._clock.monotonic_ms() - self._news_ms
        if not self._stream_is_live() and age_ms > NEWS_MS:
            text = f"no news of the account for {age_ms / 1000:.0f} s: the stream is away and asking fails"
            self._gate.block("no_news", text)
        else:
            self._gate.clear("no_news")

    def _shut_while(self, name: str, trouble: str | None) -> None:
        if trouble:
            self._gate.block(name, trouble)
        else:
            self._gate.clear(name)

    async def _watch_keys(self) -> None:
        if trouble := self._keys_trouble():
            await self._alarms.sound(KEYS, "", trouble, blocks="")
        else:
            await self._alarms.clear(KEYS)

    async def _convert_fees(self) -> None:
        """State commissions in a third asset in quote, once, at the price of now; unknown stays unknown."""
        prices: dict[tuple[str, str], Decimal | None] = {}
        for fee in await self._ledger.read(fee_values.to_convert):
            assets = fee.asset, fee.quote_asset
            if assets not in prices:
                prices[assets] = await self._price(*assets)
            price = prices[assets]
            await self._ledger.write(partial(fee_values.convert, fee=fee, price=price, at_ms=self._clock.now_ms()))

    async def _price(self, asset: str, quote_asset: str) -> Decimal | None:
        try:
            bid = (await self._gateway.book_ticker(f"{asset}{quote_asset}")).bid
        except RejectedError:
            return None  # no such market
        return bid if bid > 0 else None


def _leaves_a_position(order: Order) -> bool:
    """Whether it rests to leave a position, so that nobody has to look after what it does."""
    return order.role.is_protective or (order.role is Role.EXIT and order.is_persons_to_rest)
