"""TraderVitals: collects what the parts of a running trader know of themselves, and writes it beside the ledger."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from binance_trade_agent.agents.account_share import SharedAccount
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.autonomous_trading_loop import AutonomousTradingLoop
from binance_trade_agent.exchange.connect import Connection
from binance_trade_agent.exchange.price_stream import PriceStream
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.feed.choice import AnyFeed
from binance_trade_agent.ledger.disk import MB, free_bytes
from binance_trade_agent.ops import logging, vitals
from binance_trade_agent.ops.clock import ScaledClock, SteppedClock, monotonic_seconds, wall_ms
from binance_trade_agent.ops.event_loop import settling
from binance_trade_agent.ops.loop_lag import LoopLag
from binance_trade_agent.ops.versions import versions
from binance_trade_agent.ops.vitals import EntryBlock, LogVitals, RedisVitals, SymbolVitals, Vitals
from binance_trade_agent.settings import Settings

_LEAST_SECONDS = 0.2  # between two files: a market at high speed ticks far more often than anybody looks
_LIBRARIES = ("aiohttp", "msgspec", "numpy", "pandas", "python-binance", "redis")  # those that trading depends on


@dataclass(frozen=True, slots=True)
class Parts:
    """Who is asked.

    Attributes:
        redis: since when Redis does not answer; None where none is configured.
        share: its part of an account that several daemons share; None where it has all of it.
    """

    connection: Connection
    loop: AutonomousTradingLoop
    user_stream: UserStream
    price_stream: PriceStream | None
    gate: EntryGate
    suspensions: Suspensions
    market_data: MarketDataAgent
    feed: AnyFeed | None
    redis: Callable[[], RedisVitals] | None
    share: SharedAccount | None


class TraderVitals:
    """Writes the vitals with each heartbeat of `parts.loop`, at most five times a second.

    Args:
        settings: the trader's.
        run_id, started_wall_ms: of the run.
        parts: asked each time.

    Attributes:
        latest: the last that were collected, None before the first; beat_wall_ms: when the loop last gave a sign.
        loop_lag: how late the event loop comes to its timers.
    """

    def __init__(self, settings: Settings, run_id: str, started_wall_ms: int, parts: Parts) -> None:
        self._settings = settings
        self._run_id = run_id
        self._parts = parts
        self._path = vitals.vitals_path(settings.ledger_path)
        self._started_wall_ms = started_wall_ms
        self._versions = versions(_LIBRARIES)
        self._written_seconds = float("-inf")
        self.latest: Vitals | None = None
        self.beat_wall_ms: int | None = None
        self.loop_lag = LoopLag()
        parts.loop.on_beat.append(self.write)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The time in which the trader runs; the event loop's lag is measured, and how it ended is written down."""
        with self.loop_lag.measured(), settling():
            yield
        self.write(is_last=True)

    def write(self, *, is_last: bool = False) -> None:
        """Write them, unless it was done just now."""
        self.beat_wall_ms = wall_ms()
        if is_last or monotonic_seconds() - self._written_seconds >= _LEAST_SECONDS:
            self._written_seconds = monotonic_seconds()
            self.latest = self.collect()
            vitals.write(self._path, self.latest)

    def collect(self) -> Vitals:
        """How the trader is now."""
        settings, parts, clock = self._settings, self._parts, self._parts.connection.clock
        speed = clock.speed if isinstance(clock, ScaledClock | SteppedClock) else 1.0
        file = logging.log_file()
        return Vitals(
            written_wall_ms=wall_ms(),
            market_ms=clock.now_ms(),
            speed=speed,
            is_stepped=parts.connection.is_stepped,
            run_id=self._run_id,
            mode=settings.mode,
            instance=settings.trading_instance,
            versions=self._versions,
            ticks=parts.loop.ticks.vitals(
                interval_seconds=settings.trading_interval_seconds, missed=parts.loop.missed_ticks, speed=speed
            ),
            reactions=parts.loop.reactions.vitals(),
            process=vitals.process_vitals(self._started_wall_ms, self.loop_lag),
            user_stream=parts.user_stream.vitals(),
            price_stream=parts.price_stream.vitals() if parts.price_stream is not None else None,
            market_streams=dict(parts.feed.vitals()) if parts.feed is not None else {},
            exchange=parts.connection.gateway.vitals(),
            redis=parts.redis() if parts.redis is not None else None,
            account=parts.share.vitals() if parts.share is not None else None,
            log=LogVitals(lost=file.lost, trouble=file.trouble) if file is not None else None,
            entry_blocks=tuple(
                EntryBlock(name=name, subject=subject, text=text)
                for (name, subject), text in parts.gate.reasons().items()
            ),
            symbols=_symbols(settings.trading_symbols, parts.suspensions),
            dropped_candles={str(flaw): count for flaw, count in parts.market_data.dropped.items()},
            disk_free_mb=_free_mb(settings.ledger_path),
            troubles=logging.latest_troubles(),
        )


def _symbols(symbols: Sequence[str], suspensions: Suspensions) -> dict[str, SymbolVitals]:
    failures, rests = suspensions.failures, suspensions.rests_until
    return {
        symbol: SymbolVitals(failures_in_a_row=failures.get(symbol, 0), rests_until_cycle=rests.get(symbol))
        for symbol in symbols
    }


def _free_mb(path: Path) -> int | None:
    try:
        return free_bytes(path) // MB
    except OSError:
        return None
