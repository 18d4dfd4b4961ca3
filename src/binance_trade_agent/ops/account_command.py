"""`trade-agent account`: who has what of an account that several daemons share."""

import asyncio
from collections.abc import Iterator, Mapping
from decimal import Decimal

from binance_trade_agent import exit_codes
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.control.claims import Claims, ClaimsAwayError
from binance_trade_agent.control.lease import account_name, holder_text
from binance_trade_agent.domain.claims import Claim, claimed_by_others, lowest_limits
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import AuthError, ExchangeError
from binance_trade_agent.ops.terminal import complain

_SYMBOLS_SHOWN = 4


def show(configuration: Configuration, forget: str | None) -> int:
    """Print who has what of the account, after the claim of `forget` was taken away where there is one.

    Returns the exit code: 1 where the claim is one of a daemon that runs, or of none.
    """
    try:
        return asyncio.run(_show(configuration, forget))
    except (ConfigError, AuthError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    except (ExchangeError, ExchangeStartError, ClaimsAwayError) as failure:
        return complain(failure, exit_codes.FAILURE)


async def _show(configuration: Configuration, forget: str | None) -> int:
    settings = configuration.settings
    if settings.redis_url is None:
        raise ConfigError("`trade-agent account` needs REDIS_URL, where the daemons of a shared account meet.")
    from binance_trade_agent.control.redis_claims import RedisClaims

    async with connected(settings) as connection:
        stated = await connection.gateway.account()
        account = account_name(connection.endpoints.rest, stated.uid, connection.api_key)
    async with RedisClaims(settings.redis_url.get_secret_value(), account) as claims:
        seen = await claims.look()
        if forget is not None:
            if refusal := _why_kept(forget, seen):
                return complain(refusal, exit_codes.FAILURE)
            await claims.forget(forget)
            print(f"{forget} claims nothing of this account any more")
            seen = await claims.look()
    for line in lines(account, stated.balances, seen):
        print(line)
    return exit_codes.OK


def lines(account: str, balances: Mapping[str, Decimal], seen: Claims) -> Iterator[str]:
    """What is printed: a line for the account, one for each claim, and one for each quote asset."""
    yield f"account {account}"
    if seen.whole:
        yield f"  all of it is traded by {holder_text(seen.whole)}"
    claims = seen.others("")
    if not claims:
        yield "  no daemon claims a part of it"
    width = max((len(claim.instance) for claim in claims), default=0)
    for claim in claims:
        yield f"  {claim.instance:<{width}}  {_state(claim, seen)}: {_has(claim)}"
    for quote in sorted({claim.quote_asset for claim in claims}):
        counted = [claim for claim in claims if claim.quote_asset == quote]
        balance = balances.get(quote, ZERO)
        left = balance - claimed_by_others(counted, quote)
        yield f"  {_rounded(balance)} {quote} in the account, {_rounded(left)} of them claimed by nobody"
        yield f"  {_all_held(counted)}"


def _state(claim: Claim, seen: Claims) -> str:
    since = iso_second(claim.noted_wall_ms)
    halted = f"{claim.halted}, " if claim.halted else ""
    runs = f"runs, {halted}" if halted else "runs "
    return (
        f"{runs}({claim.holder}), as of {since}"
        if claim.instance in seen.live
        else f"{halted}does not run since {since}"
    )


def _has(claim: Claim) -> str:
    more = len(claim.symbols) - _SYMBOLS_SHOWN
    symbols = " ".join(claim.symbols[:_SYMBOLS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return (
        f"{symbols}; {_rounded(claim.cash_quote)} {claim.quote_asset} and positions worth "
        f"{_rounded(claim.exposure_quote)} on {len(claim.open_symbols)} symbols"
    )


def _all_held(claims: list[Claim]) -> str:
    limits = lowest_limits(claims)
    exposure = sum((claim.exposure_quote for claim in claims), ZERO)
    symbols = len(set().union(*(claim.open_symbols for claim in claims)))
    of_exposure = f" of at most {plain(limits.max_exposure_quote)}" if limits.max_exposure_quote else ""
    of_positions = f" of at most {limits.max_open_positions}" if limits.max_open_positions else ""
    return (
        f"all daemons hold {_rounded(exposure)}{of_exposure} {claims[0].quote_asset} on {symbols}{of_positions} symbols"
    )


def _why_kept(instance: str, seen: Claims) -> str:
    if instance not in seen.by_instance:
        near = nearest(instance, sorted(seen.by_instance))
        hint = f"; the nearest name is {near}" if near else ""
        return f"no daemon of the name {instance} claims a part of this account{hint}."
    if instance in seen.live:
        return f"{instance} runs ({seen.by_instance[instance].holder}): end it first."
    return ""


def _rounded(amount: Decimal) -> str:
    return f"{amount:,.2f}"
