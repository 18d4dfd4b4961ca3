"""Every metric of the trader: its name, what it counts or measures, and what its labels may be.

Names follow Prometheus' conventions: base units, `_total` for counters, times as timestamps. Labels are bounded:
symbols are those that are traded (all others together are `other`), the rest are words of this program; where there are
many such words, symbols are added up, so that 500 symbols are some thousand series. `_quote` and
`_base` are amounts in the asset that the label `asset` names. Numbers are floats, for charts; the exact ones are in the
ledger.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Counters begin at 0 with the process; `text` is its help."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


PREFIX = "trade_agent_"


def _metric(kind: Kind, name: str, text: str, labels: str = "") -> Metric:
    return Metric(f"{PREFIX}{name}", kind, text, tuple(labels.split()))


def _counter(name: str, text: str, labels: str = "") -> Metric:
    return _metric(Kind.COUNTER, f"{name}_total", text, labels)


def _gauge(name: str, text: str, labels: str = "") -> Metric:
    return _metric(Kind.GAUGE, name, text, labels)


def _histogram(name: str, text: str) -> Metric:
    return _metric(Kind.HISTOGRAM, f"{name}_seconds", text)


SECTIONS: dict[str, tuple[Metric, ...]] = {
    "The program": (
        _gauge("build_info", "The program's version and Python's; always 1.", "version python_version"),
        _gauge("run_info", "The mode and the name of the trader; always 1.", "mode trader"),
        _gauge(
            "heartbeat_timestamp_seconds", "When the trading loop last gave a sign of life, by the machine's clock."
        ),
        _histogram("event_loop_lag", "How late the event loop comes to a timer that is set 40 times a second."),
        _counter("event_loop_blocks", "How often it came more than 50 ms late."),
        _gauge("event_loop_blocked", "Whether it does so again and again, 0 or 1; the log says what it is at."),
        _gauge("threads", "Threads of the process."),
        _counter("log_lines_lost", "Lines of the log that could not be written to its file."),
    ),
    "Ticks": (
        _counter("ticks", "Ticks that have begun."),
        _counter("ticks_missed", "Ticks that were over before they could be run, and were left out."),
        _histogram("tick_duration", "From the beginning of a tick to its end, in real time."),
        _histogram("tick_cpu", "What the process used of the processor from the beginning of a tick to its end."),
        _histogram("tick_lag", "From when a tick was due until it began, in market time."),
        _histogram(
            "candle_to_order",
            "From taking the event that closes a candle from its stream until the order that it leads to is sent.",
        ),
        _gauge("tick_interval_seconds", "From one tick to the next, in market time."),
        _gauge("tick_begun_timestamp_seconds", "When the last tick began, by the machine's clock."),
    ),
    "Decisions": (
        _counter("decisions", "Decisions by how they ended; each symbol leaves one at each tick.", "symbol outcome"),
        _counter("refusals", "Decisions that a rule has ended, by the rule.", "rule"),
        _gauge("entries_blocked", "For how many subjects nothing is entered now, by the reason.", "reason"),
        _gauge("limit_pause_active", "Whether entries pause now because a limit was passed, 0 or 1.", "rule"),
        _gauge("symbol_failures", "Failures of a symbol's last ticks in a row.", "symbol"),
        _gauge("symbol_resting", "Whether a symbol rests because it has failed too often, 0 or 1.", "symbol"),
        _gauge("paused", "Whether a person's pause holds back entries, or everything; 0 or 1.", "scope"),
        _gauge("killed", "Whether the kill switch is on, 0 or 1."),
    ),
    "Orders": (
        _counter("order_states", "How often an order of ours came to a state.", "side role state"),
        _counter("fills", "Fills that were booked.", "symbol side"),
        _counter("traded_quote", "What fills have traded, in quote asset.", "symbol asset"),
        _counter("fees", "Commissions of the fills that were booked, in the asset they were taken in.", "asset"),
        _gauge("open_orders", "Orders that are not settled, by their state.", "symbol state"),
        _gauge("unknown_orders", "Orders whose outcome is not known."),
    ),
    "Money": (
        _gauge(
            "equity_quote",
            "The quote asset in the wallet and the bot's positions at the bid, at the last tick.",
            "asset",
        ),
        _gauge("cash_quote", "The quote asset in the wallet, at the last tick.", "asset"),
        _gauge("positions_quote", "The bot's positions at the bid, at the last tick.", "asset"),
        _gauge("realised_pnl_quote", "Profit of what was sold since the epoch began, after fees.", "asset"),
        _gauge("unrealised_pnl_quote", "Profit of what is held, at the bid of the last tick.", "asset"),
        _gauge("drawdown_ratio", "How far equity is below its highest value, as the limit sees it; 0 to 1."),
        _gauge("exposure_ratio", "What positions are worth as a part of equity; 0 to 1."),
        _gauge("position_base", "What is held.", "symbol asset"),
        _gauge("position_cost_quote", "What it has cost, fees included.", "symbol asset"),
        _gauge("position_worth_quote", "What it is worth at the last bid that was seen.", "symbol asset"),
        _gauge(
            "position_unprotected_base",
            "What is held, and neither protected by a stop on the exchange nor on sale; 0 where it is dust.",
            "symbol asset",
        ),
    ),
    "The ledger": (
        _gauge("alarms", "Alarms that stand, by what is wrong.", "kind"),
        _gauge("reconciliation_differences", "Unexplained differences that the last reconciliation has found."),
        _gauge("reconciled_timestamp_seconds", "When the last reconciliation came to its end, in market time."),
        _histogram("ledger_commit", "From asking for a transaction until it is on disk."),
        _gauge("ledger_readable", "Whether the ledger could be read for this answer, 0 or 1."),
        _gauge("ledger_bytes", "Size of the ledger with its write-ahead log."),
        _gauge("disk_free_bytes", "What is free on the ledger's disk."),
    ),
    "The exchange": (
        Metric(
            f"{PREFIX}request_duration_seconds",
            Kind.HISTOGRAM,
            "Requests by REST from sending to answer, by how they ended: ok, rejected, rate_limited, banned, auth, "
            "unavailable, unknown or cancelled.",
            ("endpoint", "outcome"),
        ),
        _counter("requests_unanswered", "Requests that were not answered, or by something that is not the exchange."),
        _gauge("exchange_away", "Whether nothing is asked because the exchange does not answer, 0 or 1."),
        _gauge("keys_refused", "Whether nothing is signed because the exchange refuses the keys, 0 or 1."),
        _gauge("request_weight_used", "Request weight that is used of the running minute."),
        _gauge("request_weight_limit", "Request weight that a minute has."),
        _gauge("orders_used", "New orders that the exchange has counted in a window, as it last said.", "window"),
        _gauge("orders_limit", "New orders that the exchange takes in a window.", "window"),
        _gauge("requests_waiting", "Requests that wait for their turn in the limits."),
        _gauge("clock_offset_seconds", "The exchange's clock less the machine's, when it was last taken over."),
        _gauge("stream_up", "Whether a stream of the exchange delivers, 0 or 1.", "stream"),
        _gauge("stream_wanted", "Whether there is anything to follow on it, 0 or 1.", "stream"),
        _gauge("stream_changed_timestamp_seconds", "Since when it does, or does not.", "stream"),
        _gauge("stream_heard_timestamp_seconds", "When its last event came, by the machine's clock.", "stream"),
        _counter("stream_connections", "How often it has begun to deliver.", "stream"),
    ),
    "The cache": (
        _counter(
            "cache_lookups", "Questions to the cache, by whether what it held was used: hit or miss.", "content result"
        ),
        _gauge("redis_away", "Whether Redis does not answer, 0 or 1; only where one is configured.", "use"),
        _counter("candles_dropped", "Candles that were left out of the series, by what was wrong with them.", "reason"),
    ),
}

METRICS: dict[str, Metric] = {metric.name: metric for section in SECTIONS.values() for metric in section}
