"""The gateway through the real python-binance against the simulated exchange."""

import asyncio
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from binance import AsyncClient

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange import binance_gateway, parameters
from binance_trade_agent.exchange.binance_gateway import BinanceGateway, _client_class
from binance_trade_agent.exchange.endpoints import LIVE, TESTNET, simulated
from binance_trade_agent.exchange.errors import RejectedError
from binance_trade_agent.ops.clock import ScaledClock, wall_ms
from tests.exchange_process import API_KEY, API_SECRET, running_exchange


@pytest.fixture
async def thin_book(exchange):
    """Little to buy at each price, so that a small order has several fills."""
    asks = [["100000", "0.1"], ["100010", "0.2"], ["100020", "1"]]
    await exchange.control("book", symbol="BTCUSDT", bids=[["99990", "1"]], asks=asks)


class TestMarketData:
    async def test_rules_of_several_symbols_come_in_one_request(self, gateway, exchange):
        rules = await gateway.symbol_rules(["BTCUSDT", "ETHUSDT"])
        assert (rules["BTCUSDT"].step_size, rules["ETHUSDT"].step_size) == (Decimal("0.00001"), Decimal("0.0001"))
        assert (rules["BTCUSDT"].base_asset, rules["BTCUSDT"].quote_asset) == ("BTC", "USDT")
        assert (rules["BTCUSDT"].min_notional, rules["BTCUSDT"].market_max_quantity) == (5, 100)
        assert len(await exchange.log()) == 1

    async def test_more_names_than_an_address_holds_are_asked_for_in_parts(self, gateway, exchange, monkeypatch):
        monkeypatch.setattr(parameters, "_NAMES_A_REQUEST", 3)
        names = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT")
        assert set(await gateway.symbol_rules(names)) == set(await gateway.book_tickers(names)) == set(names)
        assert len(await exchange.log()) == 4
        with pytest.raises(RejectedError):
            await gateway.symbol_rules([*names, "XYZUSDT"])

    async def test_unknown_symbol_is_refused_by_code_and_the_known_ones_can_be_listed(self, gateway):
        with pytest.raises(RejectedError) as refusal:
            await gateway.symbol_rules(["BTCUSDT", "XYZUSDT"])
        assert refusal.value.code == -1121
        assert set(await gateway.all_symbols()) == {"BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT"}

    async def test_candles_come_in_time_order_and_the_last_is_open(self, gateway):
        candles = await gateway.candles("BTCUSDT", "1m", 5)
        opened = [candle.open_time_ms for candle in candles]
        assert opened == list(range(opened[0], opened[0] + 5 * 60_000, 60_000))
        assert candles[-2].close_time_ms < wall_ms() <= candles[-1].close_time_ms
        assert (candles[0].close, candles[0].volume) == (100_000, 10)
        assert all(isinstance(candle.close, Decimal) for candle in candles)

    async def test_book_ticker_has_prices_sizes_and_the_time_of_reading(self, gateway):
        before = wall_ms()
        book = await gateway.book_ticker("ETHUSDT")
        assert (book.symbol, book.bid, book.bid_quantity, book.ask, book.ask_quantity) == (
            "ETHUSDT",
            Decimal("3999.9"),
            10,
            4000,
            10,
        )
        assert before <= book.read_ms <= wall_ms() + 1

    async def test_depth_has_the_best_prices_first_on_both_sides(self, gateway, exchange):
        bids = [["99990", "0.5"], ["99980", "2"], ["99970", "3"]]
        asks = [["100000", "0.1"], ["100010", "0.2"]]
        await exchange.control("book", symbol="BTCUSDT", bids=bids, asks=asks)
        before = wall_ms()
        depth = await gateway.depth("BTCUSDT", 2)
        assert depth.bids == ((99_990, Decimal("0.5")), (99_980, 2))
        assert depth.asks == ((100_000, Decimal("0.1")), (100_010, Decimal("0.2")))
        assert all(isinstance(number, Decimal) for level in depth.bids + depth.asks for number in level)
        assert before <= depth.read_ms <= wall_ms() + 1

    async def test_last_price_is_that_of_the_latest_trade(self, gateway, intent):
        assert await gateway.last_price("BTCUSDT") == 100_000
        await gateway.place_order(intent(side=Side.SELL))
        assert await gateway.last_price("BTCUSDT") == 99_990
        with pytest.raises(RejectedError) as refusal:
            await gateway.last_price("XYZUSDT")
        assert refusal.value.code == -1121

    async def test_used_weight_is_known_from_the_answers(self, gateway):
        assert gateway.used_weight is None
        await gateway.book_ticker("BTCUSDT")
        first = gateway.used_weight
        await gateway.account()
        assert gateway.used_weight == first + 20


class TestAccount:
    async def test_balances_without_zeros_and_the_permission(self, gateway):
        account = await gateway.account()
        assert account.can_trade
        assert account.balances == {"USDT": 100_000, "BTC": 1, "ETH": 10, "SOL": 100}

    async def test_what_an_order_locks_still_counts(self, gateway, intent):
        await gateway.place_order(intent(type=OrderType.LIMIT, price=Decimal(90_000)))
        assert (await gateway.account()).balances["USDT"] == 100_000


