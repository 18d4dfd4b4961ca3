from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Moment
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.control.switch_carriers import SwitchCarriers
from tests.ledger.bookkeeping import trading_ledger


async def test_a_kill_stands_whatever_goes_wrong_with_what_it_asks_for(tmp_path):
    async def fails() -> str:
        raise ZeroDivisionError("nobody thought of it")

    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        commands.place(ledger.path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        (kill,) = await commands.pending(ledger)
        carry_out = SwitchCarriers(ledger, "mine", fails).by_kind[CommandKind.KILL]
        carried = await carry_out(kill, Moment("run", 1_000, 2_000))
        assert carried is not None
        assert carried.state is CommandState.DONE
        assert carried.answer == (
            "the kill switch is on: nothing is entered until `trade-agent release mine`; "
            "not everything could be done yet: ZeroDivisionError: nobody thought of it"
        )
        await commands.answer(ledger, kill.command_id, carried.state, carried.answer, 1_000)
        assert await commands.is_killed(ledger)
