"""What became of one symbol in one tick. Every tick of every symbol leaves a decision; HOLD is a decision."""

from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderIntent
from binance_trade_agent.domain.signals import Signal
from binance_trade_agent.domain.words import NOTHING, OptionalText, Rounded, Text, Worded


class Outcome(StrEnum):
    """How a decision ended.

    HELD: the strategy said HOLD. SKIPPED: a signal with nothing to do, such as SELL without a position. REFUSED: a risk
    rule said no. ORDERED: an intent is committed and its end is not known yet. EXECUTED: the order filled, in part or
    whole. REJECTED: the exchange refused the order. UNFILLED: the order ended without a fill. UNKNOWN: the outcome of
    sending was not seen. NO_DATA: candles missing, stale or unsound. FAILED: the step raised.
    """

    HELD = "HELD"
    SKIPPED = "SKIPPED"
    REFUSED = "REFUSED"
    ORDERED = "ORDERED"
    EXECUTED = "EXECUTED"
    REJECTED = "REJECTED"
    UNFILLED = "UNFILLED"
    UNKNOWN = "UNKNOWN"
    NO_DATA = "NO_DATA"
    FAILED = "FAILED"


class Refusal(Worded, frozen=True):
    """A risk rule's no: the rule's name as in the settings reference, and the numbers it compared."""

    rule: str
    detail: Text


class Finding(Worded, frozen=True, gc=False):  # thirty a judgement; none holds itself
    """What one risk rule found about an order: the numbers that it compared, whether it allowed the order or not.

    Attributes:
        rule: its name, as in `refused by max_open_positions`.
        allows: None where it was not asked, because another rule refuses and the exchange would have had to be asked.
        detail: the comparison in words, with its numbers and the name of the setting.
        value, limit: the two numbers that were compared, to 8 decimals; both in `unit`, None where there are none.
        unit: a quote asset such as `USDT`, `%`, `s`, or what is counted; empty without numbers.
    """

    rule: str
    allows: bool | None
    detail: Text
    value: Rounded = NOTHING
    limit: Rounded = NOTHING
    unit: str = ""


class Decision(Worded, frozen=True):
    """One symbol's way through one tick. (run_id, tick_ms, symbol) is unique.

    Attributes:
        tick_ms: scheduled time of the tick, market time.
        cycle: number of the tick within the run, from 1.
        bid, ask: best prices seen, quote per base; None when there was no data.
        candle_age_ms, book_age_ms: age of what was looked at, market time.
        detail: why it ended so, for a person.
        exit: what made the bot leave the position, None for entries and where nothing was to be left; exit_reason:
            with its numbers.
        findings: what each risk rule found, in the order in which they were asked; empty where none was.
        candles: the last closed candles that were seen, in time order; candle_count: how many there were.
        again: at how many later ticks the same was decided and not written anew; again_ms: the last of these. Only
            the ledger knows.
    """

    run_id: str
    tick_ms: int
    cycle: int
    symbol: str
    outcome: Outcome
    detail: Text
    signal: Signal | None = None
    rule: str | None = None
    client_order_id: str | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    candle_age_ms: int | None = None
    book_age_ms: int | None = None
    exit: ExitKind | None = None
    exit_reason: OptionalText = NOTHING
    findings: tuple[Finding, ...] = ()
    candles: tuple[Candle, ...] = ()
    candle_count: int | None = None
    again: int = 0
    again_ms: int | None = None


Verdict = OrderIntent | Refusal
