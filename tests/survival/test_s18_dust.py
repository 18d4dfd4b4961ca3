"""S18: what a sale leaves is too little to be sold: it stays in the ledger, is no open position, and is not tried again."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.signals import Action
from tests.agents.desk import desk, reopened
from tests.test_orchestrator import Pipeline, pipeline


async def bought_and_sold(ready: Pipeline) -> Decimal:
    """The rest on BTCUSDT after one purchase and its sale: the fee was taken in BTC, so it is no multiple of the lot."""
    ready.strategy.opinions |= {"BTCUSDT": Action.BUY}
    assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
    ready.strategy.opinions |= {"BTCUSDT": Action.SELL}
    assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
    return (await ready.desk.ledger.positions())["BTCUSDT"].quantity


async def test_s18_dust_stays_in_the_ledger_and_no_order_is_tried_again(tmp_path):
    async with pipeline(tmp_path) as ready:
        dust = await bought_and_sold(ready)
        assert 0 < dust < ready.desk.rules["BTCUSDT"].step_size
        sent = await ready.desk.times_sent()
        for _ in range(5):
            decision = (await ready.tick())["BTCUSDT"]
            assert decision.outcome is Outcome.SKIPPED
            assert decision.detail == f"only dust to sell, {dust} BTC"
        assert await ready.desk.times_sent() == sent
        assert (await ready.desk.ledger.positions())["BTCUSDT"].quantity == dust
        assert (await ready.desk.ledger.wallet())["BTC"] == dust
        await ready.desk.assert_reconciled()


async def test_s18_dust_is_no_open_position(tmp_path):
    async with pipeline(tmp_path, limits={"max_open_positions": 1}) as ready:
        await bought_and_sold(ready)
        ready.strategy.opinions |= {"BTCUSDT": Action.HOLD, "ETHUSDT": Action.BUY}
        assert (await ready.tick())["ETHUSDT"].outcome is Outcome.EXECUTED
        ready.strategy.opinions |= {"BTCUSDT": Action.BUY, "ETHUSDT": Action.HOLD}
        refused = (await ready.tick())["BTCUSDT"]  # now there is one, and it is not the dust
        assert (refused.outcome, refused.rule) == (Outcome.REFUSED, "max_open_positions")


async def test_s18_next_purchase_takes_the_dust_along_and_sells_it_when_it_makes_a_lot(tmp_path):
    async with pipeline(tmp_path) as ready:
        step = ready.desk.rules["BTCUSDT"].step_size
        rests = []
        for _ in range(6):
            rests.append(await bought_and_sold(ready))
            assert 0 <= rests[-1] < step
        fees = sum(fill.commission for fill in await ready.desk.ledger.fills("BTCUSDT") if fill.side is Side.BUY)
        bought = sum(fill.quantity for fill in await ready.desk.ledger.fills("BTCUSDT") if fill.side is Side.BUY)
        sold = sum(fill.quantity for fill in await ready.desk.ledger.fills("BTCUSDT") if fill.side is Side.SELL)
        assert rests[-1] == bought - sold - fees
        assert sold + step > bought - fees
        await ready.desk.assert_reconciled()


@pytest.mark.parametrize(
    "filter_changed",
    [
        {"filterType": "LOT_SIZE", "minQty": "0.01000000", "maxQty": "9000", "stepSize": "0.01000000"},
        {
            "filterType": "NOTIONAL",
            "minNotional": "5000",
            "maxNotional": "9000000",
            "applyMinToMarket": True,
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ],
    ids=lambda changed: changed["filterType"],
)
async def test_s18_position_that_new_filters_make_dust_is_kept_and_left_alone(tmp_path, filter_changed):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        held = (await ready.desk.ledger.positions())["BTCUSDT"].quantity
        await ready.desk.exchange.control("config", symbol={"symbol": "BTCUSDT", "filters": [filter_changed]})
        await ready.orchestrator._market_data.forget_rules("BTCUSDT")
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        for _ in range(3):
            decision = (await ready.tick())["BTCUSDT"]
            assert (decision.outcome, decision.detail) == (Outcome.SKIPPED, f"only dust to sell, {held} BTC")
        assert await ready.desk.times_sent() == 1
        assert (await ready.desk.ledger.positions())["BTCUSDT"].quantity == held
        await ready.desk.assert_reconciled()


async def test_s18_price_that_falls_below_the_least_value_makes_dust_and_a_rise_makes_it_a_position_again(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        await ready.desk.wait(60_000)
        least = ready.desk.rules["BTCUSDT"].min_notional
        held = (await ready.desk.ledger.positions())["BTCUSDT"].quantity
        view = await ready.desk.market_data().observe("BTCUSDT")
        assert not view.rules.is_dust(held, view.book.bid)
        assert view.rules.is_dust(held, least / held)  # a lot less than that, as the step has it
        sellable = view.rules.round_market_quantity(held)
        assert not view.rules.is_dust(held, least / sellable)


async def test_s18_dust_is_kept_over_a_restart_and_reconciles(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(Side.BUY, "0.00123")
        await ready.wait(1000)
        await ready.trade(Side.SELL, "0.00122")
        dust = (await ready.ledger.positions())["BTCUSDT"].quantity
        assert dust == Decimal("0.00000877")
        async with reopened(tmp_path, ready.exchange) as again:
            assert await again.reconciler.run("start") == []
            assert (await again.ledger.positions())["BTCUSDT"].quantity == dust
            await again.assert_reconciled()
