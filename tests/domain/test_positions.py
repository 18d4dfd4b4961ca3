from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from tests.domain.strategies import amounts

FLAT = Position("BTCUSDT")


def fill(
    side: Side, quantity: str | Decimal, price: str | Decimal, fee: str | Decimal = "0", asset="BTC", at_ms=1
) -> Fill:
    quantity, price = Decimal(quantity), Decimal(price)
    return Fill(
        symbol="BTCUSDT",
        trade_id=at_ms,
        exchange_order_id=1,
        client_order_id="bta-1",
        side=side,
        price=price,
        quantity=quantity,
        quote_quantity=price * quantity,
        commission=Decimal(fee),
        commission_asset=asset,
        is_maker=False,
        traded_ms=at_ms,
    )


def after(*fills: Fill, position: Position = FLAT) -> Position:
    for one in fills:
        position = apply_fill(position, one, base_asset="BTC", quote_asset="USDT")
    return position


def buy(quantity, price, fee="0", asset="BTC", at_ms=1):
    return fill(Side.BUY, quantity, price, fee, asset, at_ms)


def sell(quantity, price, fee="0", asset="USDT", at_ms=2):
    return fill(Side.SELL, quantity, price, fee, asset, at_ms)


def test_fee_in_base_is_missing_from_what_is_held():
    position = after(buy("1", "50000", "0.001"))
    assert (position.quantity, position.cost_quote) == (Decimal("0.999"), Decimal(50_000))


def test_fee_in_quote_is_part_of_the_cost():
    position = after(buy("1", "50000", "50", "USDT"))
    assert (position.quantity, position.cost_quote, position.average_price) == (1, 50_050, 50_050)


def test_fee_in_a_third_asset_moves_neither_holding_nor_profit():
    position = after(buy("1", "50000", "0.06", "BNB"), sell("1", "51000", "0.06", "BNB"))
    assert (position.quantity, position.cost_quote, position.realised_pnl_quote) == (0, 0, 1000)


def test_half_sold_realises_half_of_the_average_cost():
    position = after(buy("1", "100"), buy("1", "200"), sell("1", "180", "0.18"))
    assert position.average_price == 150
    assert (position.quantity, position.cost_quote) == (1, 150)
    assert position.realised_pnl_quote == Decimal("29.82")


def test_everything_sold_leaves_no_cost_behind():
    position = after(buy("0.3", "100"), sell("0.1", "110"), sell("0.1", "110"), sell("0.1", "110"))
    assert (position.quantity, position.cost_quote, position.realised_pnl_quote) == (0, 0, 3)
    assert position.average_price is None


def test_more_sold_than_held_is_negative_and_realises_the_whole_proceeds():
    position = after(buy("1", "100"), sell("1.5", "100"))
    assert (position.quantity, position.cost_quote, position.realised_pnl_quote) == (Decimal("-0.5"), 0, 50)


def test_opening_time_is_that_of_the_first_fill_until_it_is_flat():
    position = after(buy("1", "100", at_ms=5), buy("1", "100", at_ms=6))
    assert (position.opened_ms, position.updated_ms) == (5, 6)
    position = after(sell("2", "100", at_ms=7), position=position)
    assert (position.opened_ms, position.updated_ms) == (None, 7)
    assert after(buy("1", "100", at_ms=8), position=position).opened_ms == 8


def test_unrealised_profit_is_value_less_cost():
    assert after(buy("2", "100")).unrealised_pnl_quote(Decimal(110)) == 20
    assert FLAT.unrealised_pnl_quote(Decimal(110)) == 0


trades = st.lists(
    st.tuples(
        st.sampled_from(list(Side)), amounts("0.00001", "10", 5), amounts("0.01", "100000", 2), st.integers(0, 20)
    ),
    max_size=25,
)


def drawn_fills(drawn) -> list[Fill]:
    """Buys with a fee in base, sells with a fee in quote, never more sold than held; rates in 0.01 %."""
    fills, held = [], Decimal(0)
    for side, quantity, price, rate in drawn:
        wanted = quantity if side is Side.BUY else min(quantity, held)
        if not wanted:
            continue
        credited = wanted if side is Side.BUY else wanted * price
        fee = (credited * rate / 10_000).quantize(Decimal("1e-8"))
        fills.append(fill(side, wanted, price, fee, "BTC" if side is Side.BUY else "USDT"))
        held += wanted - fee if side is Side.BUY else -wanted
    return fills


@given(trades)
def test_profit_and_cost_account_for_every_unit_of_quote(drawn):
    fills = drawn_fills(drawn)
    position = after(*fills)
    cash = sum((entry.quote_quantity if entry.side is Side.SELL else -entry.quote_quantity) for entry in fills)
    fees = sum(entry.commission for entry in fills if entry.side is Side.SELL)
    assert position.realised_pnl_quote - position.cost_quote == cash - fees


@given(trades)
def test_holding_is_what_was_bought_less_fees_and_sales(drawn):
    fills = drawn_fills(drawn)
    position = after(*fills)
    bought = sum(entry.quantity - entry.commission for entry in fills if entry.side is Side.BUY)
    assert position.quantity == bought - sum(entry.quantity for entry in fills if entry.side is Side.SELL)
    assert position.cost_quote >= 0
    assert (position.opened_ms is None) == (position.quantity == 0)
    if not position.quantity:
        assert position.cost_quote == 0


@pytest.mark.parametrize("side", list(Side))
def test_position_itself_is_never_changed(side):
    held = after(buy("1", "100"))
    before = (held.quantity, held.cost_quote)
    apply_fill(held, fill(side, "1", "100"), base_asset="BTC", quote_asset="USDT")
    assert (held.quantity, held.cost_quote) == before
