"""The limits for people: whether entries are allowed now and why not, then a table of each limit."""

from collections.abc import Iterator, Sequence

from binance_trade_agent.reports.aligned import aligned
from binance_trade_agent.reports.risk_limits import Limit, RiskLimits, SymbolLimits
from binance_trade_agent.reports.wording import changed_limit, duration, measured, money, utc_text

_HEAD = ("", "rule", "now", "limit", "left", "used", "setting")
_RIGHT = range(2, 6)


def lines(found: RiskLimits) -> Iterator[str]:
    """The limits, a line each."""
    yield _verdict(found)
    yield from _reasons(found)
    yield ""
    yield from _situation(found)
    yield ""
    yield "Account"
    yield from aligned([_HEAD, *map(_cells, found.account)], right=_RIGHT)
    for symbol in found.symbols:
        yield from _symbol(symbol, found.as_of_ms)


def _verdict(found: RiskLimits) -> str:
    """Whether entries are allowed now, and what stops them."""
    may = " ".join(one.symbol for one in found.symbols if not one.stopped_by)
    stopped = {one.symbol: ", ".join(one.stopped_by) for one in found.symbols if one.stopped_by}
    by_symbol = "; ".join(f"{symbol}: {names}" for symbol, names in stopped.items())
    if not stopped:
        said = f"Entries are allowed now on {may}"
    elif may:
        said = f"Entries are allowed now on {may}, not on {by_symbol}"
    else:
        is_same = len(set(stopped.values())) == 1
        said = f"No entries now: {next(iter(stopped.values())) if is_same else by_symbol}"
    return f"{said}." if found.is_running else f"{said}. No trader runs."


def _reasons(found: RiskLimits) -> Iterator[str]:
    names = {name for symbol in found.symbols for name in symbol.stopped_by}
    for limit in found.account:
        if limit.allows is False and limit.name in names:
            yield f"  {limit.name}: {limit.detail}{_span(limit)}"
    for symbol in found.symbols:
        for limit in symbol.now:
            if limit.allows is False:
                yield f"  {limit.name} on {symbol.symbol}: {limit.detail}{_span(limit)}"


def _situation(found: RiskLimits) -> Iterator[str]:
    yield f"As of {utc_text(found.as_of_ms)} UTC, ledger {found.ledger}, run {found.run_id}"
    yield f"  RISK_PROFILE {found.profile or 'is not set: defaults and single settings hold'}"
    if not found.quote_asset:
        yield "  equity unknown: no tick has noted yet what the account is worth"
    else:
        age = duration(found.as_of_ms - found.priced_ms)
        worth = f"{money(found.equity_quote)} {found.quote_asset}"
        yield f"  equity {worth} at bids of {utc_text(found.priced_ms)}, {age} old"
        ends = {"highest": found.peak_quote, "as the UTC day began": found.day_quote}
        yield "  " + ", ".join(f"{what} {'unknown' if at is None else money(at)}" for what, at in ends.items())
    for symbol in found.at_cost:
        yield f"  {symbol} is held and its bid was not seen: it is counted at what it cost"
    for change in found.changed:
        yield f"  {changed_limit(change)}"
    for name, (here, there) in found.differing.items():
        yield f"  {name} is {here} here and {there} in that run"


def _symbol(found: SymbolLimits, as_of_ms: int) -> Iterator[str]:
    yield ""
    yield found.symbol
    yield from aligned([_HEAD, *map(_cells, found.now)], right=_RIGHT)
    yield f"{found.symbol}, as the market was when it was looked at"
    rows = [(*_HEAD[:-1], "seen", _HEAD[-1]), *(_seen_cells(limit, as_of_ms) for limit in found.seen)]
    yield from aligned(rows, right=_RIGHT)


def _seen_cells(limit: Limit, as_of_ms: int) -> Sequence[str]:
    seen = "never" if limit.seen_ms is None else f"{duration(as_of_ms - limit.seen_ms)} ago"
    state, *cells, setting = _cells(limit)
    return ("refused" if limit.allows is False else state, *cells, seen, setting)


def _cells(limit: Limit) -> tuple[str, ...]:
    state = "off" if limit.is_off else {True: "ok", False: "STOPS", None: "unknown"}[limit.allows]
    setting = f"{limit.setting}={limit.configured}" if limit.setting else ""
    setting += f", by {limit.change.requested_by}" if limit.change else ""
    if limit.value is None and not limit.is_off:
        setting = ", ".join(filter(None, [setting, limit.detail]))
    now, at, left = (measured(value, limit.unit) for value in (limit.value, limit.limit, limit.left))
    used = "" if limit.used_pct is None else f"{limit.used_pct:.0f} %"
    return (state, limit.name, now, at, left, used, setting)


def _span(limit: Limit) -> str:
    since = f", since {utc_text(limit.since_ms)}" if limit.since_ms is not None else ""
    until = f", until {utc_text(limit.until_ms)}" if limit.until_ms is not None else ""
    return f"{since}{until}"
