"""What a scrape is answered: collected at most twice a second and a tenth of the time, whoever asks how often."""

import threading
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.metrics.samples import Samples
from binance_trade_agent.ops.metrics.sources import Sources

FRESH_SECONDS = 0.5
_PAUSE = 10  # times as long as it took, with many symbols
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# After so many lines Python's lock is handed to the trading loop where it waits for it, which else may take 5 ms.
_LINES_AT_ONCE, _GIVE_WAY_SECONDS = 40, 0.00005


class _Numbers(Collector):
    """The trader's metrics. The ledger is read by a connection of its own, which never makes the trader wait."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._reader: LedgerReader | None = None
        self._nothing = threading.Event()

    def collect(self) -> Iterator[Family]:
        samples = Samples()
        self._sources.put_vitals(samples)
        self._sources.put_counts(samples)
        samples.put("ledger_readable", self._put_ledger(samples))
        lines = 0
        for family in samples.families():
            yield family
            lines += len(family.samples)
            if lines >= _LINES_AT_ONCE:
                lines = 0
                self._nothing.wait(_GIVE_WAY_SECONDS)

    def _put_ledger(self, samples: Samples) -> bool:
        """What the ledger says, all of it or nothing; whether it could be read."""
        said = Samples()
        try:
            self._reader = self._reader or LedgerReader.open(self._sources.settings.ledger_path)
            self._reader.snapshot(lambda connection: self._sources.put_ledger(said, connection))
        except LedgerError:
            self.close()  # another file may lie there by the next time
            return False
        samples.add(said)
        return True

    def close(self) -> None:
        """Let go of the ledger."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Answers:
    """Answers from any thread, one after the other; within FRESH_SECONDS, or ten times what one takes, the same.

    A hundred who ask each second cost what two do: all that a scrape takes, it takes from the trader's own time.
    """

    def __init__(self, sources: Sources, clock: Callable[[], float] = monotonic_seconds) -> None:
        self._numbers = _Numbers(sources)
        self._registry = CollectorRegistry()
        self._registry.register(self._numbers)
        ProcessCollector(registry=self._registry)
        self._one_at_a_time = threading.Lock()
        self._made, self._text = float("-inf"), b""
        self._took_seconds = 0.0
        self._clock = clock

    def answer(self) -> bytes:
        """The text, in Prometheus' own format: OpenMetrics would say the same in twice the time."""
        with self._one_at_a_time:
            asked = self._clock()
            if asked - self._made >= max(FRESH_SECONDS, _PAUSE * self._took_seconds):
                self._text = generate_latest(self._registry)
                self._made = self._clock()
                self._took_seconds = self._made - asked
            return self._text

    def close(self) -> None:
        """Let go of the ledger."""
        with self._one_at_a_time:
            self._numbers.close()
