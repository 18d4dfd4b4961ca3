"""The clock of the control port: a manual one is what checks go by, to the millisecond (Appendix A)."""

import pytest

from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import running_exchange

SOME_DAY_MS = 1_790_000_000_123


async def code(raw, timestamp: int, **params) -> int:
    reply = await raw.signed("GET", "account", timestamp=timestamp, **params)
    return 0 if reply.status == 200 else reply.json["code"]


@pytest.mark.parametrize("now_ms", [SOME_DAY_MS, SOME_DAY_MS + 400 * 86_400_000])
async def test_both_edges_of_the_window_are_met_on_a_manual_clock(exchange, raw, now_ms):
    assert (await exchange.control("clock", mode="manual", now=now_ms))["now"] == now_ms
    assert (await raw.get("time")).json == {"serverTime": now_ms}
    assert [await code(raw, now_ms - 5000), await code(raw, now_ms - 5001)] == [0, -1021]
    assert [await code(raw, now_ms + 999), await code(raw, now_ms + 1000)] == [0, -1021]
    assert [await code(raw, now_ms - window, recvWindow=60_000) for window in (60_000, 60_001)] == [0, -1021]
    candles = (await raw.get("klines", "symbol=BTCUSDT&interval=1m&limit=3000")).json
    assert candles[-1][0] == now_ms // 60_000 * 60_000
    assert len(candles) == 1000


async def test_limits_go_by_a_manual_clock(exchange, raw):
    await exchange.control("clock", mode="manual", now=SOME_DAY_MS // 60_000 * 60_000)
    await exchange.fault("weight", used=6000)
    refused = await raw.get("exchangeInfo")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
    await exchange.control("clock", advance=59_999)
    assert (await raw.get("exchangeInfo")).status == 429
    await exchange.control("clock", advance=1)
    assert (await raw.get("exchangeInfo")).headers["x-mbx-used-weight-1m"] == "20"


async def test_clock_that_was_manual_is_on_the_wall_again_when_it_is_real(exchange, raw):
    await exchange.control("clock", mode="manual")
    await exchange.control("clock", advance=86_400_000)
    now_ms = (await exchange.control("clock", mode="real"))["now"]
    assert abs(now_ms - wall_ms()) < 5_000
    assert await code(raw, wall_ms() - 6_000) == -1021


async def test_clock_goes_back_a_little_with_orders_and_far_without(exchange, raw):
    await exchange.control("config", account={"name": "second", "balances": {"USDT": "5"}})
    now_ms = (await exchange.control("clock", mode="manual", now=SOME_DAY_MS))["now"]
    await raw.signed("POST", "order", timestamp=now_ms, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    assert (await exchange.control("clock", now=now_ms - 30_000))["now"] == now_ms - 30_000
    with pytest.raises(AssertionError, match="there are orders: it goes back by 60 s"):
        await exchange.control("clock", now=now_ms - 3_600_000)
    assert "second" in (await exchange.state())["balances"]


async def test_market_that_moves_by_itself_never_goes_back():
    async with running_exchange(speed=None) as exchange:
        now_ms = (await exchange.control("clock", mode="manual"))["now"]
        with pytest.raises(AssertionError, match="time never goes back"):
            await exchange.control("clock", now=now_ms - 1)
