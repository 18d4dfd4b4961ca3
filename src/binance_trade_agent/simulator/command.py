"""The options of `trade-agent exchange` from flags, and from the settings where a flag is missing."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.money import parse_amount
from binance_trade_agent.simulator.options import ExchangeOptions


def exchange_options(
    *,
    host: str,
    port: int,
    control_port: int,
    symbols: str | tuple[str, ...],
    seed: int,
    replay: tuple[str | Path, ...],
    fixture: str | None,
    start: str | None,
    speed: str | Decimal,
    state: Path | None,
    balances: tuple[str, ...] | dict[str, Decimal],
    exit_when_idle: float | None,
    announce: Path | None,
) -> ExchangeOptions:
    """The exchange that the flags ask for.

    Raises:
        ValueError: a flag is not of its form; one sentence that names it.
    """
    if isinstance(symbols, str):
        symbols = tuple(part.strip().upper() for part in symbols.replace(",", " ").split())
    if not isinstance(balances, dict):
        balances = dict(_balance(text) for text in balances)
    return ExchangeOptions(
        host=host,
        port=port,
        control_port=control_port,
        symbols=symbols,
        seed=seed,
        replay=tuple(Path(path) for path in replay),
        fixture=fixture,
        start=start,
        speed=_speed(str(speed)),
        state=state,
        balances=balances,
        exit_when_idle_seconds=exit_when_idle,
        announce=announce,
    )


def _speed(text: str) -> Decimal | None:
    if text == "stepped":
        return None
    try:
        speed = parse_amount(text)
    except ValueError:
        speed = Decimal(0)
    if speed <= 0:
        raise ValueError(f"--speed {text} is not allowed: it must be a number above 0, or stepped.")
    return speed


def _balance(text: str) -> tuple[str, Decimal]:
    asset, _, amount = text.partition("=")
    try:
        value: Any = parse_amount(amount)
    except ValueError:
        value = None
    if not asset.isalnum() or value is None or value < 0:
        raise ValueError(f"--balance {text} is not allowed: it must be ASSET=AMOUNT, such as USDT=10000.")
    return asset.upper(), value
