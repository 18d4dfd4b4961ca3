"""The fixed markets of binance-protocol.md Appendix A: their trades and their candles tell the same story."""

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.simulator.clock import MarketClock
from binance_trade_agent.simulator.options import fixture_exchange

AT_MS = 1_790_000_000_123  # 20 s and a bit after a full minute


def test_trades_fill_a_page_and_add_up_to_the_candles():
    market = fixture_exchange("F0", clock=MarketClock(AT_MS, None)).market
    for symbol in market.symbols:
        trades = market.recent_trades(symbol, 1000)
        assert len(trades) >= 500
        first_id = trades[0].trade_id
        assert [trade.trade_id for trade in trades] == list(range(first_id, first_id + len(trades)))
        assert max(trade.at_ms for trade in trades) < AT_MS
        klines = market.klines(symbol, "1m", limit=51)
        assert [kline.trades for kline in klines] == [10] * 50 + [4]
        for kline in klines:
            of_kline = [trade for trade in trades if trade.at_ms // MINUTE_MS * MINUTE_MS == kline.open_time_ms]
            bought = sum(trade.quantity for trade in of_kline if trade.taker_side == "BUY")
            assert len(of_kline) == kline.trades == kline.volume
            assert (bought, {trade.price for trade in of_kline}) == (kline.taker_buy_base, {kline.close})


def test_the_statistics_of_a_day_end_with_the_last_trade():
    market = fixture_exchange("F0", clock=MarketClock(AT_MS, None)).market
    (last,) = market.recent_trades("BTCUSDT", 1)
    day = market.ticker_24hr("BTCUSDT")
    assert day.last_trade_id == last.trade_id == day.first_trade_id + day.trades - 1
    assert day.volume == day.trades