class TestOrders:
    @pytest.mark.usefixtures("thin_book")
    async def test_market_buy_over_two_levels_brings_all_its_fills(self, gateway, intent):
        report = await gateway.place_order(intent(quantity="0.15"))
        assert (report.status, report.executed_base) == ("FILLED", Decimal("0.15"))
        assert report.executed_quote == Decimal("15000.5") == sum(fill.quote_quantity for fill in report.fills)
        assert {fill.client_order_id for fill in report.fills} == {"bta-BTCUSDT-1"}
        assert {fill.exchange_order_id for fill in report.fills} == {report.exchange_order_id}
        assert [(plain(fill.price), plain(fill.quantity), plain(fill.commission)) for fill in report.fills] == [
            ("100000", "0.1", "0.0001"),
            ("100010", "0.05", "0.00005"),
        ]
        assert {fill.commission_asset for fill in report.fills} == {"BTC"}

    async def test_market_sell_pays_its_fee_in_quote(self, gateway, intent):
        report = await gateway.place_order(intent(side=Side.SELL, quantity="0.5"))
        (fill,) = report.fills
        assert (fill.side, fill.price, fill.commission, fill.commission_asset) == (
            Side.SELL,
            99_990,
            Decimal("49.995"),
            "USDT",
        )

    @pytest.mark.usefixtures("thin_book")
    async def test_fills_of_the_answer_are_the_trades_of_the_account(self, gateway, intent):
        report = await gateway.place_order(intent(quantity="0.15"))
        trades = await gateway.trades_of_order("BTCUSDT", report.exchange_order_id)
        assert [replace(trade, client_order_id="bta-BTCUSDT-1") for trade in trades] == list(report.fills)
        assert await gateway.trades_since("BTCUSDT", trades[0].trade_id) == trades
        assert await gateway.trades_since("BTCUSDT", trades[1].trade_id) == trades[1:]
        assert await gateway.trades_since("BTCUSDT", trades[1].trade_id + 1) == []

    async def test_order_is_found_by_either_id(self, gateway, intent):
        placed = await gateway.place_order(intent())
        found = await gateway.order("BTCUSDT", "bta-BTCUSDT-1")
        assert found == replace(placed, fills=(), at_ms=found.at_ms)
        assert await gateway.order_by_exchange_id("BTCUSDT", placed.exchange_order_id) == found

    async def test_order_that_does_not_exist_is_none(self, gateway):
        assert await gateway.order("BTCUSDT", "bta-BTCUSDT-9") is None
        assert await gateway.order_by_exchange_id("BTCUSDT", 999) is None

    async def test_resting_limit_order_is_open_until_it_is_filled(self, gateway, exchange, intent):
        placed = await gateway.place_order(intent(type=OrderType.LIMIT, price=Decimal("99995.50")))
        assert (placed.status, placed.fills) == ("NEW", ())
        (found,) = await gateway.open_orders("BTCUSDT")
        assert await gateway.open_orders() == [found]
        assert (found.client_order_id, found.quantity) == ("bta-BTCUSDT-1", Decimal("0.1"))
        assert await gateway.open_orders("ETHUSDT") == []
        await exchange.control("trade", symbol="BTCUSDT", price="99990", qty="1", taker="SELL")
        assert await gateway.open_orders("BTCUSDT") == []
        (fill,) = await gateway.trades_since("BTCUSDT", 0)
        assert (fill.is_maker, fill.price) == (True, Decimal("99995.5"))

    async def test_market_order_that_runs_out_of_liquidity_says_what_was_bought(self, gateway, exchange, intent):
        await exchange.control("book", symbol="BTCUSDT", bids=[["99990", "1"]], asks=[["100000", "0.1"]])
        report = await gateway.place_order(intent(quantity="0.2"))
        assert (report.status, report.executed_base) == ("EXPIRED", Decimal("0.1"))
        assert report.detail == "INSUFFICIENT_LIQUIDITY"
        assert len(report.fills) == 1

    @pytest.mark.usefixtures("thin_book")
    async def test_trades_beyond_one_page_are_all_read(self, gateway, monkeypatch, intent):
        monkeypatch.setattr(binance_gateway, "_TRADES_A_PAGE", 2)
        placed = [await gateway.place_order(intent(f"bta-BTCUSDT-{n}", quantity="0.01")) for n in range(5)]
        ids = [report.fills[0].trade_id for report in placed]
        assert [trade.trade_id for trade in await gateway.trades_since("BTCUSDT", 0)] == ids
        large = await gateway.place_order(intent("bta-BTCUSDT-9", quantity="0.5"))
        trades = await gateway.trades_of_order("BTCUSDT", large.exchange_order_id)
        assert [trade.trade_id for trade in trades] == [fill.trade_id for fill in large.fills]
        assert len(trades) == 3

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"quantity": "0.000001"}, -1013),
            ({"quantity": "0.00004"}, -1013),
            ({"side": Side.SELL, "quantity": "1.5"}, -2010),
            ({"symbol": "XYZUSDT"}, -1121),
            ({"order_id": "with spaces"}, -1100),
        ],
    )
    async def test_refused_order_is_refused_by_code_and_changes_nothing(self, gateway, exchange, intent, changes, code):
        before = (await exchange.state())["balances"]
        with pytest.raises(RejectedError) as refusal:
            await gateway.place_order(intent(**changes))
        assert refusal.value.code == code
        assert (await exchange.state())["balances"] == before

    async def test_amounts_go_out_as_plain_text_with_our_id_and_once(self, gateway, exchange, intent):
        tiny = Decimal("1E-5") * 6
        await gateway.place_order(intent(type=OrderType.LIMIT, price=Decimal("99990.00"), quantity=str(tiny)))
        (sent,) = [entry for entry in await exchange.log() if entry["method"] == "POST"]
        form = {name: values[0] for name, values in parse_qs(sent["body"]).items()}
        assert (form["quantity"], form["price"], form["newClientOrderId"]) == (plain(tiny), "99990", "bta-BTCUSDT-1")
        assert (form["recvWindow"], form["newOrderRespType"]) == ("5000", "FULL")


