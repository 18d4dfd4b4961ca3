"""The view that the trader decides by is read once, and anew when anything was written, by whomever."""

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.orders import OrderState
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, intent, report, trading_ledger


async def test_it_says_what_is_in_the_ledger_at_each_moment(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:

        async def seen():
            return await ledger.consult(
                lambda books: (
                    [entry.order.state for entry in books.unsettled_orders()],
                    [entry.order.state for entry in books.unsettled_orders("BTCUSDT")],
                    books.unsettled_orders("ETHUSDT"),
                    {symbol: position.quantity for symbol, position in books.positions().items()},
                    books.position("BTCUSDT").quantity,
                    books.position("ETHUSDT").quantity,
                    books.wallet()["BTC"],
                )
            )

        assert await seen() == ([], [], [], {}, 0, 0, 1)
        await ledger.commit_intent(decision(), intent(), 1_000)
        assert (await seen())[:3] == ([OrderState.INTENT], [OrderState.INTENT], [])
        await ledger.apply_report(report("PARTIALLY_FILLED", "0.001", fill()), **BTCUSDT)
        _, _, _, positions, here, there, wallet = await seen()
        assert positions == {"BTCUSDT": here}
        assert (here > 0, there, wallet) == (True, 0, 1 + here)


async def test_nothing_is_read_again_while_nothing_was_written(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        first = await ledger.consult(lambda books: books.positions())
        assert await ledger.consult(lambda books: books.positions()) is first
        await ledger.record_decisions([decision()])
        assert await ledger.consult(lambda books: books.positions()) is not first


async def test_what_another_process_has_written_is_seen(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        before = await ledger.consult(lambda books: books.positions())
        number = commands.place(ledger.path, CommandKind.PAUSE, requested_by="a test", requested_wall_ms=1)
        assert await ledger.consult(lambda books: books.positions()) is not before
        await commands.answer(ledger, number, CommandState.DONE, "paused", 1)
        assert await ledger.consult(lambda books: books.is_paused())
