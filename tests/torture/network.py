"""A network in memory, on virtual time: transports in pairs, with latency, resets, black holes and partitions."""

import asyncio
import errno
import random
from collections import Counter, deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import ceil_timeout

from binance_trade_agent.domain.values import replace
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.torture.machine import MACHINE, Machine

_FIRST_PORT = 40_000
_POST_FACTOR = 5.0
_GOODBYE_SECONDS = 0.0005, 0.02
_LATE_WORDS, _LATE_WORDS_SECONDS = 0.5, 4.0


@dataclass(frozen=True, slots=True)
class NetworkFaults:
    """How bad the network is. Probabilities are per write, that of `refuse` per connection.

    Attributes:
        latency_seconds, jitter_seconds: one way: the former plus an exponential of the latter's mean.
        spike, spike_seconds: that a write takes up to so much longer.
        reset_before, reset_within, reset_after: that the connection breaks, and nothing, half or all of it arrives.
        black_hole: that from this write on nothing arrives on the connection, either way, and nobody is told.
        refuse: that a connection is refused.
    """

    latency_seconds: float = 0.002
    jitter_seconds: float = 0.001
    spike: float = 0.0
    spike_seconds: float = 3.0
    reset_before: float = 0.0
    reset_within: float = 0.0
    reset_after: float = 0.0
    black_hole: float = 0.0
    refuse: float = 0.0

    def for_write(self, data: bytes) -> "NetworkFaults":
        """How bad it is for what is written: orders are what this is about, so they meet the worst of it."""
        if not data.startswith(b"POST "):
            return self
        names = ("spike", "reset_before", "reset_within", "reset_after", "black_hole")
        return replace(self, **{name: min(1.0, getattr(self, name) * _POST_FACTOR) for name in names})


