"""The entry gate, and what the risk agent makes of it: what is known is said before anything is asked or promised."""

import asyncio
from decimal import Decimal

import pytest

from binance_trade_agent.agents.entry_gate import EntryGate, orders_of_entry
from binance_trade_agent.agents.risk import Asked
from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.manual_orders import manual_order
from binance_trade_agent.domain.orders import OrderIntent
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.risk.exits import ExitSettings
from tests.agents.desk import desk
from tests.agents.risk_desk import risk_agent

NO_ROOM = ("order_limit", "no room for an entry's 3 orders")


def test_reasons_that_are_over_by_themselves_are_asked_for_each_time_and_come_last():
    gate, said = EntryGate(), [None, NO_ROOM]
    gate.asked.append(lambda: said[-1])
    assert gate.refusal("BTCUSDT") == NO_ROOM
    assert gate.reasons() == {}
    gate.block("missing_coins", "0.1 BTC are gone", "BTCUSDT")
    assert gate.refusal("BTCUSDT") == ("missing_coins", "0.1 BTC are gone")
    assert gate.refusal("ETHUSDT") == NO_ROOM
    said.pop()
    assert gate.refusal("ETHUSDT") is None


@pytest.mark.parametrize(
    ("exits", "orders"),
    [
        ({}, 1),
        ({"time_stop_minutes": 60}, 1),
        ({"stop_loss_pct": Decimal(2)}, 2),
        ({"trailing_stop_atr": Decimal(3)}, 2),
        ({"target_table": {0: Decimal(4)}}, 2),
        ({"stop_loss_pct": Decimal(2), "take_profit_atr": Decimal(4)}, 3),
    ],
)
def test_orders_of_an_entry_are_its_own_and_those_that_protect_it(exits, orders):
    assert orders_of_entry(ExitSettings(**exits)) == orders


async def test_entry_is_refused_before_anything_is_asked_and_again_in_its_turn(tmp_path):
    async with desk(tmp_path) as ready:
        said: list[tuple[str, str] | None] = [NO_ROOM]
        ready.gate.asked.append(lambda: said[-1])
        happened: list[str] = []

        async def turn(*answers: tuple[str, str] | None) -> None:
            happened.append("turn")
            said.extend(answers)

        risk = risk_agent(ready, promise=lambda: happened.append("promise"))
        view = await ready.market_data().observe("BTCUSDT")
        opened_ms = view.candles[-1].open_time_ms

        async def verdict(action: Action, *answers: tuple[str, str] | None) -> OrderIntent | Refusal:
            happened.clear()
            signal = Signal("BTCUSDT", "s", action, 0.5, "because", opened_ms)
            review = await risk.review(signal, view, ready.clock.now_ms(), may_enter=lambda: turn(*answers))
            return review.verdict

        asked = len(await ready.exchange.log())
        assert await verdict(Action.BUY) == Refusal(*NO_ROOM)
        assert (happened, len(await ready.exchange.log())) == ([], asked)

        said.append(None)
        assert await verdict(Action.BUY, NO_ROOM) == Refusal(*NO_ROOM), "others were faster"
        assert happened == ["promise", "turn"]

        said.append(None)
        assert isinstance(await verdict(Action.BUY), OrderIntent)
        assert happened[:2] == ["promise", "turn"]

        said.append(NO_ROOM)
        await ready.trade()
        assert isinstance(await verdict(Action.SELL), OrderIntent), "an exit is not asked about"
        assert happened == []


async def test_person_s_purchase_is_refused_by_the_same_sentence_and_keeps_its_orders_too(tmp_path):
    async with desk(tmp_path) as ready:
        said: list[tuple[str, str] | None] = [NO_ROOM]
        ready.gate.asked.append(lambda: said[-1])
        promised: list[object] = []
        risk = risk_agent(ready, promise=lambda: promised.append(asyncio.current_task()))
        view = await ready.market_data().observe("BTCUSDT")
        order = manual_order({"symbol": "BTCUSDT", "side": "BUY", "type": "market", "quantity": "0.001"})
        asked = Asked(1, 1, "ada")
        assert (await risk.review_order(order, view, asked)).refusal == Refusal(*NO_ROOM)
        assert promised == []
        said.append(None)
        assert (await risk.review_order(order, view, asked)).refusal is None
        assert set(promised) == {asyncio.current_task()}
