"""What the trader tells of itself, in a small file beside the ledger, about every second: for the dashboard's pages.

The heartbeat says whether it lives; this says how it is. Everything is what the process itself has measured or was
told, with the time; None where it does not know. Other versions of the program read and write the same file: fields
that are missing have their defaults, fields that are not known are ignored.
"""

import contextlib
import os
import resource
import threading
from decimal import Decimal
from pathlib import Path

import msgspec

from binance_trade_agent.domain.claims import AccountLimits
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.logging import Trouble
from binance_trade_agent.ops.loop_lag import LoopBlock, LoopLag


class TickVitals(msgspec.Struct, frozen=True, kw_only=True):
    """The ticks of this run. Times are the machine's; durations and lags are of the last `measured` ticks (real ms).

    Attributes:
        cycle: number of the last tick that has begun, 0 before the first.
        missed: ticks that were over before they could be run.
        lag: from when a tick was due until it began.
    """

    cycle: int = 0
    missed: int = 0
    interval_seconds: float | None = None
    due_wall_ms: int | None = None
    begun_wall_ms: int | None = None
    ended_wall_ms: int | None = None
    measured: int = 0
    last_ms: float | None = None
    mean_ms: float | None = None
    longest_ms: float | None = None
    last_lag_ms: float | None = None
    mean_lag_ms: float | None = None
    longest_lag_ms: float | None = None


class ReactionVitals(msgspec.Struct, frozen=True, kw_only=True):
    """From the event that closed a candle until its order was on the wire (see ops/reactions.py).

    Attributes:
        count: since the start.
        measured: the times are of the last so many (real ms).
    """

    count: int = 0
    measured: int = 0
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    longest_ms: float | None = None


class ProcessVitals(msgspec.Struct, frozen=True, kw_only=True):
    """The process.

    Attributes:
        cpu_seconds: of all its threads since it began.
        rss_bytes: memory that it holds; None where the system does not say.
        loop_lag_ms, longest_loop_lag_ms: how late the event loop came to a timer, the last time and at most in the last
            minute.
        loop_blocks: how often in the last minute by more than 50 ms; loop_block: the longest of those, if any.
        loop_trouble: what is wrong while that goes on; else empty.
    """

    pid: int = 0
    started_wall_ms: int | None = None
    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    open_files: int | None = None
    threads: int | None = None
    loop_lag_ms: float | None = None
    longest_loop_lag_ms: float | None = None
    loop_blocks: int = 0
    loop_block: LoopBlock | None = None
    loop_trouble: str = ""


