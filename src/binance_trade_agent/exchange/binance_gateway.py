"""The gateway in its python-binance form, with the library's pitfalls (binance-protocol.md section 6) kept inside."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from binance import AsyncClient
from binance.exceptions import BinanceAPIException

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker, DayTicker, Depth
from binance_trade_agent.domain.orders import Fill, OrderIntent, OrderReport
from binance_trade_agent.domain.placed_orders import PlacedOrder
from binance_trade_agent.domain.symbols import SymbolRules, symbol_rules
from binance_trade_agent.exchange.auth_halt import AuthHalt
from binance_trade_agent.exchange.breaker import Breaker
from binance_trade_agent.exchange.classify import classify, outcome_of, told_of_halves
from binance_trade_agent.exchange.endpoints import Endpoints
from binance_trade_agent.exchange.errors import (
    CLOCK_CODE,
    NO_SUCH_ORDER_CODE,
    AuthError,
    ClockError,
    ExchangeError,
    RateLimitedError,
    RejectedError,
    ReplaceRefusedError,
    UnavailableError,
    UnknownOutcomeError,
)
from binance_trade_agent.exchange.gateway import Account, Replaced
from binance_trade_agent.exchange.parameters import addressed, one_order, order_list
from binance_trade_agent.exchange.payloads import (
    account,
    book_ticker,
    cancelled,
    candle,
    day_ticker,
    depth,
    order_report,
    placed_order,
    replacement,
    trade_fill,
)
from binance_trade_agent.exchange.rate_budget import RateBudget, present_spending
from binance_trade_agent.exchange.request_times import RequestTimes
from binance_trade_agent.exchange.weights import cost
from binance_trade_agent.ops.clock import MarketClock, monotonic_seconds, wall_ms
from binance_trade_agent.ops.reactions import order_sent
from binance_trade_agent.ops.vitals import ExchangeVitals

RECV_WINDOW_MS = 5_000
_CANDLES_A_PAGE = 1000
_TRADES_A_PAGE = 1000
_ORDERS_A_PAGE = 1000
_CLOSE_SECONDS = 3

T = TypeVar("T")


class BinanceGateway:
    """Binance spot over REST. One owner; `close` it.

    Every call is classed by `classify`; nothing that python-binance or aiohttp raises leaves this class.

    Attributes:
        breaker: refuses requests while the exchange does not answer.
        auth_halt: refuses signed requests while the exchange refuses the keys.
        requests: how many there were, how they ended and how long they took.

    Args:
        connector: opens the connections instead of TCP, as a simulation of the network does.
        budget: what may be asked; without one this gateway counts for itself and remembers nothing.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        api_key: str,
        api_secret: str,
        clock: MarketClock,
        *,
        connector: aiohttp.BaseConnector | None = None,
        budget: RateBudget | None = None,
    ) -> None:
        self._clock = clock
        self.budget = budget or RateBudget(clock)
        self.breaker = Breaker(clock, self._server_ms, random.Random(api_key))  # noqa: S311 (spreads probes)
        self.auth_halt = AuthHalt(clock, self.account)
        self._synchronising = asyncio.Lock()
        self._synchronised_seconds = float("-inf")
        self._clock_set = ExchangeVitals()
        self.requests = RequestTimes()
        session_params = {"trace_configs": [self._tracing()], "connector": connector}
        self._client = _client_class(endpoints, clock)(api_key, api_secret, session_params=session_params)
        self._client.admitted = self._admitted

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the probes and close the connections. Bounded: the library's own close may take 10 s (P10)."""
        await self.breaker.close()
        await self.auth_halt.close()
        try:
            await asyncio.wait_for(self._client.session.close(), _CLOSE_SECONDS)
        except TimeoutError:
            return

    @property
    def used_weight(self) -> int | None:
        """Request weight used in the current minute, as the exchange last said; None before the first answer."""
        return self.budget.used_weight

    @property
    def has_leisure(self) -> bool:
        """See Gateway. None while the exchange is in trouble, or has asked this address to be silent."""
        return self.breaker.state == "closed" and self.budget.has_leisure

    def vitals(self) -> ExchangeVitals:
        """How the exchange answers, what is used of its limits, how its clock goes."""
        return msgspec.structs.replace(
            self._clock_set,
            away_because=self.breaker.reason,
            away_since_ms=self.breaker.open_since_ms,
            keys_refused_because=self.auth_halt.reason or "",
            keys_refused_since_ms=self.auth_halt.since_ms,
            budget=self.budget.vitals(),
            requests=self.requests.vitals(),
        )

    def refuse_while_silent(self) -> None:
        """Raise RateLimitedError while the exchange has asked this address to be silent, for who connects beside us."""
        self.budget.check()

    async def synchronise(self) -> None:
        """Set the clock by the exchange's: of three samples, the one with the shortest round trip (P14).

        Raises:
            UnavailableError: no round trip was shorter than half of what a signed request may take.
        """
        samples = []
        for _ in range(3):
            sent = monotonic_seconds()
            server_ms = await self._server_ms()
            samples.append((monotonic_seconds() - sent, server_ms, monotonic_seconds()))
        round_trip, server_ms, received = min(samples)
        if round_trip > RECV_WINDOW_MS / 2 / 1000:
            raise UnavailableError(f"the exchange took {round_trip:.1f} s to tell its time; no clock is set by that")
        age_seconds = round_trip / 2 + monotonic_seconds() - received
        self._clock.synchronise(server_ms, age_seconds=age_seconds)
        self._synchronised_seconds = monotonic_seconds()
        self._clock_set = ExchangeVitals(
            clock_offset_ms=round(server_ms + 1000 * age_seconds - wall_ms(), 1),
            clock_set_wall_ms=wall_ms(),
            round_trip_ms=round(1000 * round_trip, 1),
        )

    async def _server_ms(self) -> int:
        return await self._call(self._client.get_server_time(), lambda payload: int(payload["serverTime"]))

    async def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """See Gateway. The library's get_exchange_info has no parameters and downloads every symbol (P21)."""
        found: dict[str, SymbolRules] = {}
        for names in addressed(symbols):
            request = self._client._get("exchangeInfo", data={"symbols": names})  # noqa: SLF001
            found |= await self._call(
                request,
                lambda payload: {row["symbol"]: symbol_rules(row) for row in self._limits_read(payload)["symbols"]},
            )
        return found

    async def all_symbols(self) -> tuple[str, ...]:
        """See Gateway."""
        return await self._call(
            self._client.get_exchange_info(),
            lambda payload: tuple(entry["symbol"] for entry in self._limits_read(payload)["symbols"]),
        )

    async def candles(self, symbol: str, interval: str, limit: int) -> list[Candle]:
        """See Gateway. More than one answer holds are asked for page by page, backwards (binance-protocol.md 1.4)."""
        found: list[Candle] = []
        while True:
            asked = min(limit - len(found), _CANDLES_A_PAGE)
            before = {"endTime": found[0].open_time_ms - 1} if found else {}
            request = self._client.get_klines(symbol=symbol, interval=interval, limit=asked, **before)
            page = await self._call(request, lambda rows: [candle(row) for row in rows])
            found = page + found
            if len(page) < asked or len(found) >= limit:
                return found

    async def book_ticker(self, symbol: str) -> BookTicker:
        """See Gateway."""
        request = self._client.get_orderbook_ticker(symbol=symbol)
        return await self._call(request, lambda payload: book_ticker(payload, self._clock.now_ms()))

    async def book_tickers(self, symbols: Sequence[str]) -> dict[str, BookTicker]:
        """See Gateway. The library's method takes one symbol or none."""
        found: dict[str, BookTicker] = {}
        for names in addressed(symbols):
            request = self._client._get("ticker/bookTicker", data={"symbols": names})  # noqa: SLF001
            found |= await self._call(
                request, lambda rows: {row["symbol"]: book_ticker(row, self._clock.now_ms()) for row in rows}
            )
        return found

    async def depth(self, symbol: str, limit: int = 100) -> Depth:
        """See Gateway. The request weight rises with the limit: 5 up to 100 (binance-protocol.md 1.0)."""
        request = self._client.get_order_book(symbol=symbol, limit=limit)
        return await self._call(request, lambda payload: depth(payload, self._clock.now_ms()))

    async def last_price(self, symbol: str) -> Decimal:
        """See Gateway."""
        return await self._call(
            self._client.get_symbol_ticker(symbol=symbol), lambda payload: Decimal(payload["price"])
        )

    async def day_figures(self, symbol: str) -> DayTicker:
        """See Gateway."""
        request = self._client.get_ticker(symbol=symbol)
        return await self._call(request, lambda payload: day_ticker(payload, self._clock.now_ms()))

    async def account(self) -> Account:
        """See Gateway. A start asks this first of all that is signed, so a clock that nothing sets right shows here.

        Raises:
            ClockError: the time of the request was refused, and again after the exchange's had been taken over.
        """
        for _ in range(2):
            try:
                return await self._call(self._client.get_account(), account)
            except RejectedError as refusal:
                if refusal.code != CLOCK_CODE:
                    raise
                message = refusal.message
        raise ClockError(
            f"the exchange refuses the time of our requests ({message}) although its own was taken over: "
            f"{(self._clock.now_ms() - wall_ms()) / 1000:+.1f} s from this machine's clock; let NTP set that, and see "
            f"whether the network takes more than {RECV_WINDOW_MS // 1000} s"
        )

    async def place_order(self, intent: OrderIntent) -> OrderReport:
        """See Gateway. The id is always ours: the library would make one up and a retry would place a second (P17)."""
        return await self._call(
            self._client.create_order(**one_order(intent)),
            lambda payload: order_report(payload, intent.client_order_id),
            changes_something=True,
        )

    async def place_list(self, intents: Sequence[OrderIntent], list_id: str) -> list[OrderReport]:
        """See Gateway (binance-protocol.md 1.3, order lists)."""
        return await self._call(
            self._client.v3_post_order_list_oco(**order_list(intents, list_id)),
            lambda payload: [order_report(row, row["clientOrderId"]) for row in payload["orderReports"]],
            changes_something=True,
        )

    async def cancel_order(
        self, symbol: str, exchange_order_id: int, cancel_id: str | None = None
    ) -> tuple[OrderReport, ...]:
        """See Gateway."""
        named = {"newClientOrderId": cancel_id} if cancel_id else {}
        request = self._client.cancel_order(symbol=symbol, orderId=exchange_order_id, **named)
        return await self._call(request, cancelled, changes_something=True)

    async def replace_order(
        self, symbol: str, exchange_order_id: int, intent: OrderIntent, cancel_id: str | None = None
    ) -> Replaced:
        """See Gateway (binance-protocol.md 1.3, cancelReplace)."""
        wish = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": exchange_order_id}
        wish |= {"cancelNewClientOrderId": cancel_id} if cancel_id else {}
        answer = await self._call(
            self._halves(**{**one_order(intent), "symbol": symbol, **wish}),
            lambda halves: replacement(halves, intent.client_order_id),
            changes_something=True,
        )
        if isinstance(answer, ReplaceRefusedError):
            raise answer
        return answer

    async def _halves(self, **parameters: Any) -> Any:
        """What a replacement says of its halves, whether they were done or not."""
        try:
            return await self._client.cancel_replace_order(**parameters)
        except BinanceAPIException as failure:
            halves = await told_of_halves(failure)
            if halves is None:
                raise
            return halves

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """See Gateway."""
        request = self._client.get_order(symbol=symbol, origClientOrderId=client_order_id)
        return await self._order(request, client_order_id)

    async def order_by_exchange_id(self, symbol: str, exchange_order_id: int) -> OrderReport | None:
        """See Gateway."""
        return await self._order(self._client.get_order(symbol=symbol, orderId=exchange_order_id), None)

    async def open_orders(self, symbol: str | None = None) -> list[OrderReport]:
        """See Gateway."""
        request = self._client.get_open_orders(**({} if symbol is None else {"symbol": symbol}))
        return await self._call(request, lambda rows: [order_report(row, row["clientOrderId"]) for row in rows])

    async def latest_orders(self, symbol: str, limit: int) -> list[OrderReport]:
        """See Gateway."""
        request = self._client.get_all_orders(symbol=symbol, limit=limit)
        return await self._call(request, lambda rows: [order_report(row, row["clientOrderId"]) for row in rows])

    async def orders_since(self, symbol: str, first_exchange_order_id: int) -> list[PlacedOrder]:
        """See Gateway. Page by page, by the exchange's numbers, which only rise (binance-protocol.md 1.3)."""
        found: list[PlacedOrder] = []
        while True:
            first = found[-1].report.exchange_order_id + 1 if found else first_exchange_order_id
            request = self._client.get_all_orders(symbol=symbol, orderId=first, limit=_ORDERS_A_PAGE)
            page = await self._call(request, lambda rows: [placed_order(row) for row in rows])
            found += page
            if len(page) < _ORDERS_A_PAGE:
                return found

    async def list_client_id(self, list_id: str) -> str:
        """See Gateway."""
        request = self._client.v3_get_order_list(orderListId=list_id)
        return await self._call(request, lambda payload: str(payload["listClientOrderId"]))

    async def latest_trade_id(self, symbol: str) -> int | None:
        """See Gateway."""
        request = self._client.get_my_trades(symbol=symbol, limit=1)
        return await self._call(request, lambda rows: max((int(row["id"]) for row in rows), default=None))

    async def trades_of_order(self, symbol: str, exchange_order_id: int) -> list[Fill]:
        """See Gateway."""
        return await self._trades(symbol=symbol, orderId=exchange_order_id, fromId=0)

    async def trades_since(self, symbol: str, first_trade_id: int) -> list[Fill]:
        """See Gateway."""
        return await self._trades(symbol=symbol, fromId=first_trade_id)

    async def _trades(self, **parameters: Any) -> list[Fill]:
        fills: list[Fill] = []
        while True:
            request = self._client.get_my_trades(limit=_TRADES_A_PAGE, **parameters)
            page = await self._call(request, lambda rows: [trade_fill(row) for row in rows])
            fills += page
            if len(page) < _TRADES_A_PAGE:
                return fills
            parameters["fromId"] = page[-1].trade_id + 1

    async def _order(self, request: Coroutine[Any, Any, Any], client_order_id: str | None) -> OrderReport | None:
        try:
            return await self._call(
                request, lambda payload: order_report(payload, client_order_id or payload["clientOrderId"])
            )
        except RejectedError as refusal:
            if refusal.code == NO_SUCH_ORDER_CODE:
                return None
            raise

    async def _call(
        self, request: Coroutine[Any, Any, Any], parse: Callable[[Any], T], *, changes_something: bool = False
    ) -> T:
        """The parsed answer. One that does not parse is as good as none, so parsing is classed with the rest."""
        asked_seconds = monotonic_seconds()
        with contextlib.closing(request):
            try:
                answer = parse(await request)
            except ExchangeError:  # refused here (see _admitted): nothing was sent
                raise
            except Exception as failure:
                error = classify(failure, changes_something=changes_something)
                await self._react(error, asked_seconds)
                raise error from failure
        self.breaker.succeeded()
        return answer

    @contextlib.asynccontextmanager
    async def _admitted(
        self, method: str, path: str, is_signed: bool, parameters: Mapping[str, Any]
    ) -> AsyncIterator[None]:
        """Every request of the library passes here, and is under way while the context lasts."""
        if is_signed:
            await self.auth_halt.check()
        if path != "time":  # which is what the breaker's probes ask for
            await self.breaker.check()
        async with self.budget.spend(cost(method, path, parameters)):
            sent_seconds, outcome = monotonic_seconds(), "ok"
            try:
                yield
            except BaseException as failure:
                outcome = outcome_of(failure, changes_something=method.lower() != "get")
                raise
            finally:
                self.requests.note(monotonic_seconds() - sent_seconds, f"{method.upper()} {path}", outcome)

    async def _react(self, error: ExchangeError, asked_seconds: float) -> None:
        if isinstance(error, UnavailableError | UnknownOutcomeError):
            self.requests.unanswered += 1
            self.breaker.failed(error)
        else:
            self.breaker.succeeded()
        if isinstance(error, AuthError):
            self.auth_halt.begin(error)
        if isinstance(error, RateLimitedError):
            await self.budget.block(error)
        if isinstance(error, RejectedError) and error.code == CLOCK_CODE:
            with contextlib.suppress(ExchangeError):  # this request was refused, whatever comes of the next
                async with self._synchronising:
                    if self._synchronised_seconds < asked_seconds:
                        await self.synchronise()

    def _limits_read(self, exchange_info: Mapping[str, Any]) -> Mapping[str, Any]:
        self.budget.learn(exchange_info.get("rateLimits", ()))
        return exchange_info

    def _tracing(self) -> aiohttp.TraceConfig:
        # `client.response` is shared by concurrent calls (P12), so the header is read where the answer arrives.
        async def read(_: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
            if (spending := present_spending.get()) is not None:
                spending.note(end.response.headers)

        async def sent(
            _: aiohttp.ClientSession, __: SimpleNamespace, head: aiohttp.TraceRequestHeadersSentParams
        ) -> None:
            if head.method == "POST":  # nothing is posted but orders
                order_sent()

        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(sent)
        trace.on_request_end.append(read)
        return trace


def _client_class(endpoints: Endpoints, clock: MarketClock) -> type[AsyncClient]:
    """An AsyncClient that can reach these endpoints and no others, and signs with the market clock.

    The library keeps every address in class attributes. All of them are pointed at this exchange, because
    `testnet=True` leaves /sapi on production, and a testnet key must never go there (P20).
    """
    host = endpoints.rest.removesuffix("/api")

    class Client(AsyncClient):  # type: ignore[misc]
        API_URL = endpoints.rest
        MARGIN_API_URL = f"{host}/sapi"
        WEBSITE_URL = FUTURES_URL = FUTURES_DATA_URL = FUTURES_COIN_URL = FUTURES_COIN_DATA_URL = f"{host}/none"
        OPTIONS_URL = PAPI_URL = f"{host}/none"
        WS_API_URL = WS_FUTURES_URL = endpoints.websocket_api
        REQUEST_RECVWINDOW = RECV_WINDOW_MS

        admitted: Callable[..., contextlib.AbstractAsyncContextManager[None]]

        async def _request_api(
            self, method: str, path: str, signed: bool = False, *arguments: Any, **options: Any
        ) -> Any:
            """Ask only what may be asked now."""
            async with self.admitted(method, path, signed, options.get("data") or {}):
                return await super()._request_api(method, path, signed, *arguments, **options)

        @property
        def timestamp_offset(self) -> int:
            """Difference between the exchange's clock and the machine's, which the library adds when it signs."""
            return clock.now_ms() - wall_ms()

        @timestamp_offset.setter
        def timestamp_offset(self, _: int) -> None:
            """Ignore the library's own measurement, made once and without the round trip."""

    return Client
