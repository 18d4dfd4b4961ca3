"""Why it has not traded since its last trade: what the decisions said and which rules refused, counted.

It costs the same however old the ledger is: the newest decisions since then are counted, at most COUNTED_DECISIONS.
"""

import logging
import sqlite3
from collections.abc import Iterator
from decimal import Decimal

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger import alarms, queries, switches
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.rows import DECIDED
from binance_trade_agent.reports.alike import Count, counts, how_often
from binance_trade_agent.reports.wording import duration, exact, often, utc_text

COUNTED_DECISIONS = 2_000
QUIET_MS = 30 * MINUTE_MS  # so long without a trade is nothing to speak of
_SAY_EVERY_MS = 60 * MINUTE_MS
_RULES_SAID = 4

log = logging.getLogger(__name__)

_WORDS = {
    Outcome.HELD: "said HOLD",
    Outcome.SKIPPED: "had nothing to do",
    Outcome.REFUSED: "were refused",
    Outcome.ORDERED: "have an order under way",
    Outcome.EXECUTED: "traded",
    Outcome.REJECTED: "were rejected by the exchange",
    Outcome.UNFILLED: "ended without a fill",
    Outcome.UNKNOWN: "have an order of unknown outcome",
    Outcome.NO_DATA: "had no sound data",
    Outcome.FAILED: "failed",
}
# The strategy's own answers say why nothing was wanted; what comes after them, why what was wanted did not come about.
_OF_STRATEGY = frozenset({Outcome.HELD.value, Outcome.SKIPPED.value})


class LastFill(Value, frozen=True):
    """The newest trade of the epoch. Quantity in base asset, price in quote per base, market ms."""

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    traded_ms: int


class Idle(Value, frozen=True):
    """Why nothing was traded since the last trade. Times in market ms.

    Attributes:
        last_fill: None when nothing was ever traded in this epoch.
        since_ms: from when on is counted: the last fill, or the opening of the epoch; None in a new ledger.
        now_ms: the last tick that left a decision since then; None when there is none.
        decisions: how many were counted; is_cut: whether there are more, and these are the newest.
        outcomes: how often each, most frequent first; rules: how often each has refused.
        reasons: decisions that ended alike, those that differ in numbers only together.
        stops: sentences on what keeps entries away now, whatever is decided.
    """

    last_fill: LastFill | None
    since_ms: int | None
    now_ms: int | None
    decisions: int
    is_cut: bool
    outcomes: dict[str, int]
    rules: dict[str, int]
    reasons: tuple[Count, ...]
    stops: tuple[str, ...]

    @property
    def idle_ms(self) -> int:
        """How long nothing was traded, by the last tick."""
        return 0 if self.since_ms is None or self.now_ms is None else max(0, self.now_ms - self.since_ms)

    @property
    def counted(self) -> str:
        """What the decisions since then came to, in a sentence; without what keeps entries away now."""
        return _sentence(self)

    @property
    def brief(self) -> str:
        """The same in a few words, for where there is little room; empty where there is nothing to speak of."""
        if self.idle_ms < QUIET_MS:
            return ""
        return f"No trade for {duration(self.idle_ms)}: {', '.join(_brief(self))}"

    def __str__(self) -> str:
        """The same in one or two sentences."""
        stops = f" Entries are kept away now: {'; '.join(self.stops)}." if self.stops else ""
        return _sentence(self) + stops


class _Ended(Value, frozen=True):
    """What is counted of a decision."""

    tick_ms: int
    outcome: Outcome
    rule: str | None
    detail: str
    again: int
    last_tick_ms: int


def idle(connection: sqlite3.Connection, *, most: int = COUNTED_DECISIONS) -> Idle:
    """Why it has not traded since its last trade.

    Args:
        connection: of a snapshot of the ledger, or the trader's own.
        most: how many of the newest decisions are counted.
    """
    epoch = queries.current_epoch(connection)
    fill = None if epoch is None else last_fill(connection, epoch.epoch)
    since_ms = fill.traded_ms if fill else epoch.opened_ms if epoch else None
    found: list[_Ended] = []
    is_cut = False
    if epoch is not None and since_ms is not None:
        for ended in _decided_since(connection, epoch.epoch, since_ms, most + 1):
            if len(found) == most:
                is_cut = True
                break
            found.append(ended)
    return Idle(
        last_fill=fill,
        since_ms=since_ms,
        now_ms=max((ended.last_tick_ms for ended in found), default=None),
        decisions=sum(1 + ended.again for ended in found),
        is_cut=is_cut,
        outcomes=how_often((ended.outcome.value, ended) for ended in found),
        rules=how_often((ended.rule or "", ended) for ended in found if ended.outcome is Outcome.REFUSED),
        reasons=tuple(counts(found)),
        stops=tuple(_stops(connection)),
    )


def last_fill(connection: sqlite3.Connection, epoch: int) -> LastFill | None:
    """The newest trade of an epoch."""
    row = connection.execute(
        "SELECT symbol, side, quantity, price, traded_ms FROM fills INDEXED BY fills_recent WHERE epoch = ?"
        " ORDER BY traded_ms DESC, symbol DESC, trade_id DESC LIMIT 1",
        (epoch,),
    ).fetchone()
    if row is None:
        return None
    return LastFill(row["symbol"], Side(row["side"]), Decimal(row["quantity"]), Decimal(row["price"]), row["traded_ms"])


