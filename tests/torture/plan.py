"""What a seed has in store: how bad the network, the exchange and the disk are, and when which life ends."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from binance_trade_agent.ops.crash_points import POINTS
from tests.torture.ledger import DiskFaults
from tests.torture.network import NetworkFaults

ON_THE_WIRE = "request.on_the_wire"  # a request that changes something is sent, its answer has not come

_NETWORKS = {
    "perfect": NetworkFaults(),
    "slow": NetworkFaults(latency_seconds=0.2, jitter_seconds=0.3, spike=0.08, spike_seconds=6.0),
    "flaky": NetworkFaults(
        jitter_seconds=0.02,
        spike=0.03,
        spike_seconds=4.0,
        reset_before=0.004,
        reset_within=0.003,
        reset_after=0.01,
        refuse=0.02,
    ),
    "treacherous": NetworkFaults(
        jitter_seconds=0.01, spike=0.05, spike_seconds=8.0, reset_after=0.015, black_hole=0.006, refuse=0.05
    ),
}

# Faults of the exchange (docs/reference/faults.md): kind and fields. `p` becomes a probability, `s` a length.
_ORDER_FAULTS = (
    ("unknown_executed", {}),
    ("unknown_not_executed", {}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("timeout_after", {}),
    ("truncate_json", {}),
    ("http", {"status": 503}),
    ("http", {"status": 500, "body": '{"code":-1000,"msg":"An unknown error occurred while processing the request."}'}),
    (
        "http",
        {"status": 400, "body": '{"code":-1006,"msg":"An unexpected response was received from the message bus."}'},
    ),
    ("html", {"status": 502}),
    ("latency", {"ms": 1500}),
    ("latency", {"ms": 7000}),
    ("event_before_response", {"ms": 300}),
    ("event_before_response", {"ms": 3000}),
)
_EVENT_FAULTS = (
    ("event_delay", {"ms": 2000}),
    ("event_delay", {"ms": 15000}),
    ("event_drop", {}),
    ("event_duplicate", {}),
    ("event_reorder", {"ms": 1000}),
)
_SOCKET_FAULTS = (
    ("ws_close", {"target": "ws-api"}),
    ("ws_abort", {"target": "ws-api"}),
    ("ws_freeze_data", {"target": "ws-api"}),
    ("ws_freeze_all", {"target": "ws-api"}),
    ("server_shutdown", {"target": "ws-api", "lead_ms": 500}),
)
_MAINTENANCE = (
    ("http", {"status": 503}),
    ("html", {"status": 503}),
    ("http", {"status": 403, "body": "<html>WAF</html>", "content_type": "text/html"}),
)


@dataclass(frozen=True, slots=True)
class Doom:
    """How a life ends.

    Attributes:
        point, nth: the crash point at which it dies when it passes it for the nth time; None: at no point.
        after_seconds: when it ends at the latest.
        by_stop: whether that is a stop in good order instead of a kill.
        pause_seconds: until the next start.
    """

    point: str | None
    nth: int
    after_seconds: float
    by_stop: bool
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that goes wrong at a time: `what` is a fault of the exchange, or one of the network's or the clock's."""

    at_seconds: float
    what: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is drawn before a seed begins.

    Attributes:
        asks: seconds at which persons ask something of the daemon.
        backups: seconds at which the ledger is copied; a later life may begin with such a copy.
        is_shared: whether two daemons trade on the account, each a part of it.
        has_bnb: whether fees are paid in BNB.
    """

    seed: int
    chaos_seconds: float
    network_name: str
    network: NetworkFaults
    disk: DiskFaults
    reorder: float
    stall: float
    settings: dict[str, str]
    deeds: tuple[Deed, ...] = field(default_factory=tuple)
    asks: tuple[float, ...] = ()
    backups: tuple[float, ...] = ()
    is_shared: bool = False
    has_bnb: bool = False

    def dooms(self) -> Iterator[Doom]:
        """Of one life after the other."""
        chance = random.Random(f"dooms {self.seed}")
        while True:
            kind = chance.random()
            nth = 1 + int(chance.expovariate(0.7))
            point = chance.choice((*POINTS, *(ON_THE_WIRE,) * 3)) if kind < 0.6 else None
            after = chance.uniform(0.0, 1.5) if chance.random() < 0.2 else chance.uniform(6.0, 60.0)
            pause = chance.choice((0.0, 0.1, chance.uniform(0.1, 3.0), chance.uniform(3.0, 30.0)))
            yield Doom(point, nth, after, kind > 0.88, pause)


def plan_of(seed: int) -> Plan:
    """The plan of a seed."""
    chance = random.Random(f"plan {seed}")
    chaos = chance.uniform(50.0, 120.0)
    name = chance.choices(tuple(_NETWORKS), (3, 2, 3, 2))[0]
    return Plan(
        seed=seed,
        chaos_seconds=chaos,
        network_name=name,
        network=_NETWORKS[name],
        disk=_disk(chance),
        reorder=chance.choice((0.0, 0.1, 0.3)),
        stall=chance.choice((0.0, 0.0, 0.01)),
        settings=_settings(chance) | (_exits(random.Random(f"exits {seed}")) if seed % 2 == 0 else {}),
        deeds=tuple(sorted(_deeds(chance, chaos), key=lambda deed: deed.at_seconds)),
        asks=_asks(random.Random(f"asks {seed}"), chaos) if seed % 3 == 0 else (),
        backups=_asks(random.Random(f"backups {seed}"), chaos) if seed % 5 == 3 else (),
        is_shared=seed % 7 == 2,
        has_bnb=seed % 7 == 2 and seed % 2 == 0,
    )


def _asks(chance: random.Random, chaos: float) -> tuple[float, ...]:
    """When persons ask something, in every third seed, by dice of their own: see `_exits`."""
    return tuple(sorted(chance.uniform(0.0, chaos) for _ in range(chance.randint(4, 24))))


def _disk(chance: random.Random) -> DiskFaults:
    drawn = chance.random()
    if drawn < 0.65:
        return DiskFaults()
    if drawn < 0.8:
        return DiskFaults(slow=0.1, slow_seconds=0.5)
    return DiskFaults(slow=0.05, locked=0.01, full=0.01)


def _settings(chance: random.Random) -> dict[str, str]:
    near = str(chance.choice((0, 0.2, 0.5, 2)))
    return {
        "RISK_STOP_LOSS_PCT": near,
        "RISK_TAKE_PROFIT_PCT": str(chance.choice((0, 0.2, 0.5, 2))),
        "RISK_UNPROTECTED": chance.choice(("protect", "close")),
        "TRADING_INTERVAL_SECONDS": str(chance.choice((2, 3, 5, 10))),
    }


def _exits(chance: random.Random) -> dict[str, str]:
    """Exits that move, of every other seed, by dice of their own: the rest of its plan is what it would be without."""
    return {
        "RISK_TRAILING_STOP_PCT": str(chance.choice((0, 0, 0.1, 0.3))),
        "RISK_TRAILING_STEP_PCT": "0.01",
        "RISK_TRAILING_SECONDS": str(chance.choice((1, 5))),
        "RISK_TARGET_TABLE": chance.choice(("", "", "0=0.3,1=0.1")),
        "RISK_TIME_STOP_MINUTES": str(chance.choice((0, 0, 1))),
    }


def _deeds(chance: random.Random, chaos: float) -> Iterator[Deed]:
    if chance.random() < 0.8:
        for _ in range(chance.randint(1, 4)):
            yield _request_fault(chance, chaos)
    if chance.random() < 0.5:
        for _ in range(chance.randint(1, 2)):
            kind, fields = chance.choice(_EVENT_FAULTS)
            extra = {"event": "executionReport"} if chance.random() < 0.5 else {}
            yield _fault(chance, chaos, kind, fields | extra, chance.choice((0.2, 0.6)), chance.uniform(20, 120))
    yield from _socket_deeds(chance, chaos)
    yield from _state_deeds(chance, chaos)
    for what, odds in (("partition", 0.3), ("refuse", 0.2), ("reset all", 0.3)):
        if chance.random() < odds:
            for _ in range(chance.randint(1, 2)):
                yield Deed(chance.uniform(0, chaos), what, {"seconds": chance.uniform(1, 40)})


def _socket_deeds(chance: random.Random, chaos: float) -> Iterator[Deed]:
    if chance.random() < 0.4:
        kind, fields = chance.choice(_SOCKET_FAULTS)
        lasting = {"for_seconds": chance.uniform(5, 60)} if kind.startswith("ws_freeze") else {}
        for _ in range(chance.randint(1, 3)):
            yield Deed(chance.uniform(0, chaos), kind, fields | lasting)
    if chance.random() < 0.15:
        yield Deed(chance.uniform(0, chaos), "ws_no_upgrade", {"status": 503, "for_seconds": chance.uniform(5, 40)})


def _state_deeds(chance: random.Random, chaos: float) -> Iterator[Deed]:
    if chance.random() < 0.25:
        kind, fields = chance.choice(_MAINTENANCE)
        yield Deed(chance.uniform(0, chaos), kind, fields | {"path": "*", "for_seconds": chance.uniform(5, 60)})
    if chance.random() < 0.12:
        yield Deed(chance.uniform(0, chaos), "ban", {"seconds": chance.randint(2, 30)})
    if chance.random() < 0.12:
        yield Deed(chance.uniform(0, chaos), "weight", {"used": chance.choice((5000, 5990, 6000))})
    if chance.random() < 0.1:
        yield Deed(chance.uniform(0, chaos), "orders_used", {"n": 100})
    if chance.random() < 0.15:
        skew = chance.choice((-20_000, -3_000, 1_500, 8_000))
        yield Deed(chance.uniform(0, chaos), "clock_skew", {"ms": skew, "for_seconds": chance.uniform(5, 60)})
    if chance.random() < 0.2:
        yield Deed(chance.uniform(0, chaos), "wall jump", {"ms": chance.choice((-3_600_000, -5_000, 5_000, 3_600_000))})


def _request_fault(chance: random.Random, chaos: float) -> Deed:
    kind, fields = chance.choice(_ORDER_FAULTS)
    method, path = chance.choices(
        (("POST", "order*"), ("GET", "order"), ("GET", "myTrades"), ("DELETE", "order*"), (None, "*")), (6, 1, 1, 1, 1)
    )[0]
    if method is None or kind == "timeout_after":
        odds, seconds = 0.1, chance.uniform(5, 40)
    else:
        odds, seconds = chance.choice((0.2, 0.5, 1.0)), chance.uniform(10, 90)
    matcher = {"path": path} | ({"method": method} if method else {})
    return _fault(chance, chaos, kind, fields | matcher, odds, seconds)


def _fault(chance: random.Random, chaos: float, kind: str, fields: dict[str, Any], odds: float, seconds: float) -> Deed:
    drawn = {"probability": odds, "seed": chance.randint(0, 2**31), "for_seconds": seconds}
    return Deed(chance.uniform(0, chaos * 0.8), kind, fields | drawn)
