"""System health: the trader by its heartbeat and vitals, its symbols and ledger, the machine, the last troubles."""

import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard.integrity import Checked, IntegrityWatch
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.health import health_of, readiness_of, told_of
from binance_trade_agent.domain.candle_series import Flaw
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.history.recording import recordings_folder
from binance_trade_agent.ledger import alarms, queries
from binance_trade_agent.ledger.disk import MB, free_bytes
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.records import Alarm
from binance_trade_agent.ledger.rows import DECIDED, decision_from
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.health import Health, Readiness
from binance_trade_agent.ops.log_file import log_folder
from binance_trade_agent.ops.versions import versions
from binance_trade_agent.ops.vitals import ProcessVitals, SymbolVitals, Vitals, process_vitals

_STALE_SECONDS = 10.0  # vitals come about every second
_LATEST_ALARMS = 8
_LIBRARIES = ("fastapi", "jinja2", "starlette", "uvicorn")

_started_wall_ms = wall_ms()

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the trader now.

    Attributes:
        told: what it tells of itself, or told last; None when it never told anything that can be read.
        is_now: whether the trader that runs has told it, lately.
    """

    health: Health
    told: Vitals | None
    is_now: bool


@dataclass(frozen=True, slots=True)
class SymbolState:
    """A symbol: what the trader tells of it, what keeps it from being entered, and the newest decision on it."""

    symbol: str
    vitals: SymbolVitals | None
    blocks: tuple[str, ...]
    decision: Decision | None
    unsettled: int


@dataclass(frozen=True, slots=True)
class Storage:
    """The ledger's files and disk. Sizes in bytes, None where there is nothing.

    Attributes:
        written_wall_ms: when the ledger was written last: the time of its file or of its write-ahead log.
        memory_free, memory_all: of the machine.
    """

    ledger: int | None
    write_ahead: int | None
    written_wall_ms: int | None
    logs: int
    recordings: int
    disk_free: int | None
    disk_all: int | None
    memory_free: int | None
    memory_all: int | None


@router.get("/system")
async def show_system(request: Request) -> Response:
    """The page."""
    return await render(request, "system/page.html", title="System health")


@router.get("/system/state", tags=[REGION])
async def show_state(request: Request, desk: DeskOf) -> Response:
    """Health, readiness, the last tick, and the alarms that stand."""
    seen = _seen(desk)
    readiness: Readiness = await readiness_of(desk, seen.health)
    try:
        found = await desk.read(lambda connection: (alarms.standing(connection), _over(connection)))
    except LedgerError:
        found = ([], [])
    return await render(
        request,
        "system/state.html",
        seen=seen,
        readiness=readiness,
        standing=found[0],
        over=found[1],
        stale=_STALE_SECONDS,
    )


@router.get("/system/trader", tags=[REGION])
async def show_trader(request: Request, desk: DeskOf) -> Response:
    """The loop, the exchange, the processes: what the trader tells of itself."""
    return await render(
        request,
        "system/trader.html",
        seen=_seen(desk),
        own=process_vitals(_started_wall_ms),
        usage=_usage,
        stale=_STALE_SECONDS,
        has_redis=desk.settings.redis_url is not None,
        unclosed=str(Flaw.UNCLOSED),
    )


@router.get("/system/symbols", tags=[REGION])
async def show_symbols(request: Request, desk: DeskOf) -> Response:
    """Each symbol's state."""
    seen = _seen(desk)
    told = seen.told if seen.is_now else None
    names = tuple(told.symbols) if told else desk.settings.trading_symbols
    states = await desk.read(lambda connection: _symbols(connection, names, told))
    return await render(request, "system/symbols.html", states=states, is_now=seen.is_now)


