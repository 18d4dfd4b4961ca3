"""The options of `trade-agent exchange` from flags, and from the settings where a flag is missing."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.money import parse_amount
from binance_trade_agent.simulator.options import ExchangeOptions

FASTEST = 1_000_000

# What goes without saying where another flag has been given, and so must not be given beside it.
_EXCLUDED = {
    "fixture": (
        ("relay", "replay", "symbols", "seed", "start", "speed", "state", "balances"),
        "a fixture has a market, a clock and accounts of its own, and keeps nothing",
    ),
    "relay": (
        ("replay", "seed", "start", "speed"),
        "a relayed market is the one of this moment, in real time",
    ),
    "replay": (("symbols", "seed"), "the files say which symbols there are and what happens"),
}
_FLAGS = {"balances": "--balance"}


def exchange_options(given: Mapping[str, Any], settings: Mapping[str, Any]) -> ExchangeOptions:
    """The exchange that the flags ask for.

    Args:
        given: the flags that were given, by the names of ExchangeOptions, as text.
        settings: what is meant where a flag was not given.

    Raises:
        ValueError: a flag is not of its form, or contradicts another; one sentence that names it.
    """
    for flag, (excluded, reason) in _EXCLUDED.items():
        beside = next((name for name in excluded if name in given), None)
        if flag in given and beside is not None:
            raise ValueError(f"--{flag} and {_flag(beside)} contradict each other: {reason}.")
    meant = {**_meant(given, settings), **given}
    readers: dict[str, Callable[[Any], Any]] = {
        "symbols": _symbols,
        "replay": _paths,
        "speed": _speed,
        "balances": _balances,
        "commission_rate": _rate,
    }
    return ExchangeOptions(**{name: readers.get(name, _as_it_is)(value) for name, value in meant.items()})


def _meant(given: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that do not contradict a flag: the market that is asked for takes the place of theirs."""
    is_another_market = not {"fixture", "relay", "replay", "symbols", "seed"}.isdisjoint(given)
    left_out = {"relay", "replay"} if is_another_market else set()
    market = next((flag for flag in _EXCLUDED if flag in given or (settings.get(flag) and not is_another_market)), None)
    if market is not None:
        left_out |= set(_EXCLUDED[market][0])
    return {name: value for name, value in settings.items() if name not in left_out and value is not None}


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name}")


def _as_it_is(value: Any) -> Any:
    return value


def _symbols(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, str):
        return value
    return tuple(part.strip().upper() for part in value.replace(",", " ").split())


def _paths(value: tuple[str | Path, ...]) -> tuple[Path, ...]:
    return tuple(Path(path) for path in value)


def _speed(value: str | Decimal) -> Decimal | None:
    if value == "stepped":
        return None
    speed = _amount(str(value))
    if speed is None or not 0 < speed <= FASTEST:
        raise ValueError(f"--speed {value} is not allowed: it must be a number above 0, up to {FASTEST}, or stepped.")
    return speed


def _rate(value: str) -> Decimal:
    rate = _amount(value)
    if rate is None or not 0 <= rate < 1:
        raise ValueError(
            f"--commission {value} is not allowed: it must be a fraction from 0 to below 1, such as 0.001."
        )
    return rate


def _balances(value: tuple[str, ...] | Mapping[str, Decimal]) -> dict[str, Decimal]:
    if isinstance(value, Mapping):
        return dict(value)
    balances: dict[str, Decimal] = {}
    for asset, amount in map(_balance, value):
        if asset in balances:
            raise ValueError(f"--balance {asset} is given twice: give each asset once.")
        balances[asset] = amount
    return balances


def _balance(text: str) -> tuple[str, Decimal]:
    asset, _, digits = text.partition("=")
    amount = _amount(digits)
    if not asset.isalnum() or amount is None or amount < 0:
        raise ValueError(f"--balance {text} is not allowed: it must be ASSET=AMOUNT, such as USDT=10000.")
    return asset.upper(), amount


def _amount(text: str) -> Decimal | None:
    try:
        return parse_amount(text)
    except ValueError:
        return None
