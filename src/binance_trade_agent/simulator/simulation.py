"""A running simulation: the exchange, and everything that goes on around it in this process."""

from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.faults import Faults
from binance_trade_agent.simulator.limits import WeightLimit
from binance_trade_agent.simulator.outbox import Outbox
from binance_trade_agent.simulator.request_log import RequestLog
from binance_trade_agent.simulator.state_file import StateFile
from binance_trade_agent.simulator.streams import Streams
from binance_trade_agent.simulator.user_events import UserEvents


class Simulation:
    """What the doors (REST, WebSocket API, streams, control) share.

    Attributes:
        exchange: the exchange of now; `replace` puts another in its place.
        last_request_seconds: monotonic time of the last request from outside.
        clients: requests and connections that are being served.
    """

    def __init__(self, exchange: Exchange, state_file: StateFile | None) -> None:
        self.exchange = exchange
        self.faults = Faults()
        self.weights = WeightLimit()
        self.log = RequestLog()
        self.user_events = UserEvents()
        self.streams = Streams()
        self.ws_api_outboxes: list[Outbox] = []
        self.last_request_seconds = monotonic_seconds()
        self.clients = 0
        self._state_file = state_file
        self._saved_ms = exchange.now_ms
        self._attach()

    def replace(self, exchange: Exchange) -> None:
        """Go on with a fresh exchange; faults, weights and the log begin anew, connections stay.

        The state file keeps what it has: it belongs to the market that ends here.
        """
        self._state_file = None
        self.exchange = exchange
        self.faults = Faults()
        self.weights = WeightLimit()
        self.log = RequestLog()
        self._attach()

    def advance(self) -> int:
        """Let the market go on to the clock's now, and tell the streams; returns market time."""
        now_ms = self.exchange.advance()
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

    def idle_seconds(self) -> float:
        """Real seconds since the last request; 0 while a client is being served."""
        return 0.0 if self.clients else monotonic_seconds() - self.last_request_seconds

    def _attach(self) -> None:
        self.user_events.attach(self.exchange)
        self.streams.attach(self.exchange)
