"""Reconciler: at the start, after a gap in the stream, every hour and on a suspicion, the same way to the same truth.

On spot the truth is the account's trades and balances. Orders and trades of others are told by their ids, reported and
left alone. Every difference that is left is explained (it came from outside) or is an alarm, and an alarm about a
symbol keeps it from entering until the difference is gone. A few symbols are all asked about each time; of many those
on which something is in question (in_question.py).
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial

from binance_trade_agent.agents import in_question
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.epochs import CannotReconcileError, Epochs
from binance_trade_agent.agents.facts import compared, ledger_facts, traded_assets
from binance_trade_agent.agents.order_keeper import LATE_FILL, STRANGER, OrderKeeper
from binance_trade_agent.agents.recovery import Recovery
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import OrderReport
from binance_trade_agent.domain.strangers import strangers
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reconciliation import Difference, Kind, LedgerFacts, Reconciliation
from binance_trade_agent.ledger.records import Epoch

DIFFERENCE = "difference"
MISSING_COINS = "missing_coins"
_LOOKS = 3  # a balance that moves between two looks is looked at again
# To look for trades that left no coins behind is no hurry: so often, and so many symbols a reconciliation.
_SEARCH_MS, _SEARCHED_AT_ONCE = 3_600_000, 10

log = logging.getLogger(__name__)


class Reconciler:
    """Brings the ledger to what the exchange says.

    Attributes:
        epoch: the one that is traded in.
        foreign_locked: what open orders of others lock, by asset: it is in the wallet and cannot be spent.
        done_ms: market time of the last reconciliation that came to its end, None before the first.
        found: how many differences that nothing explains it has found, None before the first.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        clock: Clock,
        rules: Mapping[str, SymbolRules],
        epochs: Epochs,
        keeper: OrderKeeper,
        recovery: Recovery,
        alarms: Alarms,
    ) -> None:
        self.epoch: Epoch | None = None
        self.foreign_locked: dict[str, Decimal] = {}
        self.done_ms: int | None = None
        self.found: int | None = None
        self._gateway = gateway
        self._ledger = ledger
        self._clock = clock
        self._rules = rules
        self._epochs = epochs
        self._keeper = keeper
        self._recovery = recovery
        self._alarms = alarms
        self._one_at_a_time = asyncio.Lock()
        self._noted: set[str] = set()
        self._asked: set[str] = set()  # of many symbols those that this reconciliation asks about
        self._to_search: list[str] = []
        self._searched_ms: int | None = None

    async def run(self, reason: str) -> list[Difference]:
        """Reconcile; returns the differences that nothing explains, each of which is an alarm now.

        Raises:
            CannotReconcileError: the exchange has forgotten everything and may not, or at the first time the account
                lacks coins that the bot holds.
            ExchangeError: the exchange could not be asked; nothing is concluded from that.
            LedgerError: something could not be written.
        """
        async with self._one_at_a_time:
            log.debug("reconciling: %s", reason)
            booked_late = self._alarms.standing(LATE_FILL)
            epoch = await self._epochs.current()
            if epoch != self.epoch:
                self._recovery.begin_epoch()
            self.epoch = epoch
            self._keeper.suspects_reset = self._keeper.heard_of_balance = False
            if in_question.are_few(self._rules):
                await self._recovery.catch_up()
            else:
                await self._recovery.ask_about_unsettled()
            self._asked = self._alarms.standing(DIFFERENCE) | self._alarms.standing(STRANGER)
            account = await self._settle_balances(is_first=self.done_ms is None)
            searched = self._to_search[:_SEARCHED_AT_ONCE]
            self._asked.update(searched)
            differences = await self._compare(account)
            self._to_search = [symbol for symbol in self._to_search if symbol not in searched]
            for client_order_id in booked_late if not differences else ():  # its books agree: it is over
                await self._alarms.clear(LATE_FILL, client_order_id)
            self.done_ms, self.found = self._clock.now_ms(), len(differences)
            return differences

    @property
    def is_suspicious(self) -> bool:
        """Whether the exchange has said something that asks for a reconciliation."""
        return self._keeper.suspects_reset or self._keeper.heard_of_balance or bool(self._to_search)

    async def is_equal_at_a_glance(self) -> bool:
        """Whether the balances are what the ledger says and nothing is unexplained, at the price of one request.

        Raises:
            ExchangeError, LedgerError: see run.
        """
        account = await self._gateway.account()
        wallet = await self._ledger.wallet()
        moved = self._moved(account, wallet)
        if not moved:  # an order of somebody else locks funds and moves no balance
            await self._note_locked(account)
        return not moved and not any(self._alarms.standing(kind) for kind in (DIFFERENCE, STRANGER, MISSING_COINS))

    async def _settle_balances(self, *, is_first: bool) -> Account | None:
        """Book what came from outside or went there (deposits, trades by hand), and say so.

        While an order is under way nothing is booked: what it did to the balances is not known yet. A fill may come
        between two questions, so a difference has to be seen twice, while no order of ours was begun: one that is
        begun and has ended in the midst of a look would be seen in the wallet and not in the account, and the next one
        like it again.

        Returns:
            What the exchange said of the account when it was equal, None when it was not.
        """
        seen: dict[str, Decimal] | None = None
        for _ in range(_LOOKS):
            begun = self._ledger.counts.begun
            orders = await self._ledger.open_orders()
            if under_way := [order for order in orders if not order.rests]:
                log.warning("balances are not compared: order %s is not settled", under_way[0].client_order_id)
                return None
            account = await self._gateway.account()
            await self._look_for_missed(account)
            wallet = await self._ledger.wallet()
            moved = self._moved(account, wallet)
            is_quiet = self._ledger.counts.begun == begun
            if not moved or (is_quiet and moved == seen):
                await self._book_from_outside(account, wallet, moved, is_first=is_first)
                await self._note_locked(account)
                await self._search_later(moved)
                return account
            seen = moved if is_quiet else None
        log.warning("balances are not compared: they keep moving")
        return None

    async def _look_for_missed(self, account: Account) -> None:
        """Book what the ledger has missed: of many symbols what may have moved the balances that differ."""
        if in_question.are_few(self._rules):
            await self._recovery.catch_up()
            return
        if self._moved(account, await self._ledger.wallet()):
            await self._recovery.catch_up()
        if moved := self._moved(account, await self._ledger.wallet()):
            self._asked |= await self._ledger.read(
                partial(in_question.may_explain, rules=self._rules, moved=moved.keys())
            )
            await self._recovery.read_trades(self._asked)

    async def _search_later(self, moved: Collection[str]) -> None:
        """Have symbols compared bit by bit on which others may have traded under our name and left no coins behind."""
        now_ms = self._clock.now_ms()
        is_due = self._searched_ms is None or now_ms - self._searched_ms >= _SEARCH_MS
        if not in_question.are_few(self._rules) and moved and is_due:
            found = await self._ledger.read(partial(in_question.without_coins, rules=self._rules, moved=moved))
            self._to_search = sorted({*self._to_search, *found} - self._asked)
            self._searched_ms = now_ms

    def _moved(self, account: Account, wallet: Mapping[str, Decimal]) -> dict[str, Decimal]:
        assets = sorted({*traded_assets(self._rules.values()), *wallet})
        moved = {asset: account.balances.get(asset, ZERO) - wallet.get(asset, ZERO) for asset in assets}
        return {asset: amount for asset, amount in moved.items() if amount}

    async def _book_from_outside(
        self, account: Account, wallet: Mapping[str, Decimal], moved: Mapping[str, Decimal], *, is_first: bool
    ) -> None:
        held = await self._held()
        for asset, amount in moved.items():
            theirs = account.balances.get(asset, ZERO)
            if theirs < held.get(asset, ZERO):
                await self._miss(asset, held[asset], theirs, is_first=is_first)
                continue
            now_ms = self._clock.now_ms()
            reference = f"seen:{asset}:{now_ms}:{plain(theirs)}"
            await self._ledger.post_external(asset, amount, now_ms, reference)
            if asset in wallet:
                log.warning("%s in the account changed by %s from outside", asset, plain(amount))
        for symbol, rules in self._rules.items():
            if account.balances.get(rules.base_asset, ZERO) >= held.get(rules.base_asset, ZERO):
                await self._alarms.clear(MISSING_COINS, symbol)

    async def _miss(self, asset: str, held: Decimal, theirs: Decimal, *, is_first: bool) -> None:
        text = (
            f"the bot's positions hold {plain(held)} {asset} but the account has only {plain(theirs)}: "
            "somebody sold or withdrew the bot's coins. Buy them back, or set LEDGER_PATH to a new ledger."
        )
        if is_first:
            raise CannotReconcileError(text)
        for symbol, rules in self._rules.items():
            if rules.base_asset == asset:
                await self._alarms.sound(MISSING_COINS, symbol, text, blocks=symbol)

    async def _note_locked(self, account: Account) -> None:
        """What the account has locked beyond our own open orders."""
        ours: dict[str, Decimal] = {}
        lists: dict[tuple[str, str], Decimal] = {}
        for order in await self._ledger.open_orders():
            rules = self._rules.get(order.symbol)
            if rules is None:
                continue
            asset = rules.quote_asset if order.reserved_quote else rules.base_asset
            amount = order.reserved_quote or order.left_base
            if order.list_id is None:
                ours[asset] = ours.get(asset, ZERO) + amount
            else:  # the legs of a list lock once, the larger amount (binance-protocol.md 4.2)
                lists[asset, order.list_id] = max(amount, lists.get((asset, order.list_id), ZERO))
        for (asset, _), amount in lists.items():
            ours[asset] = ours.get(asset, ZERO) + amount
        locked = {
            asset: amount - account.free.get(asset, ZERO) - ours.get(asset, ZERO)
            for asset, amount in account.balances.items()
        }
        self.foreign_locked = {asset: amount for asset, amount in locked.items() if amount > 0}

    async def _compare(self, account: Account | None) -> list[Difference]:
        ours, result = await self._both_sides(account)
        for note in result.notes:
            if note not in self._noted:
                self._noted.add(note)
                log.info("%s", note)
        unexplained = [found for found in result.differences if found.kind is not Kind.BALANCE]
        if unexplained:  # a fill between two questions looks like a difference: it is one when it is there again
            self._asked |= {found.subject for found in unexplained}
            await self._recovery.catch_up()
            if not in_question.are_few(self._rules):
                await self._recovery.read_trades(self._asked)
            for symbol in {found.subject for found in unexplained if found.kind is Kind.ORDER}:
                await self._recovery.take_back(symbol, ours.orders)
            ours, result = await self._both_sides(account)
            again = {found.text for found in result.differences}
            under_way = {order.symbol for order in await self._ledger.open_orders() if not order.rests}
            unexplained = [found for found in unexplained if found.text in again and found.subject not in under_way]
        await self._tell(unexplained, result.strangers if unexplained else ())
        return unexplained

    async def _both_sides(self, account: Account | None) -> tuple[LedgerFacts, Reconciliation]:
        """What is compared of the ledger, and the comparison; of many symbols trades where they are in question."""
        symbols = tuple(self._rules)
        asked, account = (None, None) if in_question.are_few(symbols) else (self._asked, account)
        ours = await self._ledger.read(lambda connection: ledger_facts(connection, symbols, asked))
        return ours, await compared(self._gateway, ours, self._rules.values(), asked, account)

    async def _tell(self, differences: Sequence[Difference], strange: Sequence[OrderReport]) -> None:
        strange_symbols = set()
        for stranger in strangers(strange, ()):
            strange_symbols.add(stranger.report.symbol)
            await self._keeper.sound_stranger(stranger)
        by_symbol: dict[str, list[str]] = {}
        for found in differences:
            by_symbol.setdefault(found.subject, []).append(found.text)
        for symbol, texts in by_symbol.items():
            await self._alarms.sound(DIFFERENCE, symbol, "; ".join(texts[:5]), blocks=symbol)
        for symbol in self._alarms.standing(DIFFERENCE) - by_symbol.keys():
            await self._alarms.clear(DIFFERENCE, symbol)
        for symbol in self._alarms.standing(STRANGER) - by_symbol.keys() - strange_symbols:
            await self._alarms.clear(STRANGER, symbol)

    async def _held(self) -> dict[str, Decimal]:
        held: dict[str, Decimal] = {}
        for symbol, position in (await self._ledger.positions()).items():
            if rules := self._rules.get(symbol):
                held[rules.base_asset] = held.get(rules.base_asset, ZERO) + position.quantity
        return held
