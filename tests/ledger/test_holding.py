"""The holding of a symbol: since when, by which entry, at which range, and the stop that stood last."""

from decimal import Decimal
from functools import partial

import pytest

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.holding import Holding, holding
from binance_trade_agent.ledger.ledger import Ledger
from tests.ledger.bookkeeping import BTCUSDT, fill, intent, place, report, trading_ledger

DUST = Decimal("0.0005")
BUY, SELL = Side.BUY, Side.SELL


async def look(ledger: Ledger) -> Holding | None:
    return await ledger.read(partial(holding, epoch=1, symbol="BTCUSDT", is_dust=lambda quantity: quantity < DUST))


async def trade(
    ledger: Ledger, number: int, side: Side, *parts: str, price: str = "60000", atr: str | None = None, fee: str = "0"
) -> None:
    """An order that fills in parts; its exchange number and the first of its trades are `number`."""
    name, total = f"bta-{number}", sum(map(Decimal, parts))
    await place(
        ledger, name, side, tick_ms=number * 1000, quantity=total, atr_quote=None if atr is None else Decimal(atr)
    )
    fills = [
        fill(
            number + index,
            name,
            side,
            exchange_order_id=number,
            quantity=Decimal(part),
            price=Decimal(price),
            quote_quantity=Decimal(part) * Decimal(price),
            commission=Decimal(fee),
            traded_ms=number * 1000 + index,
        )
        for index, part in enumerate(parts)
    ]
    told = report(
        "FILLED",
        str(total),
        *fills,
        order_id=name,
        exchange_order_id=number,
        side=side,
        quantity=total,
        executed_quote=total * Decimal(price),
    )
    await ledger.apply_report(told, **BTCUSDT)


async def stop(
    ledger: Ledger, number: int, price: str, kind: ExitKind = ExitKind.STOP_LOSS, *, taken: bool = True
) -> None:
    """A stop that the exchange takes under `number`, or refuses; it does not rest any more."""
    protecting = intent(
        f"bta-{number}", SELL, number * 1000, type=OrderType.STOP_LOSS, role=Role.STOP_LOSS, stop_price=Decimal(price)
    )
    await ledger.commit_protection("run-a", [replace(protecting, exit=kind)], number * 1000)
    state = OrderState.CANCELED if taken else OrderState.REJECTED
    await ledger.transition(protecting.client_order_id, OrderState.SENT, number * 1000)
    await ledger.transition(
        protecting.client_order_id, state, number * 1000, exchange_order_id=number if taken else None
    )


# fmt: off
LIVES = [
    # trades so far: number, side, parts                                          opened by, at
    ([],                                                                          None),
    ([(1, BUY, "0.002")],                                                         ("bta-1", 1000)),
    ([(1, BUY, "0.002"), (2, SELL, "0.002")],                                     None),
    # A second entry and a partial sale are of the same holding.
    ([(1, BUY, "0.002"), (2, BUY, "0.001")],                                      ("bta-1", 1000)),
    ([(1, BUY, "0.002"), (2, SELL, "0.001"), (3, BUY, "0.001")],                  ("bta-1", 1000)),
    # An entry in parts is there when it is more than dust.
    ([(1, BUY, "0.0003", "0.0003", "0.002")],                                     ("bta-1", 1001)),
    ([(1, BUY, "0.0004")],                                                        None),
    ([(1, BUY, "0.0004"), (2, BUY, "0.0004")],                                    ("bta-2", 2000)),
    # Dust is left: what is bought next is a new holding.
    ([(1, BUY, "0.002"), (2, SELL, "0.0018")],                                    None),
    ([(1, BUY, "0.002"), (2, SELL, "0.0018"), (3, BUY, "0.002")],                 ("bta-3", 3000)),
    ([(1, BUY, "0.002"), (2, SELL, "0.0018"), (3, BUY, "0.002"), (4, BUY, "0.1")], ("bta-3", 3000)),
    ([(1, BUY, "0.002"), (2, SELL, "0.002"), (3, BUY, "0.002")],                  ("bta-3", 3000)),
]
# fmt: on


@pytest.mark.parametrize(("trades", "opened"), LIVES)
async def test_holding_began_with_the_fill_that_made_it_more_than_dust(tmp_path, trades, opened):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        for number, side, *parts in trades:
            await trade(ledger, number, side, *parts)
        found = await look(ledger)
        assert (None if found is None else (found.entry_order_id, found.opened_ms)) == opened


async def test_fees_in_base_count_on_the_way_back(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await trade(ledger, 1, BUY, "0.0007", fee="0.0001")
        await trade(ledger, 2, SELL, "0.0002")
        assert await look(ledger) is None  # 0.0004
        await trade(ledger, 3, BUY, "0.0002")
        found = await look(ledger)
        assert found is not None
        assert (found.entry_order_id, found.position.quantity) == ("bta-3", Decimal("0.0006"))


async def test_it_knows_its_range_what_was_paid_and_what_it_costs(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await trade(ledger, 1, BUY, "0.002", price="70000", atr="90")
        await trade(ledger, 2, SELL, "0.002")
        await trade(ledger, 3, BUY, "0.002", price="60000", atr="120.5")
        await trade(ledger, 4, BUY, "0.002", price="64000", atr="400")
        await trade(ledger, 5, SELL, "0.001", price="66000")
        found = await look(ledger)
        assert found is not None
        assert (found.atr_quote, found.highest_paid) == (Decimal("120.5"), Decimal(64000))
        assert found.average_price == Decimal(62000)


async def test_range_that_was_not_known_at_the_entry_stays_unknown(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await trade(ledger, 1, BUY, "0.002")
        await trade(ledger, 2, BUY, "0.002", atr="400")
        found = await look(ledger)
        assert found is not None
        assert found.atr_quote is None


async def test_last_stop_is_the_newest_that_the_exchange_took_for_it(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:

        async def stood() -> tuple[Decimal | None, ExitKind | None]:
            found = await look(ledger)
            assert found is not None
            return found.last_stop_price, found.last_stop_kind

        await trade(ledger, 1, BUY, "0.002")
        assert await stood() == (None, None)
        await stop(ledger, 2, "58000")
        assert await stood() == (Decimal(58000), ExitKind.STOP_LOSS)
        await stop(ledger, 3, "59000", ExitKind.TRAILING_STOP)
        await stop(ledger, 4, "59500", ExitKind.TRAILING_STOP, taken=False)
        assert await stood() == (Decimal(59000), ExitKind.TRAILING_STOP)
        await trade(ledger, 5, BUY, "0.002")  # of the same holding
        assert await stood() == (Decimal(59000), ExitKind.TRAILING_STOP)
        await trade(ledger, 6, SELL, "0.004")
        await trade(ledger, 7, BUY, "0.002")  # another one
        assert await stood() == (None, None)
