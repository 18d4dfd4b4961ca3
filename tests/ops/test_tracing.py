"""Traces of ticks: what is sent, what an endpoint that is away does, and that without the setting nothing is touched."""

import gzip
import logging
import subprocess
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from binance_trade_agent import daemon, exit_codes
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.tracing import address, said_once
from tests.exchange_process import running_exchange
from tests.test_daemon import EAGER, configured


class Collector(ThreadingHTTPServer):
    """Takes what is sent by OTLP over HTTP, on a thread."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taker)
        self.spans = []
        self.resource = {}

    def take(self, body):
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            self.spans += [span for scope in of_resource.scope_spans for span in scope.spans]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Taker(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        self.server.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def collector():
    with Collector() as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def attributes(span):
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.fixture
def log_of_opentelemetry():
    """It is the process's, and quieter afterwards; nor does a thread that still sends outlive the test."""
    logger = logging.getLogger("opentelemetry")
    before = logger.level
    yield
    for thread in threading.enumerate():
        if thread.name == "last traces":
            thread.join()
    logger.setLevel(before)


async def play(folder, **settings):
    """A session of four ticks."""
    async with running_exchange(speed=None) as exchange:
        known = configured(folder, exchange, **EAGER, **{"TRADING_DURATION_MINUTES": "4", **settings})
        assert await daemon._run(known) == exit_codes.OK


async def test_a_tick_is_sent_to_the_endpoint_with_its_agents(tmp_path, collector, log_of_opentelemetry):
    await play(tmp_path, TRACING_ENDPOINT=collector.url, TRADING_INSTANCE="mine")
    assert collector.resource["service.name"] == "trade-agent"
    assert collector.resource["service.instance.id"] == "mine"
    by_id = {span.span_id: span for span in collector.spans}
    below = defaultdict(list)
    for span in collector.spans:
        below[span.parent_span_id].append(span)
    ticks = [span for span in collector.spans if span.name == "tick"]
    assert [attributes(span)["cycle"] for span in ticks] == [1, 2, 3, 4]
    assert all(span.parent_span_id == b"" for span in ticks)
    for tick in ticks:
        assert {span.name for span in below[tick.span_id]} == {"decide BTCUSDT", "decide ETHUSDT"}
        for decided in below[tick.span_id]:
            agents = [span.name for span in sorted(below[decided.span_id], key=lambda span: span.start_time_unix_nano)]
            assert agents == ["market_data", "signal", "risk", "execution"][: len(agents)]
            assert len(agents) >= 2
            assert attributes(decided)["outcome"]
            assert all(span.end_time_unix_nano <= decided.end_time_unix_nano for span in below[decided.span_id])
    executed = [span for span in collector.spans if span.name == "execution"]
    assert executed, "this strategy trades"
    assert all("client_order_id" in attributes(by_id[span.parent_span_id]) for span in executed)


async def test_with_an_endpoint_that_is_away_trading_goes_on_and_ends_in_time(tmp_path, log_of_opentelemetry):
    begun = monotonic_seconds()
    await play(tmp_path, TRACING_ENDPOINT="http://127.0.0.1:9")
    assert monotonic_seconds() - begun < 10


class Scripted(SpanExporter):
    """Succeeds and fails as it is told to."""

    def __init__(self, *results):
        self._results = iter(results)

    def export(self, _):
        return next(self._results)


def test_an_endpoint_that_is_away_is_said_once_and_so_is_its_return(caplog, log_of_opentelemetry):
    well, ill = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    results = [well, ill, ill, well, well, ill]
    exporter = said_once(Scripted(*results), "http://there")
    with caplog.at_level(logging.WARNING):
        assert [exporter.export(()) for _ in results] == results
    away = "traces cannot be sent to http://there; those of meanwhile are lost"
    assert caplog.messages == [away, "traces are sent again", away]


@pytest.mark.parametrize(
    ("endpoint", "sent_to"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://traces.example/otlp", "https://traces.example/otlp"),
    ],
)
def test_an_address_without_a_path_is_completed(endpoint, sent_to):
    assert address(endpoint) == sent_to


def test_without_the_settings_neither_library_is_imported():
    program = (
        "import sys, binance_trade_agent.daemon;"
        "print(sorted(name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'prometheus_client'))))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "[]"
