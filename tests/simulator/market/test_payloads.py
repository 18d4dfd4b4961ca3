from decimal import Decimal

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.klines import Kline
from binance_trade_agent.simulator.market.payloads import (
    aggregate_trade_row,
    average_price_row,
    kline_row,
    level_rows,
    mini_ticker_row,
    ticker_24hr_row,
    ticker_row,
    trade_row,
)
from binance_trade_agent.simulator.market.state import Ticker
from binance_trade_agent.simulator.market.tape import AggregateTrade

SALE = PublicTrade(7, "BTCUSDT", Decimal(100), Decimal("0.5"), Side.SELL, 1_000)
DAY = Ticker(
    symbol="BTCUSDT",
    open=Decimal(100),
    high=Decimal(120),
    low=Decimal(90),
    last=Decimal(110),
    last_quantity=Decimal(2),
    previous_close=Decimal(99),
    volume=Decimal(10),
    quote_volume=Decimal(1_050),
    open_time_ms=0,
    close_time_ms=86_400_000,
    first_trade_id=3,
    last_trade_id=8,
    trades=6,
)


def test_a_kline_has_binances_twelve_fields():
    prices = map(Decimal, ("1", "3", "0.5", "2"))
    kline = Kline(0, 59_999, *prices, Decimal(4), Decimal(6), 5, Decimal(1), Decimal("1.5"), 9)

    assert kline_row(kline) == [
        0,
        "1.00000000",
        "3.00000000",
        "0.50000000",
        "2.00000000",
        "4.00000000",
        59_999,
        "6.00000000",
        5,
        "1.00000000",
        "1.50000000",
        "0",
    ]


def test_levels_are_pairs_of_strings_without_an_exponent():
    assert level_rows([(Decimal("1E+5"), Decimal("1E-8"))]) == [["100000.00000000", "0.00000001"]]


def test_a_sale_by_the_taker_has_the_buyer_as_maker():
    assert trade_row(SALE) == {
        "id": 7,
        "price": "100.00000000",
        "qty": "0.50000000",
        "quoteQty": "50.00000000",
        "time": 1_000,
        "isBuyerMaker": True,
        "isBestMatch": True,
    }


def test_an_aggregate_names_its_first_and_last_trade():
    assert aggregate_trade_row(AggregateTrade(5, Decimal(100), Decimal("1.5"), 7, 9, 1_000, Side.BUY)) == {
        "a": 5,
        "p": "100.00000000",
        "q": "1.50000000",
        "f": 7,
        "l": 9,
        "T": 1_000,
        "m": False,
        "M": True,
    }


def test_the_average_price_names_its_minutes():
    assert average_price_row(Decimal(5), 9) == {"mins": 5, "price": "5.00000000", "closeTime": 9}


CHANGE = ["symbol", "priceChange", "priceChangePercent", "weightedAvgPrice"]
BEST = ["bidPrice", "bidQty", "askPrice", "askQty"]
EXTENT = [
    "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume", "openTime", "closeTime", "firstId", "lastId", "count",
]  # fmt: skip


def test_the_24_hour_ticker_has_all_fields_of_the_full_form():
    row = ticker_24hr_row(DAY, (Decimal(109), Decimal(1)), (Decimal(0), Decimal(0)))

    assert list(row) == [*CHANGE, "prevClosePrice", "lastPrice", "lastQty", *BEST, *EXTENT]
    assert row["priceChange"] == "10.00000000"
    assert row["priceChangePercent"] == "10.000"
    assert row["weightedAvgPrice"] == "105.00000000"
    assert (row["bidPrice"], row["askPrice"]) == ("109.00000000", "0.00000000")


def test_the_ticker_of_a_window_leaves_out_the_book():
    assert list(ticker_row(DAY)) == [*CHANGE, "lastPrice", *EXTENT]


def test_the_mini_ticker_leaves_out_book_and_change():
    row = mini_ticker_row(DAY)

    assert list(row) == ["symbol", "lastPrice", *EXTENT]
    assert row["lastPrice"] == "110.00000000"
    assert (row["firstId"], row["lastId"], row["count"]) == (3, 8, 6)


def test_a_market_that_never_traded_shows_zeros():
    zero = Decimal(0)
    never = Ticker("BTCUSDT", zero, zero, zero, zero, zero, zero, zero, zero, 0, 1, -1, -1, 0)

    row = ticker_24hr_row(never, (zero, zero), (zero, zero))

    assert (row["priceChangePercent"], row["weightedAvgPrice"], row["count"]) == ("0.000", "0.00000000", 0)
