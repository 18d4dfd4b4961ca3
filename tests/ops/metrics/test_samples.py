"""The pieces: durations in buckets, samples by the catalogue, the catalogue itself."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from binance_trade_agent.ops.durations import Durations
from binance_trade_agent.ops.metrics.catalogue import METRICS, Kind
from binance_trade_agent.ops.metrics.samples import Samples
from tests.ops.metrics.reading import raw, text_of

seconds = st.floats(min_value=0, max_value=100)


class TestDurations:
    @given(st.lists(seconds, max_size=50), st.lists(seconds, min_size=1, max_size=6, unique=True).map(sorted))
    def test_each_bucket_counts_what_does_not_exceed_its_bound(self, noted, bounds):
        durations = Durations(bounds)
        for each in noted:
            durations.note(each)
        expected = [(bound, sum(each <= bound for each in noted)) for bound in (*bounds, math.inf)]
        assert durations.cumulative() == expected
        assert durations.count == len(noted)
        assert durations.seconds == pytest.approx(sum(noted))


class TestSamples:
    def test_what_is_not_known_is_left_out_and_never_0(self):
        samples = Samples()
        samples.put("equity_quote", None, "USDT")
        samples.put_timestamp("heartbeat_timestamp_seconds", None)
        assert list(samples.families()) == []

    def test_what_has_the_same_labels_is_added_up(self):
        samples = Samples()
        samples.put("fills_total", 2, "other", "BUY")
        samples.put("fills_total", 3, "other", "BUY")
        samples.put("traded_quote_total", Decimal("0.1"), "BTCUSDT", "USDT")
        assert text_of(samples)["trade_agent_fills_total"] == {("other", "BUY"): 5}
        assert text_of(samples)["trade_agent_traded_quote_total"] == {("BTCUSDT", "USDT"): 0.1}

    def test_a_name_that_is_not_in_the_catalogue_is_a_mistake(self):
        samples = Samples()
        samples.put("moon_phase", 1)
        with pytest.raises(AssertionError, match="moon_phase"):
            list(samples.families())

    def test_a_histogram_is_read_back_as_it_was(self):
        samples, durations = Samples(), Durations((0.1, 1.0))
        for each in (0.05, 0.5, 0.5, 7):
            durations.note(each)
        samples.put_durations("tick_duration_seconds", durations)
        told = text_of(samples)
        assert told["trade_agent_tick_duration_seconds_bucket"] == {("0.1",): 1, ("1.0",): 3, ("+Inf",): 4}
        assert told["trade_agent_tick_duration_seconds_count"] == {(): 4}
        assert told["trade_agent_tick_duration_seconds_sum"] == {(): pytest.approx(8.05)}


class TestCatalogue:
    @pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
    def test_names_follow_the_conventions(self, metric):
        assert re.fullmatch(r"trade_agent_[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert not re.search(r"_(ms|pct|milliseconds|minutes|mb|percent|count|sum|bucket)$", metric.name)
        assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith("_seconds")
        assert metric.text.endswith(".")
        assert not {"instance", "job", "le", "quantile"} & set(metric.labels), "they are Prometheus' own"


def test_the_text_is_what_prometheus_own_parser_reads():
    samples = Samples()
    samples.put("alarms", 1, 'with "quotes"\n and \\')
    (family,) = text_string_to_metric_families(raw(samples))
    assert family.samples[0].labels == {"kind": 'with "quotes"\n and \\'}