@router.get("/system/storage", tags=[REGION])
async def show_storage(request: Request, desk: DeskOf) -> Response:
    """The ledger's files, its disk, and what the last integrity check has shown."""
    checked: Checked = _integrity(request, desk).look()
    found = await desk.in_thread(lambda: _storage(desk))
    return await render(request, "system/storage.html", storage=found, checked=checked, settings=desk.settings, mb=MB)


@router.get("/system/troubles", tags=[REGION])
async def show_troubles(request: Request, desk: DeskOf) -> Response:
    """The last warnings and errors, and what runs in which version."""
    seen = _seen(desk)
    return await render(request, "system/troubles.html", seen=seen, own=versions(_LIBRARIES))


def _seen(desk: Desk) -> Seen:
    health = health_of(desk)
    told = told_of(desk, health)
    if told is not None:
        return Seen(health, told, is_now=told.age_seconds <= _STALE_SECONDS)
    return Seen(health, vitals.read(vitals.vitals_path(desk.ledger_path)), is_now=False)


def _integrity(request: Request, desk: Desk) -> IntegrityWatch:
    """One for the application: the check takes up to a second."""
    state = request.app.state
    if not hasattr(state, "integrity"):
        state.integrity = IntegrityWatch(desk)
    watch: IntegrityWatch = state.integrity
    return watch


def _over(connection: sqlite3.Connection) -> list[Alarm]:
    """The latest alarms that are over."""
    return [alarm for alarm in alarms.latest(connection, _LATEST_ALARMS) if alarm.cleared_ms is not None]


def _symbols(connection: sqlite3.Connection, names: Iterable[str], told: Vitals | None) -> list[SymbolState]:
    epoch = queries.epoch_number(connection)
    unsettled = [entry.order.symbol for entry in queries.unsettled_orders(connection, epoch)]
    states = []
    for name in names:
        row = connection.execute(
            f"SELECT * FROM {DECIDED} WHERE symbol = ? ORDER BY tick_ms DESC LIMIT 1",  # noqa: S608
            (name,),
        ).fetchone()
        blocks = [block.text for block in told.entry_blocks if block.subject in {"", name}] if told else []
        states.append(
            SymbolState(
                name,
                told.symbols.get(name) if told else None,
                tuple(dict.fromkeys(blocks)),
                decision_from(row) if row else None,
                unsettled.count(name),
            )
        )
    return states


def _storage(desk: Desk) -> Storage:
    path = desk.ledger_path
    write_ahead = path.with_name(f"{path.name}-wal")
    memory = _memory()
    disk_free, disk_all = _disk(path)
    written = [at for file in (path, write_ahead) if (at := _written_wall_ms(file)) is not None]
    return Storage(
        ledger=_size(path),
        write_ahead=_size(write_ahead),
        written_wall_ms=max(written, default=None),
        logs=_size_within(log_folder(path)),
        recordings=_size_within(recordings_folder(path)),
        disk_free=disk_free,
        disk_all=disk_all,
        memory_free=memory.get("MemAvailable"),
        memory_all=memory.get("MemTotal"),
    )


def _disk(path: Path) -> tuple[int, int] | tuple[None, None]:
    """Bytes that may be written, and all there are."""
    try:
        return free_bytes(path), shutil.disk_usage(path.absolute().parent).total
    except OSError:
        return None, None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _written_wall_ms(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def _size_within(folder: Path) -> int:
    try:
        return sum(_size(path) or 0 for path in folder.iterdir())
    except OSError:
        return 0


def _memory() -> Mapping[str, int]:
    """The machine's memory in bytes by the names of /proc/meminfo; nothing where the system has no such file."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    except (OSError, ValueError, IndexError):
        return {}


def _usage(process: ProcessVitals, at_wall_ms: int) -> float | None:
    """Percent of one core that the process has used on average since it began."""
    if process.cpu_seconds is None or process.started_wall_ms is None or at_wall_ms <= process.started_wall_ms:
        return None
    return 100_000 * process.cpu_seconds / (at_wall_ms - process.started_wall_ms)