class IdleTalk:
    """Says in the log why nothing is traded: after half an hour without a trade, then about hourly of market time."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next_ms: int | None = None

    async def look(self, tick_ms: int) -> None:
        """Look after a tick, and say it where it is time to.

        Raises:
            LedgerError: the ledger could not be read.
        """
        if self._next_ms is None:
            self._next_ms = tick_ms + QUIET_MS
        if tick_ms < self._next_ms:
            return
        self._next_ms = tick_ms + QUIET_MS
        found = await self._ledger.read(idle)
        if found.last_fill is not None and found.idle_ms < QUIET_MS:
            self._next_ms = found.last_fill.traded_ms + QUIET_MS
        elif found.decisions:
            self._next_ms = tick_ms + _SAY_EVERY_MS
            log.info("%s", found)


def _decided_since(connection: sqlite3.Connection, epoch: int, since_ms: int, most: int) -> Iterator[_Ended]:
    """What was decided in an epoch after a time, newest first. An epoch may begin in the middle of a run."""
    runs = connection.execute(
        "SELECT run_id, started_ms FROM runs"
        " WHERE number >= (SELECT coalesce(max(number), 0) FROM runs WHERE epoch < ?) ORDER BY number DESC",
        (epoch,),
    )
    for run_id, started_ms in runs:
        rows = connection.execute(
            "SELECT tick_ms, outcome, rule, detail, coalesce(times, 0), coalesce(last_tick_ms, tick_ms)"  # noqa: S608
            f" FROM {DECIDED} WHERE run_id = ? AND tick_ms > ? ORDER BY tick_ms DESC, symbol DESC LIMIT ?",
            (run_id, since_ms, most),
        )
        for tick_ms, outcome, *more in rows:
            yield _Ended(tick_ms, Outcome(outcome), *more)
        if started_ms <= since_ms:
            return  # runs of an epoch follow each other: those before it ended before


def _stops(connection: sqlite3.Connection) -> Iterator[str]:
    if switches.killed(connection):
        yield "the kill switch is on until `trade-agent release NAME`"
    if scope := switches.pause_scope(connection):
        yield f"{scope.held_back} paused until `trade-agent resume`"
    for alarm in alarms.standing(connection):
        if alarm.blocks:
            yield f"{alarm.kind}{f' ({alarm.subject})' if alarm.subject else ''}: {alarm.text}"


def _sentence(found: Idle) -> str:
    if found.since_ms is None:
        return "Nothing was decided or traded yet."
    fill = found.last_fill
    if fill is None:
        last = ""
    else:
        trade = f"{fill.side} {exact(fill.quantity)} {fill.symbol} at {exact(fill.price)}"
        last = f"{trade}, {utc_text(fill.traded_ms)} UTC"
    if not found.decisions:
        return f"Nothing was decided since the last trade: {last}." if last else "Nothing was decided or traded yet."
    began = f"since {last}" if last else "and none before in this epoch"
    return f"No trade for {duration(found.idle_ms)}, {began}: {_counted(found)}."


def _counted(found: Idle) -> str:
    those = f"the newest {found.decisions:,}" if found.is_cut else f"{found.decisions:,}"
    parts = [f"{times:,} {_ended(Outcome(outcome), times)}" for outcome, times in found.outcomes.items()]
    parts = [
        f"{part} ({_by_rule(found.rules)})" if outcome == Outcome.REFUSED and found.rules else part
        for part, outcome in zip(parts, found.outcomes, strict=True)
    ]
    said = f"of {those} decisions {', '.join(parts)}" if found.decisions > 1 else f"of 1 decision {parts[0]}"
    holds = [count for count in found.reasons if count.outcome in _OF_STRATEGY and count.reason]
    return f"{said}; most often: {holds[0].reason} ({often(holds[0].times)})" if holds else said


def _ended(outcome: Outcome, times: int) -> str:
    words = _WORDS[outcome]
    return words if times != 1 else words.replace("were ", "was ").replace("have ", "has ")


def _brief(found: Idle) -> Iterator[str]:
    """The strategy's most frequent answer and the rule that refuses most; without both, how most decisions ended."""
    holds = [count for count in found.reasons if count.outcome in _OF_STRATEGY and count.reason]
    if holds:
        yield f"{holds[0].times:,} × {holds[0].reason.partition(': ')[0]}"
    if found.rules:
        rule, times = next(iter(found.rules.items()))
        yield f"{times:,} × limit {rule}"
    if not holds and not found.rules:
        outcome, times = next(iter(found.outcomes.items()))
        yield f"{times:,} {_WORDS[Outcome(outcome)]}"


def _by_rule(rules: dict[str, int]) -> str:
    shown = [f"{rule} {times:,}" for rule, times in list(rules.items())[:_RULES_SAID]]
    left = sum(list(rules.values())[_RULES_SAID:])
    return ", ".join([*shown, *([f"others {left:,}"] if left else [])])
