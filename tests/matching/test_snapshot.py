"""A state that was written as JSON and read again goes on just as it would have."""

from decimal import Decimal

import msgspec

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.snapshot import EngineSnapshot, restore_snapshot, take_snapshot
from tests.matching.exchange_driver import SYMBOL, Crowd, new_engine
from tests.matching.f0 import RULES, place, trade
from tests.matching.f0 import new_engine as f0_engine


def through_json(snapshot):
    return msgspec.json.decode(msgspec.json.encode(snapshot), type=EngineSnapshot)


def in_any_order(snapshot):
    fields = msgspec.to_builtins(snapshot)
    return {name: sorted(map(str, value)) if isinstance(value, list) else value for name, value in fields.items()}


def test_crowd_goes_on_alike_with_the_restored_engine():
    crowd, twin = Crowd(3), Crowd(3)
    for _ in range(600):
        crowd.step()
        twin.step()
    restored = new_engine()
    restore_snapshot(restored, through_json(take_snapshot(crowd.engine)))
    book = crowd.engine.listings[SYMBOL].book
    restored.apply_book(SYMBOL, book.outside(Side.BUY), book.outside(Side.SELL), crowd.now_ms)
    crowd.engine = restored
    for _ in range(600):
        crowd.step()
        twin.step()
    assert in_any_order(take_snapshot(crowd.engine)) == in_any_order(take_snapshot(twin.engine))


def test_trailing_stop_remembers_its_best_price():
    engine = f0_engine()
    place(engine, "SELL", "STOP_LOSS", "0.1", trailing_delta=100)
    trade(engine, "102000", taker="BUY")
    restored = type(engine)()
    restored.list_symbol(RULES)
    restore_snapshot(restored, through_json(take_snapshot(engine)))
    assert restored.listings["BTCUSDT"].last_price == 102_000
    restored.apply_trade("BTCUSDT", Decimal(100_980), Decimal(1), Side.SELL, 9)
    assert restored.history.orders("main", "BTCUSDT")[0].working_ms == 9
