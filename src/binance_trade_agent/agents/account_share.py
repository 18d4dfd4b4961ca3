"""SharedAccount: this daemon's share of an account that several daemons trade side by side."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal

from binance_trade_agent.agents.account_entry import Entry, common_quote
from binance_trade_agent.agents.account_part import in_place, part_of_account
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.in_question import COMMISSION_ASSET
from binance_trade_agent.control.claims import Claims, ClaimsAwayError, ClaimStore
from binance_trade_agent.control.lease import holder_text
from binance_trade_agent.domain.claims import (
    AccountLimits,
    Claim,
    claimed_by_others,
    conflict,
    lowest_limits,
    over_limits,
)
from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import OrderIntent, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value, changed
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.exposure import exposure
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.own_part import OwnPart, own_part
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms

UNAGREED_RULE = "account_unagreed"
SHARED_ACCOUNT = "shared_account"
WRITE_SECONDS = 5.0
_SUM_SECONDS = 60.0  # between two looks whether the account has what its daemons claim

log = logging.getLogger(__name__)


class Share(Value, frozen=True):
    """What was set for this daemon.

    Attributes:
        instance: its TRADING_INSTANCE.
        holder: the process, for people.
        capital_quote: what it is to have of the quote asset, beside its profit and loss.
        limits: what all daemons of the account may hold.
    """

    instance: str
    holder: str
    capital_quote: Decimal
    limits: AccountLimits


class SharedAccount:
    """A part of the account. `enter` first, `run` in a task while trading.

    Args:
        gateway: to the exchange.
        bids: best bids as they were last seen, by symbol.
    """

    def __init__(self, gateway: Gateway, ledger: Ledger, claims: ClaimStore, share: Share) -> None:
        self.bids: Callable[[], Mapping[str, Decimal]] = dict
        self._gateway = gateway
        self._ledger = ledger
        self._claims = claims
        self._share = share
        self._rules: Mapping[str, SymbolRules] = {}
        self._quote_asset = ""
        self._alarms: Alarms | None = None
        self._others: list[Claim] = []
        self._reserved: dict[str, tuple[str, Decimal]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._sum_at = 0.0
        self._short_by = ZERO
        self._is_away = False

    async def enter(self, rules: Mapping[str, SymbolRules], alarms: Alarms) -> Gateway:
        """Claim these symbols and the capital; returns the gateway that tells of this daemon's part of the account.

        Args:
            rules: of all symbols that are traded or held.
            alarms: told from here on what is wrong.

        Raises:
            ConfigError: the symbols or the capital cannot be had on this account.
            LeaseHeldError: a daemon that runs has one of them, or all of the account.
            ClaimsAwayError: Redis does not answer.
            ExchangeError, LedgerError: the account could not be asked, or the ledger not be read.
        """
        self._rules, self._quote_asset, self._alarms = rules, common_quote(rules.values()), alarms
        entry = Entry(self._gateway, self._claims, self._quote_asset, self._share.capital_quote)
        claims = await entry.claim(lambda: self._ledger.read(self._own_part), self._own_claim)
        self._others = claims.others(self._share.instance)
        return part_of_account(self._gateway, self._quote_asset, lambda: self._ledger.read(self._own_part))

    async def opening(self) -> Account:
        """What an epoch opens with: the capital, and the base assets that are this daemon's alone."""
        common = {self._quote_asset: self._share.capital_quote, COMMISSION_ASSET: ZERO}
        return in_place(await self._gateway.account(), common)

    @contextlib.asynccontextmanager
    async def reserved(self, intents: Sequence[OrderIntent]) -> AsyncIterator[Refusal | None]:
        """See Reservations. Exits are never held up.

        Raises:
            LedgerError: the ledger could not be read.
        """
        entries = [intent for intent in intents if intent.side is Side.BUY and intent.role is Role.ENTRY]
        if not entries:
            yield None
            return
        name = entries[0].client_order_id
        worth_quote = max(intent.quantity * intent.reference_price for intent in entries)
        try:
            yield await self._reserve(name, entries[0].symbol, worth_quote)
        finally:
            self._reserved.pop(name, None)

    async def run(self) -> None:
        """Keep the claim as the ledger has it, and look after the others', until cancelled."""
        while True:
            await sleep_seconds(WRITE_SECONDS)
            try:
                await self._look_after()
            except ClaimsAwayError as failure:
                self._went_away(failure)
            except (ExchangeError, LedgerError) as failure:
                log.debug("the shared account could not be looked after: %s", failure)

    async def _look_after(self) -> None:
        async with self._one_at_a_time:
            own = await self._own_claim()
            claims = await self._claims.change(lambda _: own)
        self._came_back(claims)
        trouble = _intruder(own, claims)
        if not trouble and monotonic_seconds() >= self._sum_at:
            trouble = await self._shortfall(own)
        elif not trouble:
            return
        if self._alarms is None:
            return
        if trouble:
            await self._alarms.sound(SHARED_ACCOUNT, "", trouble, blocks="")
        elif not self._short_by:
            await self._alarms.clear(SHARED_ACCOUNT)

    async def _shortfall(self, own: Claim) -> str:
        """Why the account has less than its daemons claim; empty when it has not, or has to be looked at again.

        A purchase of another daemon lowers the balance before it lowers that one's claim, so a shortfall counts when
        the same one is seen twice.
        """
        balance = (await self._gateway.account()).balances.get(self._quote_asset, ZERO)
        claimed = own.cash_quote + claimed_by_others(self._others, self._quote_asset)
        before, self._short_by = self._short_by, max(ZERO, claimed - balance)
        if not self._short_by:
            self._sum_at = monotonic_seconds() + _SUM_SECONDS
            return ""
        if before != self._short_by:
            return ""
        return (
            f"the account has {plain(balance)} {self._quote_asset}, its daemons claim {plain(claimed)}: somebody has "
            "withdrawn or spent what is theirs. Put it back, lower TRADING_CAPITAL_QUOTE, or let go of the claim of a "
            "daemon that does not run any more (`trade-agent account`)"
        )

    async def _reserve(self, name: str, symbol: str, worth_quote: Decimal) -> Refusal | None:
        found: list[Refusal] = []
        async with self._one_at_a_time:
            own = await self._own_claim()

            def decide(claims: Claims) -> Claim:
                found[:] = []
                if refusal := over_limits(own, claims.others(self._share.instance), symbol, worth_quote):
                    found.append(refusal)
                    return own
                symbols = tuple(sorted({symbol, *own.open_symbols}))
                return changed(own, exposure_quote=own.exposure_quote + worth_quote, open_symbols=symbols)

            try:
                self._came_back(await self._claims.change(decide))
            except ClaimsAwayError as failure:
                self._went_away(failure)
                if lowest_limits([own, *self._others]).are_none:
                    return None  # each daemon has its own capital, which is all that it can spend
                return Refusal(UNAGREED_RULE, f"what all daemons of this account hold is not known: {failure}")
            if not found:
                self._reserved[name] = (symbol, worth_quote)
        return found[0] if found else None

    async def _own_claim(self) -> Claim:
        """What the ledger says now, and what is being bought."""
        part = await self._ledger.read(self._own_part)
        bids = self.bids()
        held = await self._ledger.consult(lambda books: exposure(books, self._quote_asset, self._rules, bids))
        being_bought = [*self._reserved.values()]
        return Claim(
            instance=self._share.instance,
            holder=self._share.holder,
            symbols=tuple(sorted(self._rules)),
            base_assets=tuple(sorted({entry.base_asset for entry in self._rules.values()})),
            quote_asset=self._quote_asset,
            cash_quote=part.cash_quote(self._quote_asset),
            exposure_quote=held.quote + sum((worth for _, worth in being_bought), ZERO),
            open_symbols=tuple(sorted(held.symbols.union(symbol for symbol, _ in being_bought))),
            limits=self._share.limits,
            noted_wall_ms=wall_ms(),
        )

    def _own_part(self, connection: sqlite3.Connection) -> OwnPart:
        return own_part(connection, self._quote_asset, self._share.capital_quote)

    def _went_away(self, failure: ClaimsAwayError) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("%s; purchases that it has to allow are refused meanwhile", failure)

    def _came_back(self, claims: Claims) -> None:
        self._others = claims.others(self._share.instance)
        if self._is_away:
            self._is_away = False
            log.warning("the daemons of this account agree again")


def _intruder(own: Claim, claims: Claims) -> str:
    """Who trades on what is this daemon's; empty for nobody. It can come while Redis is away or has forgotten."""
    if claims.whole:
        return f"another daemon trades all of this account: {holder_text(claims.whole)}; end one of the two"
    for other in claims.others(own.instance):
        if other.instance in claims.live and (why := conflict(own, other)):
            return f"{why}; end one of the two"
    return ""