class TestClock:
    async def test_exchange_time_is_taken_over(self):
        async with running_exchange(start="2026-01-05T00:00:00Z", speed=None) as exchange:
            clock = ScaledClock()
            async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, clock) as gateway:
                await gateway.synchronise()
                assert 0 <= clock.now_ms() - 1_767_571_200_000 < 2_000

    async def test_signed_requests_carry_the_exchange_s_time(self, exchange):
        clock = ScaledClock()
        async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, clock) as gateway:
            clock.synchronise(wall_ms() - 60_000, age_seconds=0)  # as if this machine were a minute off
            with pytest.raises(RejectedError) as refusal:
                await gateway.open_orders("BTCUSDT")
            assert refusal.value.code == -1021
            assert abs(clock.now_ms() - wall_ms()) < 1_000, "the refusal has set the clock right"
            assert (await gateway.account()).can_trade

    async def test_refusal_stays_a_refusal_when_the_clock_cannot_be_asked(self, gateway, exchange, intent):
        await exchange.fault("http", path="time", count=None)
        gateway._clock.synchronise(wall_ms() - 60_000, age_seconds=0)
        with pytest.raises(RejectedError):
            await gateway.place_order(intent())


class TestAddresses:
    @pytest.mark.parametrize(
        "endpoints", [TESTNET, simulated("http://127.0.0.1:8090"), simulated("https://sim.example")]
    )
    def test_every_address_of_the_client_is_on_the_configured_host(self, endpoints):
        hosts = (endpoints.rest.removesuffix("/api"), endpoints.websocket_api)
        client_class = _client_class(endpoints, ScaledClock())
        unused = ("TESTNET_URL", "DEMO_URL")  # only read with testnet=True or demo=True, which the gateway never passes
        names = [name for name in dir(AsyncClient) if name.endswith("_URL") and not name.endswith(unused)]
        assert len(names) >= 10
        for name in names:
            assert getattr(client_class, name).startswith(hosts), name

    def test_only_live_names_production(self):
        assert "binance.com" not in f"{TESTNET}{simulated('http://127.0.0.1:8090')}"
        assert (LIVE.rest, TESTNET.rest) == ("https://api.binance.com/api", "https://testnet.binance.vision/api")

    def test_websocket_of_a_simulated_exchange_follows_its_scheme(self):
        assert simulated("http://127.0.0.1:8090").websocket_api == "ws://127.0.0.1:8090/ws-api/v3"
        assert simulated("https://sim.example").websocket_api == "wss://sim.example/ws-api/v3"
        assert simulated("http://127.0.0.1:8090").market_streams == "ws://127.0.0.1:8090"
        assert simulated("https://sim.example").market_streams == "wss://sim.example"

    async def test_no_other_host_is_asked_by_any_method(self, exchange, intent):
        asked = []
        async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, ScaledClock()) as gateway:
            original = gateway._client.session._request

            async def noted(method, url, **options):
                asked.append(str(url))
                return await original(method, url, **options)

            gateway._client.session._request = noted
            report = await gateway.place_order(intent())
            await asyncio.gather(
                gateway.synchronise(),
                gateway.symbol_rules(["BTCUSDT"]),
                gateway.all_symbols(),
                gateway.candles("BTCUSDT", "1m", 2),
                gateway.book_ticker("BTCUSDT"),
                gateway.depth("BTCUSDT"),
                gateway.last_price("BTCUSDT"),
                gateway.account(),
                gateway.order("BTCUSDT", "bta-BTCUSDT-1"),
                gateway.open_orders("BTCUSDT"),
                gateway.trades_of_order("BTCUSDT", report.exchange_order_id),
            )
        assert len(asked) == 14
        assert all(url.startswith(f"{exchange.url}/api/v3/") for url in asked)
