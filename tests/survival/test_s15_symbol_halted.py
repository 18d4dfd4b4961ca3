"""S15: a symbol goes to BREAK, HALT or CANCEL_ONLY: it takes no orders, the others go on, positions are kept."""

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action
from tests.agents.desk import Desk
from tests.test_orchestrator import pipeline


async def set_status(ready: Desk, status: str) -> None:
    await ready.exchange.control("config", symbol={"symbol": "BTCUSDT", "status": status})


@pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY", "END_OF_DAY"])
async def test_s15_symbol_that_does_not_trade_takes_no_order_and_keeps_its_position(tmp_path, status):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY, ETHUSDT=Action.BUY) as ready:
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        position = (await ready.desk.ledger.positions())["BTCUSDT"]
        await set_status(ready.desk, status)
        await ready.orchestrator._market_data.forget_rules("BTCUSDT")  # or five minutes later by itself
        sentence = f"BTCUSDT is in status {status}, orders need TRADING"
        for action in (Action.BUY, Action.SELL):
            ready.strategy.opinions["BTCUSDT"] = action
            sent = await ready.desk.times_sent()
            decisions = await ready.tick()
            refused = decisions["BTCUSDT"]
            assert (refused.outcome, refused.rule, refused.detail) == (Outcome.REFUSED, "symbol_status", sentence)
            assert decisions["ETHUSDT"].outcome is Outcome.EXECUTED
            assert await ready.desk.times_sent() == sent + 1
        assert (await ready.desk.ledger.positions())["BTCUSDT"] == position

        await set_status(ready.desk, "TRADING")
        sold = (await ready.tick())["BTCUSDT"]  # a minute later: rules of a closed symbol are half a minute old at most
        assert sold.outcome is Outcome.EXECUTED
        await ready.desk.assert_reconciled()


async def test_s15_order_that_meets_a_closed_market_is_refused_for_good_and_moves_nothing(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        wallet = await ready.desk.ledger.wallet()
        await set_status(ready.desk, "BREAK")  # the rules in hand still say TRADING
        refused = (await ready.tick())["BTCUSDT"]
        assert refused.outcome is Outcome.REJECTED
        assert "Market is closed." in refused.detail
        assert (await ready.desk.entry(refused)).is_settled
        assert await ready.desk.ledger.wallet() == wallet
        assert await ready.desk.ledger.open_orders() == []
        await ready.orchestrator._market_data.forget_rules("BTCUSDT")  # as the execution agent has it done
        assert (await ready.tick())["BTCUSDT"].rule == "symbol_status"
        assert await ready.desk.times_sent() == 2
        await ready.desk.assert_reconciled()
