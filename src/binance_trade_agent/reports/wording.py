"""Numbers and times as people read them."""

from datetime import UTC, datetime
from decimal import Decimal

from binance_trade_agent.domain.money import plain
from binance_trade_agent.ledger.risk_changes import RiskChange

# What rules count, one of it.
_ONE = {"entries": "entry", "failures": "failure", "losses": "loss", "orders": "order", "positions": "position"}


def sentence(text: str) -> str:
    """With a capital and an end; a name that comes first, such as an order's id, keeps its letters."""
    first = text.split(" ", 1)[0]
    is_name = any(letter.isdigit() or letter == "_" for letter in first)
    capital = text if is_name else f"{text[:1].upper()}{text[1:]}"
    return capital if capital.endswith((".", "?", "!")) else f"{capital}."


def utc_text(at_ms: int) -> str:
    """A time in ms UTC as `2024-08-05 14:36:00`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def changed_limit(change: RiskChange) -> str:
    """A limit that a person has changed while the trader ran, and that holds."""
    since = f"by {change.requested_by} since {utc_text(change.at_ms)} UTC"
    return f"{change.setting} is {change.new}, {since}; the settings say {change.configured}"


def parse_utc(text: str) -> int:
    """Milliseconds UTC of a date or a date with time in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: it is not one; the message shows the form.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date; write 2024-08-05 or 2024-08-05T14:30 (UTC)") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def often(times: int) -> str:
    """`once`, `2 times`, `1,200 times`."""
    return "once" if times == 1 else f"{times:,} times"


def exact(value: Decimal) -> str:
    """All digits, with thousands separated: `66,120.1`."""
    return f"{Decimal(plain(value)):,f}"


def money(value: Decimal) -> str:
    """An amount of quote asset to two decimals, to eight when it is less than one: `1,234.56`, `0.00012345`."""
    return f"{value:,.2f}" if abs(value) >= 1 or not value else exact(round(value, 8))


def signed_money(value: Decimal | None) -> str:
    """As `money`, with its sign; `unknown` for None."""
    if value is None:
        return "unknown"
    return f"+{money(value)}" if value > 0 else money(value)


def amounts(values: dict[str, Decimal]) -> str:
    """Amounts by asset, exact: `0.00000151 BTC, 0.4 USDT`."""
    return ", ".join(f"{exact(value)} {asset}" for asset, value in values.items()) or "none"


def measured(value: Decimal | None, unit: str) -> str:
    """What a rule has measured or compares with: `0.0014 %`, `3 orders`, `199.01 USDT`; empty for None.

    Percentages to four decimals, amounts of quote asset as money, what is counted and anything else exact to eight.
    """
    if value is None:
        return ""
    text = money(value) if unit.isupper() else exact(round(value, 4 if unit == "%" else 8))
    return f"{text} {_ONE.get(unit, unit) if value == 1 else unit}".rstrip()


def duration(length_ms: int) -> str:
    """`35 s`, `12 min`, `3 h 5 min`, `2 days 4 h`."""
    seconds = max(0, length_ms) // 1000
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return f"{minutes} min"
    if not days:
        return f"{hours} h {minutes % 60} min"
    return f"{days} {'day' if days == 1 else 'days'} {hours % 24} h"
