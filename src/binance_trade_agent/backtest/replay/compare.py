"""A decision of a run and the same one of its replay, column by column, as the ledger keeps them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from binance_trade_agent.domain.claims import ACCOUNT_RULES
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.orders import OrderIntent
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ledger.rows import decision_columns, stored

# What was seen comes first: from a price that is another one all else may follow.
_SEEN = ("bid", "ask", "candle_age_ms", "book_age_ms", "candle_count", "candles_json")
_SAID = ("strategy", "candle_open_ms", "indicators_json", "action", "confidence", "reason")
_JUDGED = ("exit", "exit_reason", "findings_json")
_ENDED = ("outcome", "rule", "detail", "client_order_id")
_ORDER = (
    "client_order_id",
    "side",
    "type",
    "quantity",
    "reference_price",
    "role",
    "exit",
    "candle_open_ms",
    "atr_quote",
)
# How a decision may have ended whose order was approved but not placed, besides SKIPPED: the exchange or the ledger
# could not be asked or written then. What was judged is not kept with it.
_CUT_SHORT = frozenset({Outcome.NO_DATA, Outcome.FAILED})


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing in which two decisions differ.

    Attributes:
        what: a column of the ledger, `order ...` for one of the order, `finding NAME` for what a rule found.
        run, replay: the two values in words.
    """

    symbol: str
    tick_ms: int
    cycle: int
    what: str
    run: str
    replay: str

    def lines(self) -> Iterator[str]:
        """For a person."""
        yield f"{self.symbol} at the tick of {iso_second(self.tick_ms)} (cycle {self.cycle}): {self.what}"
        yield f"    run     {self.run}"
        yield f"    replay  {self.replay}"


def difference(
    decided: Mapping[str, Any], order: Mapping[str, Any] | None, again: Decision, approved: OrderIntent | None
) -> Difference | None:
    """The first difference of a decision, None when there is none.

    Args:
        decided: the run's, a row of the table `decisions`.
        order: the row of `orders` that came of it.
        again: the replay's.
        approved: the order that it came to; what becomes of that is the exchange's matter.
    """
    found = next(_differences(decided, order, again, approved), None)
    if found is None:
        return None
    return Difference(again.symbol, again.tick_ms, again.cycle, *found)


def _differences(
    decided: Mapping[str, Any], order: Mapping[str, Any] | None, again: Decision, approved: OrderIntent | None
) -> Iterator[tuple[str, str, str]]:
    columns = decision_columns(again)
    if again.outcome is Outcome.FAILED != decided["outcome"]:  # all else follows from that
        yield "outcome", f"{decided['outcome']}: {decided['detail']}", f"{again.outcome}: {again.detail}"
    if approved is not None and (decided["outcome"] in _CUT_SHORT or decided["rule"] == "ledger"):
        return
    for name in (*_SEEN, *_SAID, *_JUDGED, *(() if approved else _ENDED)):
        if decided[name] != columns[name]:
            yield _named(name, decided[name], columns[name])
    if approved is None:
        return
    # What all daemons of a shared account may hold is looked at after the approval, and is not this one's to repeat.
    if order is None and decided["outcome"] != Outcome.SKIPPED and decided["rule"] not in ACCOUNT_RULES:
        run = f"{decided['outcome']}: {decided['detail']}"
        yield "outcome", run, f"approved: {approved.side} {stored(approved.quantity)}"
    if order is None:
        return
    for name in _ORDER:
        if order[name] != (wanted := stored(getattr(approved, name))):
            yield f"order {name}", _words(order[name]), _words(wanted)


def _named(name: str, run: Any, replay: Any) -> tuple[str, str, str]:
    """The difference in a column; of a list of findings the first one that differs."""
    if name != "findings_json" or run is None or replay is None:
        return name.removesuffix("_json"), _words(run), _words(replay)
    for ours, theirs in zip(json.loads(run), json.loads(replay), strict=False):
        if ours != theirs:
            return f"finding {ours[0]}", _finding(ours), _finding(theirs)
    return "findings", _words(run), _words(replay)


def _finding(row: Sequence[Any]) -> str:
    """A finding as the ledger keeps it, the rule, whether it allows and the detail first, in words."""
    return f"{'not asked' if row[1] is None else 'allowed' if row[1] else 'refused'}: {row[2]}"


def _words(value: Any) -> str:
    return "nothing" if value is None else str(value)
