"""What `trade-agent why SYMBOL --last N` shows: the latest decisions, a line each, and why so many traded nothing."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.aligned import aligned
from binance_trade_agent.reports.alike import Count, counts
from binance_trade_agent.reports.why import Explainer, OrderStory
from binance_trade_agent.reports.why_text import sale_in_words
from binance_trade_agent.reports.wording import utc_text


@dataclass(frozen=True, slots=True)
class Line:
    """One decision in short. confidence: 0 to 1, None without a signal; rule: which refused, None when none did.

    again, again_ms: at how many later ticks the same was decided, and the last of them.
    """

    tick_ms: int
    run_id: str
    cycle: int
    action: str | None
    confidence: float | None
    outcome: str
    rule: str | None
    reason: str
    client_order_id: str | None
    exit: str | None
    again: int
    again_ms: int | None


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest decisions on a symbol, newest last, and their counts, most frequent first.

    Attributes:
        sales: what was sold since the first of them without a decision, by stops and targets mostly.
    """

    ledger: str
    symbol: str
    decisions: list[Line]
    counts: list[Count]
    sales: list[OrderStory]


def latest(reader: LedgerReader, symbol: str, count: int) -> Latest:
    """The latest decisions on a symbol, of all runs.

    Raises:
        ValueError: no run ever traded the symbol; the message names the nearest that one did.
    """

    def read(connection: sqlite3.Connection) -> Latest:
        explainer = Explainer(connection, str(reader.path), symbol)
        decisions = explainer.latest(count)
        sales = explainer.sold_meanwhile(decisions[-1].run_id, decisions[0].tick_ms, None) if decisions else []
        return Latest(str(reader.path), symbol, [_line(each) for each in decisions], counts(decisions), sales)

    return reader.snapshot(read)


def lines(found: Latest) -> Iterator[str]:
    """The latest decisions for a person."""
    if not found.decisions:
        yield f"Nothing has been decided on {found.symbol} yet."
        return
    shown = len(found.decisions)
    yield f"The last {f'{shown} decisions' if shown > 1 else 'decision'} on {found.symbol}, times UTC"
    rows = [(line.tick_ms, _cells(line)) for line in found.decisions]
    rows += [(sale.fills[-1].traded_ms, _sale_cells(sale)) for sale in found.sales]
    yield from aligned([cells for _, cells in sorted(rows, key=lambda row: row[0])], right={2})
    yield ""
    yield "How they ended"
    yield from aligned([_count_cells(count) for count in found.counts], right={0})


def _line(decision: Decision) -> Line:
    signal = decision.signal
    return Line(
        tick_ms=decision.tick_ms,
        run_id=decision.run_id,
        cycle=decision.cycle,
        action=signal.action.value if signal else None,
        confidence=signal.confidence if signal else None,
        outcome=decision.outcome.value,
        rule=decision.rule,
        reason=decision.detail,
        client_order_id=decision.client_order_id,
        exit=decision.exit.value if decision.exit else None,
        again=decision.again,
        again_ms=decision.again_ms,
    )


def _cells(line: Line) -> tuple[str, ...]:
    why = f"{line.rule}: {line.reason}" if line.rule else line.reason
    cause = f"{line.exit}: " if line.exit else ""
    if line.exit and line.exit != ExitKind.STRATEGY:  # the position was left whatever the signal said, perhaps BUY
        cause = f"exit because of {cause}"
    order = f" ({line.client_order_id})" if line.client_order_id else ""
    again = "" if line.again_ms is None else f" (again {line.again:,} times until {utc_text(line.again_ms)})"
    confidence = "" if line.confidence is None else f"{line.confidence:.2f}"
    return (utc_text(line.tick_ms), line.action or "-", confidence, line.outcome, f"{cause}{why}{order}{again}")


def _sale_cells(sale: OrderStory) -> tuple[str, ...]:
    cause, sold = sale_in_words(sale)
    return (utc_text(sale.fills[-1].traded_ms), "-", "", "SOLD", f"{cause}: {sold}")


def _count_cells(count: Count) -> tuple[str, ...]:
    why = ": ".join(part for part in (count.rule, count.reason) if part)
    return (f"{count.times}", count.outcome, why)
