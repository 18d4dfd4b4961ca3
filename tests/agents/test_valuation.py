"""The equity curve: the wallet at the bids, the bot's own positions and profits."""

from decimal import Decimal

from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import queries
from tests.agents.desk import RUN_ID, SYMBOLS, desk


async def points(ready):
    return await ready.ledger.read(lambda connection: queries.equity(connection, RUN_ID))


async def test_point_adds_up_wallet_positions_and_profit(tmp_path):
    async with desk(tmp_path, balances={"USDT": Decimal(10_000), "ETH": Decimal(2)}) as ready:
        await ready.trade(quantity="0.02")
        await ready.wait(60_000)
        await ready.trade(Side.SELL, "0.01")
        await ready.wait(60_000)
        await Valuation(ready.market_data(), ready.ledger, SYMBOLS).record(RUN_ID, 1, 1, {})
        (point,) = await points(ready)
        bids = {symbol: (await ready.gateway.book_ticker(symbol)).bid for symbol in SYMBOLS}
        wallet = await ready.ledger.wallet()
        position = (await ready.ledger.positions())["BTCUSDT"]
        assert point.cash_quote == wallet["USDT"]
        assert point.equity_quote == wallet["USDT"] + wallet["BTC"] * bids["BTCUSDT"] + 2 * bids["ETHUSDT"]
        assert point.positions_quote == position.quantity * bids["BTCUSDT"]
        assert point.realised_pnl_quote == position.realised_pnl_quote
        assert point.unrealised_pnl_quote == position.quantity * bids["BTCUSDT"] - position.cost_quote


async def test_known_bids_are_taken_and_the_market_is_asked_for_the_others(tmp_path):
    async with desk(tmp_path, balances={"BTC": Decimal(1), "ETH": Decimal(1)}) as ready:
        await Valuation(ready.market_data(), ready.ledger, SYMBOLS).record(RUN_ID, 1, 1, {"BTCUSDT": Decimal(7)})
        (point,) = await points(ready)
        assert point.equity_quote == 7 + (await ready.gateway.book_ticker("ETHUSDT")).bid


async def test_point_tells_what_came_from_outside_and_what_it_is_counted_in(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.ledger.post_external("USDT", Decimal(500), 1, "deposit")
        await ready.ledger.post_external("USDT", Decimal("-20.5"), 2, "withdrawal")
        await ready.ledger.post_external("BTC", Decimal(1), 3, "a present")
        await Valuation(ready.market_data(), ready.ledger, SYMBOLS).record(RUN_ID, 1, 1, {})
        (point,) = await points(ready)
        assert (point.external_quote, point.quote_asset) == (Decimal("479.5"), "USDT")
        assert (point.cash_quote, point.positions_quote) == (Decimal("10479.5"), 0)


async def test_position_that_is_not_traded_any_more_counts_at_its_cost(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.1", symbol="ETHUSDT")
        await ready.trade(quantity="0.01")
        bids = {"BTCUSDT": Decimal(50_000)}
        await Valuation(ready.market_data(), ready.ledger, ["BTCUSDT"]).record(RUN_ID, 1, 1, bids)
        (point,) = await points(ready)
        positions = await ready.ledger.positions()
        btc = positions["BTCUSDT"]
        assert point.positions_quote == btc.quantity * 50_000 + positions["ETHUSDT"].cost_quote
        assert point.unrealised_pnl_quote == btc.unrealised_pnl_quote(Decimal(50_000))
