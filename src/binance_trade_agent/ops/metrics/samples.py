"""The numbers of one answer, and the answer that prometheus-client makes of them."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from binance_trade_agent.ops.durations import Durations
from binance_trade_agent.ops.metrics.catalogue import METRICS, PREFIX, Kind, Metric

Number = Decimal | float | int | None


class Samples:
    """Collects numbers by the names of the catalogue, without their prefix. What is not known is left out."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        self._durations: defaultdict[str, dict[tuple[str, ...], Durations]] = defaultdict(dict)

    def put(self, name: str, value: Number, *labels: str) -> None:
        """One number of a counter or gauge; None is not known. What has the same labels is added up."""
        if value is not None:
            known = self._numbers[PREFIX + name]
            known[labels] = known.get(labels, 0.0) + float(value)

    def put_timestamp(self, name: str, value_ms: int | None, *labels: str) -> None:
        """A time in ms."""
        self.put(name, None if value_ms is None else value_ms / 1000, *labels)

    def put_durations(self, name: str, durations: Durations, *labels: str) -> None:
        """A histogram."""
        self._durations[PREFIX + name][labels] = durations

    def add(self, others: "Samples") -> None:
        """What others hold, about other metrics."""
        self._numbers.update(others._numbers)  # noqa: SLF001 (another one of these)
        self._durations.update(others._durations)  # noqa: SLF001

    def families(self) -> Iterator[Family]:
        """What was put, in the order of the catalogue."""
        strange = (self._numbers.keys() | self._durations.keys()) - METRICS.keys()
        assert not strange, f"not in the catalogue: {strange}"
        for metric in METRICS.values():
            if numbers := self._numbers.get(metric.name):
                yield _numbers(metric, numbers)
            if durations := self._durations.get(metric.name):
                yield _histogram(metric, durations)


def _numbers(metric: Metric, numbers: dict[tuple[str, ...], float]) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.text, labels=metric.labels)
    for labels, value in sorted(numbers.items()):
        assert len(labels) == len(metric.labels), metric.name
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, all_durations: dict[tuple[str, ...], Durations]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
    for labels, durations in sorted(all_durations.items(), key=lambda item: item[0]):
        buckets = [("+Inf" if bound == float("inf") else repr(bound), count) for bound, count in durations.cumulative()]
        family.add_metric(labels, buckets, durations.seconds)
    return family
