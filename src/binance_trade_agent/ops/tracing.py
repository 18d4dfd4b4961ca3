"""Traces of ticks for OpenTelemetry, where TRACING_ENDPOINT says to send them.

The agents know nothing of it: their methods are wrapped on the instances that trade, and only then. Without the setting
this module is not imported, and nothing is slower by it.
"""

import contextlib
import functools
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.agents.risk import RiskManagementAgent
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator
from binance_trade_agent.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span, Tracer

_PATH = "/v1/traces"
_SEND_SECONDS = 5.0
_LAST_SEND_SECONDS = 2.0  # for what waits at the end: a stop is over within 10 s
_MOST_SPANS = 2048  # that wait; more are lost

log = logging.getLogger(__name__)


@contextlib.contextmanager
def traced(
    settings: Settings,
    orchestrator: TradingOrchestrator,
    market_data: MarketDataAgent,
    signals: SignalAgent,
    risk: RiskManagementAgent,
    execution: TradeExecutionAgent,
) -> Iterator[None]:
    """Until the end of the context each tick leaves a span, with one for each symbol and in it one for each agent.

    Raises:
        ConfigError: the libraries are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError(
            "TRACING_ENDPOINT needs OpenTelemetry: pip install 'binance-trading-agent[tracing]', or leave it unset."
        ) from None
    endpoint = address(str(settings.tracing_endpoint))
    provider = TracerProvider(
        resource=Resource.create({"service.name": "trade-agent", "service.instance.id": settings.trading_instance}),
        shutdown_on_exit=False,
    )
    exporter = said_once(OTLPSpanExporter(endpoint, timeout=_SEND_SECONDS), endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_MOST_SPANS))
    _instrument(provider.get_tracer("trade-agent"), orchestrator, market_data, signals, risk, execution)
    log.info("Traces of ticks go to %s", endpoint)
    try:
        yield
    finally:
        last = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
        last.start()
        last.join(_LAST_SEND_SECONDS)


def address(endpoint: str) -> str:
    """Where traces are sent: an address without a path is completed as OTLP says."""
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + _PATH


def _instrument(
    tracer: "Tracer",
    orchestrator: TradingOrchestrator,
    market_data: MarketDataAgent,
    signals: SignalAgent,
    risk: RiskManagementAgent,
    execution: TradeExecutionAgent,
) -> None:
    """Put a span around what each part does; only these instances are touched."""

    def tick_named(span: "Span", tick: Tick, *_: object) -> None:
        span.set_attributes({"run": tick.run_id, "cycle": tick.cycle, "tick_ms": tick.tick_ms})

    def symbol_named(span: "Span", _: Tick, symbol: str, *__: object) -> None:
        span.update_name(f"decide {symbol}")
        span.set_attribute("symbol", symbol)

    _wrap(tracer, orchestrator, "begin_all", "tick", tick_named, _begun)
    _wrap(tracer, orchestrator, "decide", "decide", symbol_named, _decided)
    _wrap(tracer, market_data, "observe", "market_data")
    _wrap(tracer, signals, "evaluate", "signal")
    _wrap(tracer, risk, "review", "risk")
    _wrap(tracer, execution, "execute", "execution")


def _begun(span: "Span", tasks: Iterable[str]) -> None:
    span.set_attribute("symbols", list(tasks))


def _decided(span: "Span", decision: Decision) -> None:
    span.set_attribute("outcome", decision.outcome.value)
    for name in ("rule", "client_order_id"):
        if value := getattr(decision, name):
            span.set_attribute(name, value)


def _wrap(
    tracer: "Tracer",
    part: object,
    method: str,
    name: str,
    begun: Callable[..., None] = lambda *_: None,
    ended: Callable[["Span", Any], None] = lambda *_: None,
) -> None:
    inner: Callable[..., Awaitable[Any]] = getattr(part, method)

    @functools.wraps(inner)
    async def outer(*arguments: Any, **options: Any) -> Any:
        with tracer.start_as_current_span(name) as span:
            begun(span, *arguments)
            result = await inner(*arguments, **options)
            ended(span, result)
            return result

    setattr(part, method, outer)


def said_once(exporter: "SpanExporter", endpoint: str) -> "SpanExporter":
    """`exporter`, whose failures are said in one sentence, and their end too, instead of with each batch."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    class SaidOnce(SpanExporter):
        is_away = False

        def export(self, spans: Sequence["ReadableSpan"]) -> "SpanExportResult":
            result = exporter.export(spans)
            is_away = result is not SpanExportResult.SUCCESS
            if is_away and not self.is_away:
                log.warning("traces cannot be sent to %s; those of meanwhile are lost", endpoint)
            elif self.is_away and not is_away:
                log.warning("traces are sent again")
            self.is_away = is_away
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return SaidOnce()
