"""What a person has paused an assistant neither resumes nor narrows: by the loop that carries commands out."""

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandKind, CommandState
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.mcp_server.trading.client import recorded
from tests.test_autonomous_trading_loop import Rig, rig

CLAUDE = recorded("claude", "1.0")
ENTRIES, EVERYTHING = PauseScope.ENTRIES, PauseScope.EVERYTHING


async def said(ready: Rig, kind: CommandKind, by: str, **payload: str) -> Command:
    number = commands.place(ready.ledger.path, kind, requested_by=by, requested_wall_ms=1_000, payload=payload)
    await ready.loop._look_around()
    return await ready.ledger.read(lambda connection: commands.command(connection, number))


@pytest.mark.parametrize("person", ["cli", "dashboard", "restore"])
@pytest.mark.parametrize("client", [CLAUDE, recorded("cli", ""), recorded("cli)", "dashboard"), recorded("", "")])
async def test_what_a_person_has_paused_no_assistant_resumes(tmp_path, person, client):
    async with rig(tmp_path) as ready:
        await said(ready, CommandKind.PAUSE, person, scope="everything")
        refused = await said(ready, CommandKind.RESUME, client)
        assert (refused.state, refused.answer) == (
            CommandState.REFUSED,
            (
                f"everything but what protects positions is paused by {person} since 1970-01-01T00:00:01Z, and an assistant"
                " cannot resume: a person ends it, by `trade-agent resume` or on the dashboard"
            ),
        )
        assert (await said(ready, CommandKind.PAUSE, client, scope="entries")).state is CommandState.REFUSED
        changed = await said(ready, CommandKind.SET_STRATEGY, client, name="macd_momentum")
        assert (changed.state, ready.strategies.choice.name) == (CommandState.REFUSED, "rsi_momentum")
        assert await commands.scope_of_pause(ready.ledger) is EVERYTHING
        assert (await said(ready, CommandKind.RESUME, person)).state is CommandState.DONE
        assert await commands.scope_of_pause(ready.ledger) is None


async def test_an_assistant_resumes_what_it_has_paused(tmp_path):
    async with rig(tmp_path) as ready:
        await said(ready, CommandKind.PAUSE, CLAUDE, scope="everything")
        assert (await said(ready, CommandKind.RESUME, CLAUDE)).answer == "entries are allowed again"
        assert await commands.scope_of_pause(ready.ledger) is None


async def test_an_assistant_that_widens_a_persons_pause_does_not_make_it_its_own(tmp_path):
    async with rig(tmp_path) as ready:
        await said(ready, CommandKind.PAUSE, "cli")
        assert (await said(ready, CommandKind.PAUSE, CLAUDE, scope="everything")).state is CommandState.DONE
        assert (await said(ready, CommandKind.RESUME, CLAUDE)).state is CommandState.REFUSED
        assert (await said(ready, CommandKind.PAUSE, CLAUDE, scope="entries")).state is CommandState.REFUSED
        assert await commands.scope_of_pause(ready.ledger) is EVERYTHING
        await said(ready, CommandKind.PAUSE, "cli", scope="entries")
        assert await commands.scope_of_pause(ready.ledger) is ENTRIES
