"""Commands that need no trader to be placed: what is in the ledger afterwards, and what the person reads."""

import pytest

from binance_trade_agent.cli import group
from binance_trade_agent.control.commands import CommandState, latest_commands
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import command, vitals
from binance_trade_agent.ops.vitals import AccountVitals, ClaimVitals, Vitals
from tests.ledger.bookkeeping import trading_ledger


@pytest.fixture
async def path(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db"):
        pass
    return tmp_path / "ledger.db"


def typed(path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        group.main([*arguments, "--ledger-path", str(path)], prog_name="trade-agent")
    return int(ended.value.code or 0)


def placed(path) -> list[tuple[str, dict[str, str]]]:
    with LedgerReader.open(path) as reader:
        found = reader.snapshot(lambda connection: latest_commands(connection, 10))
    assert {each.state for each in found} <= {CommandState.PENDING}
    return [(each.kind.value, dict(each.payload)) for each in found]


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (["pause"], {"scope": "entries"}),
        (["pause", "--everything"], {"scope": "everything"}),
        (["kill"], {}),
        (["kill", "--reason", "the news"], {"reason": "the news"}),
    ],
)
def test_a_switch_is_placed_with_what_it_is_to_keep_back_and_why(path, capsys, arguments, payload):
    assert typed(path, *arguments) == 0
    assert placed(path) == [(arguments[0], payload)]
    assert capsys.readouterr().out.startswith(f"No trader runs on {path}; ")


def test_a_kill_that_no_trader_takes_says_what_holds_and_what_is_left_to_do(path, capsys):
    assert typed(path, "kill", "--close-positions") == 0
    held = "the kill switch is on; what rests on the exchange and what is held stay until one runs"
    assert capsys.readouterr().out == f"No trader runs on {path}; {held}.\n"


def test_without_a_trader_nobody_asks_the_others_of_its_account(path, capsys):
    told = AccountVitals(
        claims=(ClaimVitals(instance="alpha"), ClaimVitals(instance="beta"), ClaimVitals(is_live=False))
    )
    vitals.write(vitals.vitals_path(path), Vitals(account=told))
    assert typed(path, "kill", "--account") == 1
    assert placed(path) == [("kill", {})]
    assert capsys.readouterr().out.endswith(
        "Beta trades on this account too and goes on: `trade-agent kill --account` stops all of them, given where one "
        "of them runs.\n"
    )
    assert typed(path, "pause") == 0
    assert "`trade-agent pause --account`" in capsys.readouterr().out


def test_a_kill_without_an_answer_is_said_to_hold(path, capsys, monkeypatch):
    monkeypatch.setattr(command, "_ANSWER_SECONDS", 0.0)
    with LedgerLock.acquire(path, Holder(1, "run", 0)):
        assert typed(path, "kill") == 1
    assert "has not answered in 0 s; the kill switch is on all the same" in capsys.readouterr().out


def test_limits_are_placed_for_the_next_trader(path, capsys):
    assert typed(path, "set-risk", "RISK_MAX_ORDER_QUOTE=200", "RISK_COOLDOWN_SECONDS=60") == 0
    assert placed(path) == [("set_risk", {"RISK_MAX_ORDER_QUOTE": "200", "RISK_COOLDOWN_SECONDS": "60"})]
    assert capsys.readouterr().out.endswith("; the next one will carry this out: set-risk.\n")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("RISK_MAX_ORDER_QUOTE=50", "TRADING_ORDER_QUOTE is 100: RISK_MAX_ORDER_QUOTE allows no more than 50"),
        ("RISK_MAX_ORDER_QUOTE", "RISK_MAX_ORDER_QUOTE= (in the command) is not allowed: it must be an amount above 0"),
        ("RISK_STOP_LOSS_PCT=1", "RISK_STOP_LOSS_PCT cannot be changed while the trader runs"),
    ],
)
def test_limits_that_cannot_be_are_refused_at_once(path, capsys, change, sentence):
    assert typed(path, "set-risk", change) == 2
    assert capsys.readouterr().err.startswith(f"Error: {sentence}")
    assert placed(path) == []