class Network:
    """Where servers listen and machines connect.

    Attributes:
        faults: how bad it is now.
        counts: faults that have happened, by kind.
        on_event: told of each connection and fault, for traces.
        on_written: told of the machine and of what it has just written.
    """

    def __init__(self, seed: int = 0, faults: NetworkFaults | None = None) -> None:
        self.faults = faults or NetworkFaults()
        self.counts: Counter[str] = Counter()
        self.on_event: Callable[[str], None] = lambda _: None
        self.on_written: Callable[[Machine, bytes], None] = lambda _, __: None
        self._random = random.Random(f"network {seed}")
        self._context = copy_context()
        self._servers: dict[tuple[str, int], Callable[[], asyncio.Protocol]] = {}
        self._healed_at = 0.0
        self._refuses_until = 0.0
        self._port = _FIRST_PORT
        self._number = 0
        self._open: dict[Endpoint, None] = {}

    def serve(self, host: str, port: int, factory: Callable[[], asyncio.Protocol]) -> None:
        """Let `factory` make the protocol of each connection to (host, port)."""
        self._servers[host, port] = factory

    def close_server(self, host: str, port: int) -> None:
        """Listen there no more; connections stay."""
        self._servers.pop((host, port), None)

    def connector(self, machine: Machine | None = None) -> aiohttp.BaseConnector:
        """For an aiohttp.ClientSession on `machine`."""
        return _Connector(self, machine)

    def partition(self, seconds: float) -> None:
        """Let nothing through for `seconds`: what is sent arrives afterwards, connecting hangs until then."""
        self.counts["partition"] += 1
        self.on_event(f"partition {seconds:.3f}")
        self._healed_at = max(self._healed_at, monotonic_seconds() + seconds)

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for `seconds`."""
        self.counts["refusing"] += 1
        self.on_event(f"refuse {seconds:.3f}")
        self._refuses_until = max(self._refuses_until, monotonic_seconds() + seconds)

    def reset_all(self) -> None:
        """Break every connection."""
        self.counts["reset all"] += 1
        self.on_event("reset all")
        for endpoint in list(self._open):
            endpoint.reset()

    def heal(self) -> None:
        """No faults from now on; black holes that are there stay."""
        self.faults = NetworkFaults()
        self._healed_at = self._refuses_until = 0.0

    async def connect(
        self, host: str, port: int, factory: Callable[[], Any], machine: Machine | None = None
    ) -> tuple["Endpoint", Any]:
        """A connection as the caller's side sees it.

        Raises:
            OSError: nothing listens there, or the network refuses.
        """
        self._number += 1
        chance = random.Random(f"{self._random.random()} connection")
        faults = self.faults
        await sleep_seconds(2 * _latency(faults, chance))
        while (left := self._healed_at - monotonic_seconds()) > 0:
            await sleep_seconds(min(left, 1.0))  # the SYN is sent again and again
        if machine is not None:
            machine.check()
        server = self._servers.get((host, port))
        if server is None or monotonic_seconds() < self._refuses_until or chance.random() < faults.refuse:
            self.counts["refused"] += 1
            self.on_event("refused")
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed ({host!r}, {port})")
        self._port += 1
        ours, theirs = (machine.address if machine else "127.0.0.1", self._port), (host, port)
        client = Endpoint(self, ours, theirs, chance, copy_context())
        there = Endpoint(self, theirs, ours, random.Random(f"{chance.random()} answer"), self._context)
        client.peer, there.peer = there, client
        client.machine = machine
        self._open[client] = None
        if machine is not None:
            machine.at_death(client.die)
        self._context.run(there.begin, self._context.run(server))
        protocol = factory()
        client.begin(protocol)
        return client, protocol

    def arrives_at(self, chance: random.Random, faults: NetworkFaults | None = None) -> float:
        """When something that is sent now arrives."""
        faults = faults or self.faults
        at = monotonic_seconds() + _latency(faults, chance)
        if chance.random() < faults.spike:
            self.counts["latency spike"] += 1
            at += chance.random() * faults.spike_seconds
        if at < self._healed_at:
            at = self._healed_at + _latency(self.faults, chance)
        return at

    def forget(self, endpoint: "Endpoint") -> None:
        """A connection has ended."""
        self._open.pop(endpoint, None)


def _latency(faults: NetworkFaults, chance: random.Random) -> float:
    return faults.latency_seconds + chance.expovariate(1.0) * faults.jitter_seconds


_EOF = b""


class Endpoint(asyncio.Transport):
    """One side of a connection. What is written arrives at `peer` in order, unless the network has it otherwise."""

    def __init__(
        self, network: Network, ours: tuple[str, int], theirs: tuple[str, int], chance: random.Random, context: Context
    ) -> None:
        super().__init__({"sockname": ours, "peername": theirs})
        self.peer: Endpoint | None = None
        self.machine: Machine | None = None
        self._network = network
        self._chance = chance
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._protocol: Any = None
        self._on_the_way: deque[tuple[bytes, Exception | None]] = deque()  # to the peer
        self._arrivals: deque[asyncio.TimerHandle] = deque()  # of what is on the way
        self._arrives_last = 0.0
        self._unread: deque[tuple[bytes, Exception | None]] = deque()  # arrived while reading was paused
        self._is_reading = True
        self._is_closing = False
        self._is_lost = False
        self._is_dead = False
        self._is_black_hole = False

    def begin(self, protocol: Any) -> None:
        """Tell the protocol that it is connected."""
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        if self._is_closing or self._is_dead or not data:
            return
        data = bytes(data)
        faults, drawn = self._network.faults.for_write(data), self._chance.random()
        for kind, probability, arriving in (
            ("reset before", faults.reset_before, b""),
            ("reset within", faults.reset_within, data[: len(data) // 2]),
            ("reset after", faults.reset_after, data),
        ):
            if drawn < probability:
                self._count(kind)
                if arriving:
                    # What was on its way when the connection broke may come late: long after the client was told.
                    late = self._chance.random() * faults.spike_seconds if self._chance.random() < _LATE_WORDS else 0.0
                    self._send(arriving, late_seconds=late)
                self._break()
                return
            drawn -= probability
        if drawn < faults.black_hole and not self._is_black_hole:
            self._count("black hole")
            assert self.peer is not None
            self._is_black_hole = self.peer._is_black_hole = True
        self._send(data, faults=faults)
        if self.machine is not None:
            self._network.on_written(self.machine, data)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        self._send(_EOF)

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        """Say goodbye: what was written arrives first."""
        if self._is_closing:
            return
        self._is_closing = True
        if not self._is_dead:
            self._send(_EOF)
        self._loop.call_soon(self._lose, None, context=self._context)

    def abort(self) -> None:
        """Break it off: what is on its way arrives, then the peer is told of a reset."""
        if self._is_lost:
            return
        if not self._is_closing and not self._is_dead:
            self._send(_EOF, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
        self._is_closing = True
        self._loop.call_soon(self._lose, None, context=self._context)

    def die(self) -> None:
        """The process on this side is dead: the kernel sends what was written, and a goodbye."""
        if self._is_dead or self._is_lost:
            return
        if not self._is_closing:
            self._send(_EOF)
        self._delay_what_is_on_the_way()
        self._is_dead = self._is_closing = True
        self._loop.call_soon(self._lose, None, context=self._context)

    def reset(self) -> None:
        """The network breaks it: both sides are told, what is on its way is lost."""
        assert self.peer is not None
        for side in (self, self.peer):
            side._on_the_way.clear()
            while side._arrivals:
                side._arrivals.popleft().cancel()
        self._break()

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        if self._unread:
            self._loop.call_soon(self._read, context=self._context)

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Whatever is written is sent at once."""

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 0

    def _count(self, kind: str) -> None:
        self._network.counts[kind] += 1
        self._network.on_event(kind)

    def _send(
        self,
        data: bytes,
        failure: Exception | None = None,
        *,
        late_seconds: float = 0.0,
        faults: NetworkFaults | None = None,
    ) -> None:
        """Let it arrive at the peer behind all that was sent before."""
        assert self.peer is not None
        if self._is_black_hole:
            return
        if not data:  # a goodbye comes a moment after the last bytes: a server has begun with the request by then
            late_seconds += self._chance.uniform(*_GOODBYE_SECONDS)
        at = self._network.arrives_at(self._chance, faults) + late_seconds
        gap = 0.0 if data else _GOODBYE_SECONDS[0]
        self._arrives_last = at = max(self._arrives_last + gap, at)
        self._on_the_way.append((data, failure))
        self._schedule(at)

    def _delay_what_is_on_the_way(self) -> None:
        """The last words of a dead process may be sent again and again by its kernel, and arrive after its rebirth."""
        if not self._arrivals or self._chance.random() >= _LATE_WORDS:
            return
        assert self.peer is not None
        self._count("late words")
        late = self._chance.random() * _LATE_WORDS_SECONDS
        handles = list(self._arrivals)
        self._arrivals.clear()
        for handle in handles:
            handle.cancel()
            self._schedule(handle.when() + late)

    def _schedule(self, at: float) -> None:
        assert self.peer is not None
        self._arrivals.append(self._loop.call_at(at, self.peer._arrive, self, context=self.peer._context))

    def _break(self) -> None:
        """Tell both sides of a reset: this one now, the other when news arrive there."""
        failure = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        if not self._is_closing:
            self._is_closing = True
            self._send(_EOF, failure)
            self._loop.call_soon(self._lose, failure, context=self._context)

    def _arrive(self, sender: "Endpoint") -> None:
        sender._arrivals.popleft()
        self._unread.append(sender._on_the_way.popleft())
        self._read()

    def _read(self) -> None:
        while self._unread and self._is_reading and not self._is_lost and not self._is_dead:
            data, failure = self._unread.popleft()
            if failure is not None:
                self._is_closing = True
                self._lose(failure)
            elif data:
                if not self._is_closing:
                    self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()

    def _lose(self, failure: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._network.forget(self)
            self._protocol.connection_lost(failure)


class _Connector(aiohttp.BaseConnector):
    def __init__(self, network: Network, machine: Machine | None) -> None:
        super().__init__()
        self._network = network
        self._machine = machine

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ARG002, ASYNC109
        """See aiohttp.connector, UnixConnector."""
        try:
            async with ceil_timeout(timeout.sock_connect, ceil_threshold=timeout.ceil_threshold):
                _, protocol = await self._network.connect(
                    req.url.host, req.url.port, self._factory, self._machine or MACHINE.get()
                )
        except OSError as failure:
            if failure.errno is None and isinstance(failure, TimeoutError):
                raise
            raise aiohttp.ClientConnectorError(req.connection_key, failure) from failure
        return protocol