class StreamVitals(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of the exchange.

    Attributes:
        is_live: whether it delivers.
        is_wanted: whether there is anything to follow; a stream of prices has nothing to do without a position.
        changed_wall_ms: since when it does, or does not; None before the first time.
        connections: how often it has begun to deliver; one more than its reconnections.
        heard_wall_ms: when its last event came.
        trouble: why it was lost, empty while it delivers.
    """

    is_live: bool = False
    is_wanted: bool = True
    changed_wall_ms: int | None = None
    connections: int = 0
    heard_wall_ms: int | None = None
    trouble: str = ""


class BudgetVitals(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the exchange's limits.

    Attributes:
        weight_used: of the running minute, never less than what the exchange may have counted.
        orders_10s, orders_day: as the last placement in this window was told; None when there was none in it.
        order_limit_day: None until the exchange has named it.
        waiting: requests that wait for their turn.
        silent_until_wall_ms, no_orders_until_wall_ms: the exchange has asked us to send nothing, or no order, until
            then; None when it has not.
    """

    weight_used: int | None = None
    weight_limit: int | None = None
    orders_10s: int | None = None
    order_limit_10s: int | None = None
    orders_day: int | None = None
    order_limit_day: int | None = None
    waiting: int = 0
    silent_until_wall_ms: int | None = None
    no_orders_until_wall_ms: int | None = None


class RequestVitals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to the exchange by REST.

    Attributes:
        sent, unanswered: since the start; those that were not answered, or by something that is not the exchange.
        measured: the times are of the last so many, from sending to answer (real ms).
    """

    sent: int = 0
    unanswered: int = 0
    measured: int = 0
    mean_ms: float | None = None
    p95_ms: float | None = None
    longest_ms: float | None = None


class ExchangeVitals(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the exchange.

    Attributes:
        clock_offset_ms: the exchange's clock minus the machine's, when it was last taken over.
        round_trip_ms: the shortest of the requests that it was taken over by: half of it may be its error.
        away_because: why nothing is asked of the exchange now, empty when it answers; since when, in market time.
        keys_refused_because: why nothing is signed now, empty when keys are taken.
    """

    clock_offset_ms: float | None = None
    clock_set_wall_ms: int | None = None
    round_trip_ms: float | None = None
    away_because: str = ""
    away_since_ms: int | None = None
    keys_refused_because: str = ""
    keys_refused_since_ms: int | None = None
    budget: BudgetVitals = BudgetVitals()
    requests: RequestVitals = RequestVitals()


class RedisVitals(msgspec.Struct, frozen=True, kw_only=True):
    """Redis, where it is configured: since when it does not answer, None while it does."""

    cache_away_since_wall_ms: int | None = None
    lease_away_since_wall_ms: int | None = None


class ClaimVitals(msgspec.Struct, frozen=True, kw_only=True):
    """What one daemon has of a shared account (see domain/claims.py). Amounts are in quote asset.

    Attributes:
        is_live: whether it runs.
        symbols: how many are its own; open_symbols: those of which it holds something.
        limits: on all daemons together, as it was started with them.
        noted_wall_ms: when that was so.
        halted: `killed` or `paused`; empty for neither.
    """

    instance: str = ""
    quote_asset: str = ""
    is_live: bool = True
    cash_quote: Decimal = Decimal(0)
    exposure_quote: Decimal = Decimal(0)
    symbols: int = 0
    open_symbols: tuple[str, ...] = ()
    limits: AccountLimits = AccountLimits()
    noted_wall_ms: int = 0
    halted: str = ""


class AccountVitals(msgspec.Struct, frozen=True, kw_only=True):
    """An account that several daemons share.

    Attributes:
        claims: this daemon's first.
        max_exposure_quote, max_open_positions: of all of them; None where nothing is limited.
        away_because: why the daemons cannot agree now, empty while they do.
    """

    quote_asset: str = ""
    claims: tuple[ClaimVitals, ...] = ()
    exposure_quote: Decimal = Decimal(0)
    max_exposure_quote: Decimal | None = None
    max_open_positions: int | None = None
    away_because: str = ""

    @property
    def others(self) -> list[str]:
        """The names of the other daemons that run and are not killed."""
        return [claim.instance for claim in self.claims[1:] if claim.is_live and claim.halted != "killed"]


class SymbolVitals(msgspec.Struct, frozen=True, kw_only=True):
    """A traded symbol.

    Attributes:
        rests_until_cycle: it takes no part before this cycle, having failed too often; None when it does.
    """

    failures_in_a_row: int = 0
    rests_until_cycle: int | None = None


class EntryBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Why no position is entered: the reason's name, the symbol it is about (empty: all), a sentence."""

    name: str = ""
    subject: str = ""
    text: str = ""


class LogVitals(msgspec.Struct, frozen=True, kw_only=True):
    """The log as a file: lines that were lost since the start, and why it cannot be written now."""

    lost: int = 0
    trouble: str | None = None


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the trader was at `written_wall_ms`.

    Attributes:
        market_ms, speed: the market's time then, and market seconds a second since; of a stepped market, which stands
            still while the trader works, while it waits.
        market_streams: by name, the connections that bring candles and quotes, and the feed process where one is used.
        redis: None where none is configured. log: None where none is kept in files. account: None where this daemon has
            it to itself.
        dropped_candles: how many were left out of the series since the start, by reason.
        troubles: the last warnings and errors, the newest first.
    """

    written_wall_ms: int = 0
    market_ms: int | None = None
    speed: float | None = None
    is_stepped: bool = False
    run_id: str = ""
    mode: str = ""
    instance: str = ""
    versions: dict[str, str] = {}
    ticks: TickVitals = TickVitals()
    reactions: ReactionVitals = ReactionVitals()
    process: ProcessVitals = ProcessVitals()
    user_stream: StreamVitals | None = None
    price_stream: StreamVitals | None = None
    market_streams: dict[str, StreamVitals] = {}
    exchange: ExchangeVitals | None = None
    redis: RedisVitals | None = None
    log: LogVitals | None = None
    account: AccountVitals | None = None
    entry_blocks: tuple[EntryBlock, ...] = ()
    symbols: dict[str, SymbolVitals] = {}
    dropped_candles: dict[str, int] = {}
    disk_free_mb: int | None = None
    troubles: tuple[Trouble, ...] = ()

    @property
    def age_seconds(self) -> float:
        """Seconds since it was written."""
        return (wall_ms() - self.written_wall_ms) / 1000

    def market_now_ms(self) -> int | None:
        """The market's time now, as far as its clock goes on by itself; that of then where it does not."""
        if self.market_ms is None or self.is_stepped or self.speed is None:
            return self.market_ms
        return self.market_ms + round(1000 * self.age_seconds * self.speed)


_decoder = msgspec.json.Decoder(Vitals)


def vitals_path(ledger_path: Path) -> Path:
    """Where the vitals of a ledger's trader are."""
    return ledger_path.with_name(f"{ledger_path.name}.vitals")


def write(path: Path, vitals: Vitals) -> None:
    """Put `vitals` in the place of those before; a full disk must not stop the loop, so a failure shows as age."""
    fresh = path.with_name(f"{path.name}.new")
    with contextlib.suppress(OSError):
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(vitals))
        fresh.replace(path)


def read(path: Path) -> Vitals | None:
    """The last that were written; None when there never were any, or when they cannot be read."""
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, ValueError):  # msgspec's, or text that is not UTF-8
        return None


def others_of_account(ledger_path: Path) -> list[str]:
    """The other daemons on the account of a ledger's trader, as it has last told; none where there are none."""
    told = read(vitals_path(ledger_path))
    return told.account.others if told is not None and told.account is not None else []


def process_vitals(started_wall_ms: int, lag: LoopLag | None = None) -> ProcessVitals:
    """This process as it is now, with the lag of its event loop where that is measured."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    late = () if lag is None else lag.late
    return ProcessVitals(
        pid=os.getpid(),
        started_wall_ms=started_wall_ms,
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        rss_bytes=_rss_bytes(),
        open_files=_open_files(),
        threads=threading.active_count(),
        loop_lag_ms=None if lag is None else lag.last_ms,
        longest_loop_lag_ms=None if lag is None else lag.longest_ms,
        loop_blocks=len(late),
        loop_block=max(late, key=lambda block: block.lag_ms, default=None),
        loop_trouble="" if lag is None else lag.trouble,
    )


def _rss_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _open_files() -> int | None:
    try:
        return sum(1 for _ in os.scandir("/proc/self/fd")) - 1  # without the one that this look opens
    except OSError:
        return None
