"""How values are written on pages: numbers with the digits of their asset, times that the browser turns to its zone."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from binance_trade_agent.domain.money import plain, rounded
from binance_trade_agent.reports.wording import duration, exact, sentence

UNKNOWN = "unknown"
# Quote assets that people count in cents.
_IN_CENTS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI", "USD", "EUR", "GBP", "TRY", "BRL"})
_CENT, _SATOSHI = Decimal("0.01"), Decimal("0.00000001")


def decimals(asset: str) -> int:
    """Decimals in which amounts of an asset are written at most."""
    return 2 if asset in _IN_CENTS else 8


def amount(value: Decimal | None, asset: str = "") -> Markup:
    """An amount of an asset: money of small change to cents (`1,234.56`), others to 8 decimals; exact on hover."""
    if value is None:
        return Markup('<span class="unknown">{}</span>').format(UNKNOWN)
    unit = _CENT if asset in _IN_CENTS and (abs(value) >= _CENT or not value) else _SATOSHI
    short = f"{round(value, 2):,.2f}" if unit is _CENT else exact(rounded(value, unit))
    return Markup('<data class="num" value="{full}" title="{title}">{short}</data>').format(
        full=plain(value), title=f"{exact(value)} {asset}".strip(), short=short
    )


def signed(value: Decimal | None, asset: str = "") -> Markup:
    """An amount with its sign, and a shape and a colour that say the same: gain, loss or neither."""
    if value is None:
        return amount(None)
    kind, shape, sign = ("gain", "▲", "+") if value > 0 else ("loss", "▼", "−") if value < 0 else ("even", "", "")
    return Markup(
        '<span class="{kind}"><span class="shape" aria-hidden="true">{shape}</span>{sign}{text}</span>'
    ).format(kind=kind, shape=shape, sign=sign, text=amount(abs(value), asset))


def price(value: Decimal | None, tick: Decimal | None = None) -> Markup:
    """A price with the digits of the symbol's tick size, or as it is where that is not known."""
    if value is None:
        return amount(None)
    digits = max(0, -int(tick.normalize().as_tuple().exponent)) if tick else None
    text = f"{value:,.{digits}f}" if digits is not None else exact(rounded(value, _SATOSHI))
    return Markup('<data class="num" value="{full}">{text}</data>').format(full=plain(value), text=text)


def percent(value: Decimal | float | None, digits: int = 2) -> Markup:
    """A percentage with its sign and shape: `▲ +1.25 %`."""
    if value is None:
        return amount(None)
    size = f"{abs(value):,.{digits}f} %"
    kind, shape, sign = ("gain", "▲", "+") if value > 0 else ("loss", "▼", "−") if value < 0 else ("even", "", "")
    return Markup(
        '<span class="{kind} num"><span class="shape" aria-hidden="true">{shape}</span>{sign}{size}</span>'
    ).format(kind=kind, shape=shape, sign=sign, size=size)


def moment(at_ms: int | None, kind: str = "datetime") -> Markup:
    """A time: UTC as it is sent, in the reader's zone once scripts run, UTC on hover. kind: datetime, time or date."""
    if at_ms is None:
        return Markup('<span class="unknown">{}</span>').format(UNKNOWN)
    stamp = datetime.fromtimestamp(at_ms / 1000, UTC)
    form = {"datetime": "%Y-%m-%d %H:%M:%S", "time": "%H:%M:%S", "date": "%Y-%m-%d"}[kind]
    return Markup('<time datetime="{iso}" data-{kind} title="{utc} UTC">{text}</time>').format(
        iso=stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        kind=kind,
        utc=stamp.strftime("%Y-%m-%d %H:%M:%S"),
        text=stamp.strftime(form),
    )


def age(at_wall_ms: int | None, now_wall_ms: int, stale_seconds: float = 0) -> Markup:
    """How long ago something was, by the machine's clock; the browser counts on. It greys after `stale_seconds`."""
    if at_wall_ms is None:
        return Markup('<span class="unknown">never</span>')
    return Markup('<time class="age" datetime="{iso}" data-wall="{at}" data-stale="{stale}">{text} ago</time>').format(
        iso=datetime.fromtimestamp(at_wall_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        at=at_wall_ms,
        stale=stale_seconds,
        text=duration(max(0, now_wall_ms - at_wall_ms)),
    )


def said(name: Any) -> str:
    """A name of the program in words: `max_open_positions` as `max open positions`."""
    return str(name).replace("_", " ").lower()


FILTERS = {
    "amount": amount,
    "signed": signed,
    "price": price,
    "percent": percent,
    "moment": moment,
    "age": age,
    "said": said,
    "plain": plain,
    "duration": duration,
    "sentence": sentence,
}
