import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Moment
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.control.switch_carriers import SwitchCarriers
from binance_trade_agent.domain.claims import Halt
from binance_trade_agent.ops.clock import wall_ms
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


class Account:
    """Another daemon on the same account."""

    def __init__(self):
        self.halts = []

    def others(self):
        return ["beta"]

    async def halt_others(self, halt):
        self.halts.append(halt)
        return "beta was asked"


@pytest.mark.parametrize(
    ("reach", "age_ms", "words"),
    [
        (None, 0, "beta trades on this account too and goes on: `trade-agent kill --account` stops all of them"),
        ("true", 0, "beta was asked"),
        ("true", 90_000, "the other daemons of this account were not asked: it came too late"),
        ("heard", 0, ""),
    ],
)
async def test_a_kill_says_what_becomes_of_the_other_daemons_of_the_account(tmp_path, reach, age_ms, words):
    account, placed_ms = Account(), wall_ms() - age_ms

    async def obeyed() -> str:
        return "all is cancelled"

    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        payload = {"reason": "enough"} | ({"account": reach} if reach else {})
        commands.place(ledger.path, CommandKind.KILL, requested_by="cli", requested_wall_ms=placed_ms, payload=payload)
        (kill,) = await commands.pending(ledger)
        carriers = SwitchCarriers(ledger, "alpha", obeyed, account).by_kind
        carried = await carriers[CommandKind.KILL](kill, Moment("run", 1_000, 2_000))
    said = "the kill switch is on: nothing is entered until `trade-agent release alpha`; all is cancelled"
    assert carried.answer == (f"{said}; {words}" if words else said)
    is_asked = words == "beta was asked"
    assert account.halts == ([Halt("kill", "enough", "cli by way of alpha", placed_ms)] if is_asked else [])


async def test_who_has_all_of_an_account_says_so_when_asked_to_stop_the_others(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        payload = {"scope": "entries", "account": "true"}
        commands.place(ledger.path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1, payload=payload)
        (pause,) = await commands.pending(ledger)
        carried = await SwitchCarriers(ledger, "alpha", obeyed_nothing).by_kind[CommandKind.PAUSE](
            pause, Moment("run", 1_000, 2_000)
        )
    assert carried.answer == ("entries are paused; no other daemon is on this account, of which this one has all")


async def obeyed_nothing() -> str:
    return ""
