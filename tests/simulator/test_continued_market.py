"""What the public sees of a market that stops and goes on: one line of trades."""

from decimal import Decimal

from binance_trade_agent.domain.candles import MINUTE_MS
from tests.exchange_process import running_exchange


async def test_trade_ids_go_on_where_the_first_process_stopped(tmp_path):
    options = {"speed": None, "state": tmp_path / "exchange.state", "symbols": ("BTCUSDT",)}
    async with running_exchange(**options) as exchange:
        client = await exchange.client()
        for _ in range(3):
            await exchange.advance(10_000)
            await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        trades = await client.get_recent_trades(symbol="BTCUSDT")
        ids = [trade["id"] for trade in trades]
        assert ids == list(range(ids[0], ids[-1] + 1))
        aggregates = await client.get_aggregate_trades(symbol="BTCUSDT")

    async with running_exchange(**options) as exchange:
        client = await exchange.client()
        order = await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        assert order["fills"][0]["tradeId"] == ids[-1] + 1
        later = await client.get_recent_trades(symbol="BTCUSDT")
        assert [trade["id"] for trade in later] == list(range(later[0]["id"], order["fills"][-1]["tradeId"] + 1))
        assert (await client.get_aggregate_trades(symbol="BTCUSDT", limit=1))[0]["a"] > aggregates[-1]["a"]


async def test_every_trade_of_a_minute_is_in_its_kline_its_seconds_and_the_ticker():
    async with running_exchange(speed=None, symbols=("BTCUSDT",)) as exchange:
        client = await exchange.client()
        await exchange.advance(MINUTE_MS)
        await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        before = await client.get_ticker(symbol="BTCUSDT")
        await exchange.advance(30_000)

        (minute,) = await client.get_klines(symbol="BTCUSDT", interval="1m", limit=1)
        seconds = await client.get_klines(symbol="BTCUSDT", interval="1s", startTime=minute[0])
        trades = [trade for trade in await client.get_recent_trades(symbol="BTCUSDT") if trade["time"] >= minute[0]]
        for rows, index, name in ((seconds, 5, "qty"), (seconds, 7, "quoteQty")):
            assert sum(Decimal(row[index]) for row in rows) == Decimal(minute[index])
            assert sum(Decimal(trade[name]) for trade in trades) == Decimal(minute[index])
        assert sum(row[8] for row in seconds) == minute[8] == len(trades)
        after = await client.get_ticker(symbol="BTCUSDT")
        assert (after["lastId"], after["lastPrice"]) == (trades[-1]["id"], trades[-1]["price"])
        assert after["lastId"] > before["lastId"]
