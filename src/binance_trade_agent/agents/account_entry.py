"""Entry: how a daemon comes to share an account: nobody else has its symbols, and its capital is there."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from binance_trade_agent.agents.in_question import COMMISSION_ASSET
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.control.claims import Claims, ClaimsAwayError, ClaimStore
from binance_trade_agent.control.lease import LeaseHeldError, holder_text
from binance_trade_agent.domain.claims import Claim, claimed_by_others, conflict
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import changed
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger.own_part import OwnPart
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds

# Longer than the lease of a daemon that was killed; what others buy and sell meanwhile is in their claims by then.
_PATIENCE_SECONDS = 40.0
_LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class _NotYetError(Exception):
    """It cannot be entered now, and perhaps soon. `reason` is what it says when its time is over."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Entry:
    """Claims a part of an account.

    Args:
        gateway: to the exchange.
        claims: those of the account's daemons.
        quote_asset: what this daemon pays in.
        capital_quote: what it is to have of it.
    """

    def __init__(self, gateway: Gateway, claims: ClaimStore, quote_asset: str, capital_quote: Decimal) -> None:
        self._gateway = gateway
        self._claims = claims
        self._quote_asset = quote_asset
        self._capital_quote = capital_quote
        self._seen: dict[str, int] = {}
        self._is_last_try = False

    async def claim(self, part: Callable[[], Awaitable[OwnPart]], own: Callable[[], Awaitable[Claim]]) -> Claims:
        """Claim what `own` says, once nothing is in the way; returns the claims of all others.

        Raises:
            ConfigError, LeaseHeldError, ClaimsAwayError, ExchangeError, LedgerError: see SharedAccount.enter.
        """
        deadline, said = monotonic_seconds() + _PATIENCE_SECONDS, ""
        while True:
            self._is_last_try = monotonic_seconds() >= deadline
            try:
                return await self._try(await part(), await own())
            except (_NotYetError, ClaimsAwayError) as trouble:
                if self._is_last_try:
                    raise (trouble.reason if isinstance(trouble, _NotYetError) else trouble) from None
                if str(trouble) != said:
                    said = str(trouble)
                    log.info("waiting for up to %d s: %s", _PATIENCE_SECONDS, said)
            await sleep_seconds(_LOOK_SECONDS)

    async def _try(self, part: OwnPart, own: Claim) -> Claims:
        if part.to_come_quote < 0 and own.cash_quote < 0:
            raise ConfigError(
                f"TRADING_CAPITAL_QUOTE={plain(self._capital_quote)} is less than this daemon has in positions: it has "
                f"only {plain(part.wallet.get(self._quote_asset, ZERO))} {self._quote_asset} that it could give back."
            )
        account = await self._gateway.account()

        def decide(claims: Claims) -> Claim:
            self._look_for_conflict(own, claims)
            if part.to_come_quote > 0:
                self._look_for_money(part, own, claims, account)
            return _not_less_held(own, claims.by_instance.get(own.instance))

        claims = await self._claims.change(decide)
        others = [each.instance for each in claims.others(own.instance) if each.instance in claims.live]
        log.info(
            "%s of the account's %s is this daemon's; beside it on the account: %s",
            plain(own.cash_quote),
            self._quote_asset,
            ", ".join(others) or "nobody",
        )
        return claims

    def _look_for_conflict(self, own: Claim, claims: Claims) -> None:
        """Raise when a daemon is in the way: for good when it is seen to be alive, else until its lease is over."""
        if claims.whole:
            raise _NotYetError(
                LeaseHeldError(
                    f"another daemon trades all of this account: {holder_text(claims.whole)}; give it "
                    "TRADING_CAPITAL_QUOTE too, so that it leaves a part to others, or end it first"
                )
            )
        for other in claims.others(own.instance):
            if other.instance in claims.live and (why := conflict(own, other)):
                reason = LeaseHeldError(f"{why}: {other.holder}")
                if self._has_written_anew(other):
                    raise reason
                raise _NotYetError(reason)

    def _look_for_money(self, part: OwnPart, own: Claim, claims: Claims, account: Account) -> None:
        others = claims.others(own.instance)
        had = part.wallet.get(self._quote_asset, ZERO)
        balance = account.balances.get(self._quote_asset, ZERO)
        left = balance - had - claimed_by_others(others, self._quote_asset)
        if left < part.to_come_quote:
            claimed = "; ".join(f"{each.instance} claims {plain(each.cash_quote)}" for each in others)
            raise _NotYetError(
                ConfigError(
                    f"TRADING_CAPITAL_QUOTE={plain(self._capital_quote)} wants {plain(part.to_come_quote)} "
                    f"{self._quote_asset} of the account, of whose {plain(balance)} only {plain(max(ZERO, left))} are "
                    f"claimed by nobody{f' ({claimed})' if claimed else ''}."
                )
            )
        # What somebody has just sold is in the balance before it is in its claim. One in its start says nothing anew.
        sold = [each for each in others if each.instance in claims.live and each.quote_asset == self._quote_asset]
        is_certain = left - sum((each.exposure_quote for each in sold), ZERO) >= part.to_come_quote
        silent = [each.instance for each in sold if not self._has_written_anew(each)]
        if silent and not is_certain and not self._is_last_try:
            raise _NotYetError(ClaimsAwayError(f"{silent[0]} may have sold what is not in its claim yet"))

    def _has_written_anew(self, other: Claim) -> bool:
        """Whether a claim has changed since it was first seen here."""
        return self._seen.setdefault(other.instance, other.noted_wall_ms) != other.noted_wall_ms


def _not_less_held(own: Claim, before: Claim | None) -> Claim:
    """The claim with what was held when it was last written: a ledger that was put back learns of that later."""
    if before is None or before.quote_asset != own.quote_asset:
        return own
    return changed(
        own,
        exposure_quote=max(own.exposure_quote, before.exposure_quote),
        open_symbols=tuple(sorted({*own.open_symbols, *before.open_symbols})),
    )


def common_quote(rules: Iterable[SymbolRules]) -> str:
    """The quote asset of all symbols.

    Raises:
        ConfigError: they have several, or one has an asset that fees are taken in, which is everybody's.
    """
    known = list(rules)
    quotes = sorted({entry.quote_asset for entry in known})
    if len(quotes) > 1:
        raise ConfigError(f"TRADING_CAPITAL_QUOTE is an amount of one quote asset; these symbols have {quotes}.")
    for entry in known:
        if COMMISSION_ASSET in {entry.base_asset, entry.quote_asset}:
            raise ConfigError(
                f"{entry.symbol} in TRADING_SYMBOLS cannot be traded on a shared account (TRADING_CAPITAL_QUOTE): fees "
                f"of all its daemons may be taken in {COMMISSION_ASSET}, so nobody's books can tell whose it is."
            )
    return quotes[0]
