"""Metrics as text, asked for and read back."""

import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from binance_trade_agent.ops.metrics.catalogue import METRICS
from binance_trade_agent.ops.metrics.samples import Samples

Told = dict[str, dict[tuple[str, ...], float]]


def read(text: str) -> Told:
    """By the name of a series, by the values of its labels in the order of the catalogue, its value."""
    told: Told = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = _in_order(family.name, sample.labels)
            assert values not in told.get(sample.name, {}), "each series once"
            told.setdefault(sample.name, {})[values] = sample.value
    return told


def _in_order(family: str, labels: dict[str, str]) -> tuple[str, ...]:
    metric = METRICS.get(family) or METRICS.get(f"{family}_total")
    names = metric.labels if metric else ()
    return tuple(labels[name] for name in (*names, *sorted(labels.keys() - set(names))))


def raw(samples: Samples) -> str:
    """The answer that these samples make."""

    class One(Collector):
        def collect(self):
            return samples.families()

    registry = CollectorRegistry()
    registry.register(One())
    return generate_latest(registry).decode()


def text_of(samples: Samples) -> Told:
    """The samples, written as an answer and read back."""
    return read(raw(samples))


def scraped(port: int, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    """Status and text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
