"""SharedAccount: this daemon's share of an account that several daemons trade side by side."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import ROUND_UP, Decimal
from functools import partial

from binance_trade_agent.agents.account_entry import Entry, common_quote
from binance_trade_agent.agents.account_part import in_place, part_of_account
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.epochs import AFTER_RESET
from binance_trade_agent.agents.in_question import COMMISSION_ASSET
from binance_trade_agent.control import commands
from binance_trade_agent.control.claims import Claims, ClaimsAwayError, ClaimStore
from binance_trade_agent.control.commands import HEARD, OF_ACCOUNT, CommandKind
from binance_trade_agent.control.lease import holder_text
from binance_trade_agent.domain.claims import (
    AccountLimits,
    Claim,
    Halt,
    conflict,
    lowest_limits,
    over_limits,
    rounded,
    unagreed,
)
from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import OrderIntent, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value, changed
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger import queries, switches
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.exposure import Exposure, exposure
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.own_part import OwnPart, own_part
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.vitals import AccountVitals, ClaimVitals

SHARED_ACCOUNT = "shared_account"
WRITE_SECONDS, HEAR_SECONDS = 5.0, 1.0
_SUM_SECONDS = 60.0  # between two looks whether the account has what its daemons claim
_PATIENCE_SECONDS = 300.0  # with a daemon that lives and does not write its claim anew, as in its start

_TAKEN_OUT = "somebody has withdrawn or spent what is theirs"
_LESS_SINCE_RESET = (
    "the exchange was reset, and each of them began anew with all of its capital; it gives less than before, or "
    "something was bought before the reset was noticed"
)

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
        self._own: Claim | None = None
        self._others: list[Claim] = []
        self._live: frozenset[str] = frozenset()
        self._reserved: dict[str, tuple[str, Decimal]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._sum_at = 0.0
        self._short_since: Mapping[str, int] | None = None  # when each claim was written that lived then
        self._short_at = 0.0
        self._away = ""  # why Redis does not answer, while it does not

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
        self._others, self._live = claims.others(self._share.instance), claims.live
        await self._hear()  # before anything is traded
        base_assets = {entry.base_asset for entry in rules.values()}
        return part_of_account(self._gateway, self._quote_asset, base_assets, lambda: self._ledger.read(self._own_part))

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
        due = monotonic_seconds() + WRITE_SECONDS
        while True:
            await sleep_seconds(HEAR_SECONDS)
            try:
                if not self._away:
                    await self._hear()
                if monotonic_seconds() >= due:
                    due = monotonic_seconds() + WRITE_SECONDS
                    await self._look_after()
            except ClaimsAwayError as failure:
                self._went_away(failure)
            except (ExchangeError, LedgerError) as failure:
                log.debug("the shared account could not be looked after: %s", failure)

    def others(self) -> list[str]:
        """See Others."""
        return self.vitals().others

    async def halt_others(self, halt: Halt) -> str:
        """See Others. What a daemon was asked it remembers in its own ledger."""
        try:
            self._came_back(await self._claims.look())
            names = [each.instance for each in self._others]
            await self._claims.ask(names, halt)
        except ClaimsAwayError as failure:
            names = [each.instance for each in self._others]
            away = f"{failure}: `trade-agent {halt.kind}` where each of them runs"
            return f"NOT reached on this account: {' '.join(names) or 'whoever there is'}; {away}"
        running = [name for name in names if name in self._live]
        ended = [name for name in names if name not in running]
        told = [f"{' '.join(running)} on this account were asked too and obey in a second or two"] if running else []
        told += [f"{' '.join(ended)} will when started, as long as Redis remembers"] if ended else []
        return "; ".join(told) or "no other daemon has a part of this account"

    def vitals(self) -> AccountVitals:
        """Who has what, as it was last seen."""
        claims = [*([self._own] if self._own else []), *self._others]
        limits = lowest_limits(claims)
        return AccountVitals(
            quote_asset=self._quote_asset,
            claims=tuple(self._told(claim) for claim in claims),
            exposure_quote=sum(
                (claim.exposure_quote for claim in claims if claim.quote_asset == self._quote_asset), ZERO
            ),
            max_exposure_quote=limits.max_exposure_quote or None,
            max_open_positions=limits.max_open_positions or None,
            away_because=self._away,
        )

    def _told(self, claim: Claim) -> ClaimVitals:
        return ClaimVitals(
            instance=claim.instance,
            quote_asset=claim.quote_asset,
            is_live=claim.instance in self._live or claim.instance == self._share.instance,
            cash_quote=claim.cash_quote,
            exposure_quote=claim.exposure_quote,
            symbols=len(claim.symbols),
            open_symbols=claim.open_symbols,
            limits=claim.limits,
            noted_wall_ms=claim.noted_wall_ms,
            halted=claim.halted,
        )

    async def _hear(self) -> None:
        """Place what other daemons were asked to pass on among the commands of this one."""

        def place(connection: sqlite3.Connection, halts: Sequence[Halt]) -> None:
            for halt in halts:
                payload = {"reason" if halt.kind == "kill" else "scope": halt.said, OF_ACCOUNT: HEARD}
                commands.add(connection, CommandKind(halt.kind), halt.requested_by, halt.requested_wall_ms, payload)

        async def obey(halts: Sequence[Halt]) -> None:
            for halt in halts:
                log.warning("%s was asked for by %s, for all of this account", halt.kind, halt.requested_by)
            await self._ledger.write(partial(place, halts=halts))

        with contextlib.suppress(ClaimsAwayError):  # the next look at the claims says so
            await self._claims.hear(self._share.instance, obey)

    async def _look_after(self) -> None:
        async with self._one_at_a_time:
            own = await self._own_claim()
            claims = await self._claims.change(lambda _: own)
        self._came_back(claims)
        trouble = _intruder(own, claims)
        if not trouble and monotonic_seconds() >= self._sum_at:
            trouble = await self._shortfall(own, claims)
        elif not trouble:
            return
        if self._alarms is None:
            return
        if trouble:
            await self._alarms.sound(SHARED_ACCOUNT, "", trouble, blocks="")
        elif self._short_since is None:
            await self._alarms.clear(SHARED_ACCOUNT)

    async def _shortfall(self, own: Claim, claims: Claims) -> str:
        """Why the account has less than its daemons claim; empty when it has not, or has to be looked at again.

        A claim may be older than its ledger, as while Redis was away or a daemon is in its start. So a shortfall counts
        when it is seen again after all that live have written theirs anew.
        """
        balance, claimed = await self._balance_and_claimed(own, claims)
        if claimed <= balance:
            self._short_since, self._sum_at = None, monotonic_seconds() + _SUM_SECONDS
            return ""
        others = [each for each in self._others if each.quote_asset == self._quote_asset]
        written = {each.instance: each.noted_wall_ms for each in others if each.instance in claims.live}
        if self._short_since is None:
            self._short_since, self._short_at = written, monotonic_seconds()
            return ""
        is_patient = monotonic_seconds() < self._short_at + _PATIENCE_SECONDS
        if is_patient and any(self._short_since.get(name) == noted_ms for name, noted_ms in written.items()):
            return ""
        epoch = await self._ledger.current_epoch()
        is_reset = epoch is not None and epoch.reason == AFTER_RESET
        return (
            f"the account has {plain(balance)} {self._quote_asset}, its daemons claim {rounded(claimed)}, "
            f"{rounded(claimed - balance, ROUND_UP)} more than there is: "
            f"{_LESS_SINCE_RESET if is_reset else _TAKEN_OUT}"
            f"{_silent(others, claims)}. Put it back, lower TRADING_CAPITAL_QUOTE of one of them by as much and start "
            "it again, or let go of the claim of a daemon that does not run any more (`trade-agent account`)"
        )

    async def _balance_and_claimed(self, own: Claim, claims: Claims) -> tuple[Decimal, Decimal]:
        """The account's quote asset, and what is certainly claimed of it: what was before and after it was asked."""
        before = {each.instance: each.certain_quote for each in [own, *claims.others(own.instance)]}
        balance = (await self._gateway.account()).balances.get(self._quote_asset, ZERO)
        self._came_back(await self._claims.look())
        after = [await self._own_claim(), *self._others]
        counted = [each for each in after if each.quote_asset == self._quote_asset]
        return balance, sum((min(each.certain_quote, before.get(each.instance, ZERO)) for each in counted), ZERO)

    async def _reserve(self, name: str, symbol: str, worth_quote: Decimal) -> Refusal | None:
        found: list[Refusal] = []
        if self._away:  # it is looked for every few seconds: nobody else has to wait for its silence
            return self._unagreed()
        async with self._one_at_a_time:
            own = await self._own_claim()

            def decide(claims: Claims) -> Claim:
                found[:] = []
                if refusal := over_limits(own, claims.others(self._share.instance), symbol, worth_quote):
                    found.append(refusal)
                    return own
                symbols = tuple(sorted({symbol, *own.open_symbols}))
                self._own = changed(
                    own,
                    exposure_quote=own.exposure_quote + worth_quote,
                    buying_quote=own.buying_quote + worth_quote,
                    open_symbols=symbols,
                )
                return self._own

            try:
                self._came_back(await self._claims.change(decide))
            except ClaimsAwayError as failure:
                self._went_away(failure)
                return self._unagreed()
            if not found:
                self._reserved[name] = (symbol, worth_quote)
        return found[0] if found else None

    async def _own_claim(self) -> Claim:
        """What the ledger says now, and what is about to be bought and is not in the ledger yet."""
        bids, reserved = self.bids(), dict(self._reserved)

        def look(connection: sqlite3.Connection) -> tuple[OwnPart, Exposure, list[tuple[str, Decimal]], str]:
            held = exposure(SqlView(connection), self._quote_asset, self._rules, bids)
            to_come = [each for name, each in reserved.items() if queries.order_entry(connection, name) is None]
            return self._own_part(connection), held, to_come, switches.halted(connection)

        part, held, to_come, halted = await self._ledger.read(look)
        to_come_quote = sum((worth for _, worth in to_come), ZERO)
        self._own = Claim(
            instance=self._share.instance,
            holder=self._share.holder,
            symbols=tuple(sorted(self._rules)),
            base_assets=tuple(sorted({entry.base_asset for entry in self._rules.values()})),
            quote_asset=self._quote_asset,
            cash_quote=part.cash_quote(self._quote_asset),
            exposure_quote=held.quote + to_come_quote,
            buying_quote=held.buying_quote + to_come_quote,
            open_symbols=tuple(sorted(held.symbols.union(symbol for symbol, _ in to_come))),
            limits=self._share.limits,
            noted_wall_ms=wall_ms(),
            halted=halted,
        )
        return self._own

    def _unagreed(self) -> Refusal | None:
        """Why nothing is bought while Redis is away; None without a limit: each has its own capital, and no more."""
        if self._share.limits.are_none and lowest_limits(self._others).are_none:
            return None
        return unagreed(self._away)

    def _own_part(self, connection: sqlite3.Connection) -> OwnPart:
        return own_part(connection, self._quote_asset, self._share.capital_quote)

    def _went_away(self, failure: ClaimsAwayError) -> None:
        if not self._away:
            self._away = str(failure)
            log.warning("%s; purchases that it has to allow are refused meanwhile", failure)

    def _came_back(self, claims: Claims) -> None:
        self._others, self._live = claims.others(self._share.instance), claims.live
        if self._away:
            self._away = ""
            log.warning("the daemons of this account agree again")


def _silent(claims: Sequence[Claim], all_claims: Claims) -> str:
    """Whose claim may be an old one, in brackets; empty for nobody's."""
    told = [
        f"{each.instance} has said nothing since {iso_second(each.noted_wall_ms)}"
        for each in claims
        if each.instance not in all_claims.live
    ]
    return f" ({'; '.join(told)})" if told else ""


def _intruder(own: Claim, claims: Claims) -> str:
    """Who trades on what is this daemon's; empty for nobody. It can come while Redis is away or has forgotten."""
    if claims.whole:
        return f"another daemon trades all of this account: {holder_text(claims.whole)}; end one of the two"
    for other in claims.others(own.instance):
        if other.instance in claims.live and (why := conflict(own, other)):
            return f"{why}; end one of the two"
    return ""
