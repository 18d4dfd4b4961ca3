from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.reports.trades import figures_by_symbol, figures_in_all, replay
from tests.ledger.bookkeeping import fill

ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHBTC": ("ETH", "BTC")}
FREE = {"commission": Decimal(0)}


def test_an_order_with_two_fills_is_one_trade_at_its_average_price():
    dearer = fill(2, price=Decimal(61_000), quantity=Decimal("0.003"), quote_quantity=Decimal(183))
    (trade,), _ = replay([fill(1), dearer], ASSETS)
    assert (trade.fills, trade.quantity_base, trade.value_quote) == (2, Decimal("0.004"), Decimal(243))
    assert trade.price == Decimal(60_750)
    assert trade.fees == {"BTC": Decimal("0.000002")}
    assert trade.realised_pnl_quote is None


def test_a_sale_realises_its_proceeds_less_the_average_cost():
    bought = [fill(1, **FREE), fill(2, quote_quantity=Decimal(62), price=Decimal(62_000), **FREE)]
    sale = fill(3, "bta-sell", Side.SELL, quote_quantity=Decimal(65), price=Decimal(65_000), **FREE)
    trades, positions = replay([*bought, sale], ASSETS)
    assert trades[-1].realised_pnl_quote == Decimal(4)
    assert positions["BTCUSDT"].cost_quote == Decimal(61)


def test_what_is_sold_in_the_millisecond_of_its_purchase_follows_it():
    trades, _ = replay([fill(1, "bta-z-bought"), fill(2, "bta-a-sold", Side.SELL)], ASSETS)
    assert [trade.side for trade in trades] == [Side.BUY, Side.SELL]


def test_sales_are_won_only_with_a_profit():
    trades, _ = replay(
        [
            fill(1, quantity=Decimal("0.002"), quote_quantity=Decimal(120), **FREE),
            fill(2, "bta-even", Side.SELL, **FREE),
            fill(3, "bta-good", Side.SELL, quote_quantity=Decimal(70), **FREE),
        ],
        ASSETS,
    )
    (figures,) = figures_by_symbol(trades)
    assert (figures.buys, figures.sells, figures.won_sells) == (1, 2, 1)
    assert (figures.win_rate_fraction, figures.buy_sell_ratio) == (Decimal("0.5"), Decimal("0.5"))
    assert (figures.volume_quote, figures.realised_pnl_quote) == (Decimal(250), Decimal(10))


def test_without_sales_ratio_and_win_rate_are_unknown():
    (figures,) = figures_by_symbol(replay([fill(1)], ASSETS)[0])
    assert (figures.buy_sell_ratio, figures.win_rate_fraction) == (None, None)


def test_amounts_in_different_quote_assets_are_not_added_up():
    ether = fill(1, "bta-eth", symbol="ETHBTC", price=Decimal("0.05"), quote_quantity=Decimal("0.00005"))
    trades, _ = replay([fill(1), ether], ASSETS)
    assert [(figures.name, figures.volume_quote) for figures in figures_in_all(trades)] == [
        ("BTC", Decimal("0.00005")),
        ("USDT", Decimal(60)),
    ]


def test_no_trades_have_no_figures():
    assert (replay([], ASSETS), figures_in_all([]), figures_by_symbol([])) == (([], {}), [], [])


@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 50), st.integers(1, 90_000)), max_size=20))
def test_the_trades_profits_add_up_to_the_positions_profit(steps):
    fills = [
        fill(number, f"bta-{number // 2}-{side}", side, quantity=Decimal(size), quote_quantity=Decimal(size * price))
        for number, (side, size, price) in enumerate(steps)
    ]
    trades, positions = replay(fills, ASSETS)
    total = sum((trade.realised_pnl_quote or Decimal(0) for trade in trades), Decimal(0))
    assert total == sum((position.realised_pnl_quote for position in positions.values()), Decimal(0))
