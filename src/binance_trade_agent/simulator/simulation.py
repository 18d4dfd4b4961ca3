"""A running simulation: the exchange, and everything that goes on around it in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.client_socket import SocketRules
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.failures import Failures
from binance_trade_agent.simulator.faults.effects import FaultEffects
from binance_trade_agent.simulator.faults.events import EventFaults
from binance_trade_agent.simulator.faults.kinds import EventFault, Occasion, Target
from binance_trade_agent.simulator.faults.register import Faults
from binance_trade_agent.simulator.faults.sockets import SocketFaults
from binance_trade_agent.simulator.faults.state import StateFaults
from binance_trade_agent.simulator.limits import Limits
from binance_trade_agent.simulator.outbox import Outbox
from binance_trade_agent.simulator.request_log import RequestLog
from binance_trade_agent.simulator.state_file import StateFile
from binance_trade_agent.simulator.streams import Streams
from binance_trade_agent.simulator.user_events import UserEvents


class Simulation:
    """What the doors (REST, WebSocket API, streams, control) share.

    Attributes:
        exchange: the exchange of now; `replace` puts another in its place.
        failures: what went wrong of itself; `faults`: what goes wrong on purpose.
        sockets: every WebSocket; `ws_api_rules` are those of new connections to the WebSocket API.
        last_request_seconds: monotonic time of the last request from outside.
        clients: requests and connections that are being served.
    """

    def __init__(self, exchange: Exchange, state_file: StateFile | None) -> None:
        self.failures = Failures()
        self.log = RequestLog()
        self.user_events = UserEvents(EventFaults(self._event_met))
        self.streams = Streams(watcher=self)
        self.ws_api_outboxes: list[Outbox] = []
        self.ws_api_rules = SocketRules()
        self.sockets = SocketFaults(self.ws_api_outboxes, self.streams.connections, self.announce_shutdown)
        self.last_request_seconds = monotonic_seconds()
        self.clients = 0
        self._state_file = state_file
        self._saved_ms = exchange.now_ms
        self._begin(exchange)
        if state_file is not None:
            state_file.follow(exchange)

    def replace(self, exchange: Exchange) -> None:
        """Go on with a fresh exchange; faults, limits and the log begin anew, connections stay.

        The state file keeps what it has: it belongs to the market that ends here.
        """
        self.close()
        self._state_file = None
        self.faults.clear()
        self.log = RequestLog()
        self._begin(exchange)

    def move(self, exchange: Exchange) -> None:
        """Go on with the same exchange at another time; faults and limits, which hang on time, begin anew."""
        self.faults.clear()
        self._begin(exchange)

    def advance(self) -> int:
        """Let the market and the faults go on to the clock's now, and tell the streams; returns market time."""
        target_ms = self.exchange.clock.now_ms()
        while True:
            fault_ms = self.faults.next_ms()
            until_ms = target_ms if fault_ms is None else min(target_ms, max(fault_ms, self.exchange.now_ms))
            now_ms = self.exchange.advance(until_ms)
            self.faults.advance(now_ms)
            if until_ms == target_ms or now_ms < until_ms:
                break
        self.streams.pump()
        return now_ms

    def settle(self) -> None:
        """Tell the streams of what a request has done, and put it on disk before it is answered."""
        self.streams.pump()
        if self.exchange.changed:
            self.save()

    def save(self) -> None:
        """Put the state on disk."""
        if self._state_file is not None:
            self._state_file.save(self.exchange)
        self.exchange.changed = False
        self._saved_ms = self.exchange.now_ms

    def save_news(self) -> None:
        """Put the state on disk when it is not what is there.

        An exchange that nobody has used must not write: another process may have gone on with its file meanwhile.
        """
        if self.exchange.changed or self.exchange.now_ms != self._saved_ms:
            self.save()

    def close(self) -> None:
        """Let go of the state file."""
        if self._state_file is not None:
            self._state_file.close()

    def idle_seconds(self) -> float:
        """Real seconds since the last request; 0 while a client is being served."""
        return 0.0 if self.clients else monotonic_seconds() - self.last_request_seconds

    @contextmanager
    def caused_by(self, method: str, path: str) -> Iterator[None]:
        """User events within come of this request."""
        self.faults.cause = Occasion(method=method, path=path)
        try:
            yield
        finally:
            self.faults.cause = Occasion()

    def connected(self, outbox: Outbox) -> None:
        """See streams, StreamWatcher."""
        self.sockets.connected("streams", outbox)

    def passes(self, name: str) -> None:
        """See streams, StreamWatcher."""
        self.faults.stream_passes(name)

    def announce_shutdown(self, target: Target) -> None:
        """Send the event serverShutdown to all sockets of a target."""
        if target == "streams":
            self.streams.announce_shutdown()
        else:
            self.user_events.announce_shutdown(self.exchange.now_ms)

    def _begin(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.limits = Limits()
        self.faults = Faults(FaultEffects(self.sockets, StateFaults(exchange, self.limits)), exchange.now_ms)
        exchange.listeners.append(lambda _transaction: self.faults.market_moves())
        self.user_events.attach(exchange)
        self.streams.attach(exchange)

    def _event_met(self, event: str, outbox: Outbox) -> EventFault | None:
        return self.faults.event_met(event, outbox)
