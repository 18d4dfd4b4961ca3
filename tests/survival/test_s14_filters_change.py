"""S14: the filters change while it runs, and an order breaks one: refused by name, rules read anew, sized by the new ones."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.signals import Action
from tests.agents.desk import Desk, desk
from tests.test_orchestrator import pipeline

FIVE_MINUTES_MS = 300_000
HALF_A_MINUTE_MS = 30_000


async def configure(ready: Desk, **symbol) -> None:
    await ready.exchange.control("config", symbol={"symbol": "BTCUSDT", **symbol})


def lot_size(step: str) -> dict[str, str]:
    return {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "9000", "stepSize": step}


def market_lot_size(step: str) -> dict[str, str]:
    return {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "9000", "stepSize": step}


def notional(least: str) -> dict[str, object]:
    return {
        "filterType": "NOTIONAL",
        "minNotional": least,
        "maxNotional": "9000000",
        "applyMinToMarket": True,
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    }


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lot_size("0.00100000"), "LOT_SIZE"),
        (market_lot_size("0.00100000"), "MARKET_LOT_SIZE"),
        (notional("150"), "NOTIONAL"),
    ],
)
async def test_s14_order_that_a_changed_filter_refuses_names_it_and_the_next_obeys_it(tmp_path, change, name):
    async with pipeline(tmp_path, limits={"max_position_quote": Decimal(10_000)}, BTCUSDT=Action.BUY) as ready:
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        before = await ready.desk.ledger.wallet()
        await configure(ready.desk, filters=[change])
        refused = (await ready.tick())["BTCUSDT"]
        assert refused.outcome is Outcome.REJECTED
        assert f"Filter failure: {name} (-1013)" in refused.detail
        entry = await ready.desk.entry(refused)
        assert (entry.order.state, entry.is_settled) == (OrderState.REJECTED, True)
        assert await ready.desk.ledger.wallet() == before

        await ready.orchestrator._market_data.forget_rules("BTCUSDT")  # as the execution agent has it done
        obeying = (await ready.tick())["BTCUSDT"]
        rules = ready.orchestrator.views["BTCUSDT"].rules
        assert rules == (await ready.desk.gateway.symbol_rules(["BTCUSDT"]))["BTCUSDT"]
        if name == "NOTIONAL":
            assert (obeying.outcome, obeying.rule) == (Outcome.REFUSED, "min_notional")
            assert await ready.desk.times_sent() == 2
        else:
            assert obeying.outcome is Outcome.EXECUTED
            assert (await ready.desk.entry(obeying)).order.quantity % Decimal("0.001") == 0
        await ready.desk.assert_reconciled()


async def test_s14_order_is_rounded_on_the_copy_of_the_rules_that_its_decision_saw(tmp_path, monkeypatch):
    """The rules change between the verdict and the sending: the order goes as it was sized, and is refused whole."""
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        execute = ready.desk.execution.execute
        sized = []

        async def execute_later(decision, intent, committed=None):
            sized.append(intent.quantity)
            await configure(ready.desk, filters=[lot_size("0.00100000")])
            await ready.orchestrator._market_data.forget_rules("BTCUSDT")
            return await execute(decision, intent, committed)

        monkeypatch.setattr(ready.desk.execution, "execute", execute_later)
        refused = (await ready.tick())["BTCUSDT"]
        seen = ready.orchestrator.views["BTCUSDT"].rules
        assert (await ready.desk.entry(refused)).order.quantity == sized[0] == seen.round_market_quantity(sized[0])
        assert sized[0] % Decimal("0.001") != 0
        assert refused.outcome is Outcome.REJECTED
        await ready.desk.assert_reconciled()


async def test_s14_rules_are_five_minutes_old_at_most_and_half_a_minute_while_nothing_trades(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        market_data = ready.market_data()
        old = await market_data.rules("BTCUSDT")
        await configure(ready, filters=[lot_size("0.00100000")])
        await ready.wait(FIVE_MINUTES_MS)
        assert await market_data.rules("BTCUSDT") == old
        await ready.wait(1)
        assert (await market_data.rules("BTCUSDT")).step_size == Decimal("0.001")

        await configure(ready, status="BREAK")
        await market_data.forget_rules("BTCUSDT")
        assert (await market_data.rules("BTCUSDT")).status == "BREAK"
        await configure(ready, status="TRADING")
        await ready.wait(HALF_A_MINUTE_MS)
        assert (await market_data.rules("BTCUSDT")).status == "BREAK"
        await ready.wait(1)
        assert (await market_data.rules("BTCUSDT")).status == "TRADING"


async def test_s14_rules_that_were_forgotten_are_read_once_and_of_that_symbol_only(tmp_path):
    async with desk(tmp_path, opened=False) as ready:

        async def asked() -> int:
            return sum(entry["target"].startswith("/api/v3/exchangeInfo?") for entry in await ready.exchange.log())

        market_data = ready.market_data()
        for symbol in ("BTCUSDT", "ETHUSDT"):
            await market_data.rules(symbol)
        before = await asked()
        await market_data.forget_rules("BTCUSDT")
        for _ in range(3):
            for symbol in ("BTCUSDT", "ETHUSDT"):
                await market_data.rules(symbol)
        assert await asked() - before == 1
