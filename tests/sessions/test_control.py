"""Control from the command line: orders, cancels, closes and the kill switch, each with its answer and exit code."""

import asyncio
import contextlib
import io
import re

import pytest

from binance_trade_agent import exit_codes
from binance_trade_agent.cli import group
from binance_trade_agent.control.commands import latest_commands
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import order_command
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.vitals import read, vitals_path
from tests.ledger.bookkeeping import trading_ledger
from tests.sessions.daemon_process import daemon

QUIET = {
    "SIMULATION_SPEED": "1",
    "TRADING_INTERVAL_SECONDS": "3600",
    "TRADING_DURATION_MINUTES": "0",
    "RISK_COOLDOWN_SECONDS": "0",
}


def typed(folder, *arguments: str) -> tuple[int, str]:
    """Exit code, and what was printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as ended:
        group.main([*arguments, "--ledger-path", str(folder / "ledger.db")], prog_name="trade-agent")
    return int(ended.value.code or 0), said.getvalue()


async def trading(folder) -> None:
    deadline = monotonic_seconds() + 30
    while (seen := read(vitals_path(folder / "ledger.db"))) is None or not seen.run_id:
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.05)


@pytest.mark.slow
async def test_a_person_trades_from_the_command_line_and_each_command_says_what_came_of_it(tmp_path):
    async def done(*arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(typed, tmp_path, *arguments)

    async with daemon(tmp_path, **QUIET):
        await trading(tmp_path)

        code, said = await done("order", "buy", "BTCUSDT", "--quote", "100", "--yes")
        assert (code, said.splitlines()[0].split()[0]) == (0, "Buy"), said
        assert re.search(r"^All \d+ rules allow it\.$", said, re.MULTILINE)
        assert re.search(r"^EXECUTED [\d.]+ @ [\d.,]+, fee .*protected", said, re.MULTILINE)

        code, said = await done("order", "buy", "BTCUSDT", "--quote", "9000", "--yes")
        assert code == 1
        assert (
            "Refused by max order: the order is worth 9" in said or "Refused by max order: the order is worth 8" in said
        )
        assert said.endswith("Nothing was placed.\n")

        code, said = await done(
            *("order", "sell", "BTCUSDT", "--quantity", "0.001", "--type", "oco"),
            *("--price", "90000", "--stop-price", "50000", "--stop-limit-price", "49900", "--yes"),
        )
        assert code == 0, said
        assert "Rests on the exchange: SELL 0.001 at 90000 or, once the price is at 50000, at 49900" in said

        code, said = await done("order", "buy", "ETHUSDT", "--quantity", "0.02", "--type", "limit", "--price", "2000")
        assert code == 1  # nobody was asked: this is no terminal
        assert said.endswith("this is no terminal; --yes orders without being asked.\n")
        code, said = await done(
            "order", "buy", "ETHUSDT", "--quantity", "0.02", "--type", "limit", "--price", "2000", "--yes"
        )
        assert (code, said.splitlines()[-1]) == (0, "Rests on the exchange: BUY 0.02 at 2000.")
        with LedgerReader.open(tmp_path / "ledger.db") as reader:
            resting = reader.snapshot(lambda connection: queries.unsettled_orders(connection, 1))
            last = reader.snapshot(lambda connection: latest_commands(connection, 1))[0]
        (name,) = [entry.order.client_order_id for entry in resting if entry.order.symbol == "ETHUSDT"]
        assert (last.requested_by, last.client_order_id) == ("cli", name)
        assert await done("cancel", name) == (0, "Cancelled.\n")
        code, said = await done("cancel", name)
        assert (code, said) == (1, f"{name} is over already: CANCELED.\n")

        code, said = await done("close", "BTCUSDT", "--reason", "enough")
        assert code == 0
        assert said.startswith("BTCUSDT: EXECUTED ")
        assert await done("close", "BTCUSDT") == (1, "Nothing is held of BTCUSDT.\n")

        code, said = await done("order", "buy", "ETHUSDT", "--quote", "50", "--yes")
        assert code == 0, said
        code, said = await done("kill", "--close-positions", "--reason", "the news")
        assert code == 0
        assert said.startswith("The kill switch is on: nothing is entered until `trade-agent release default`")
        assert "all positions are closed" in said
        code, said = await done("order", "buy", "ETHUSDT", "--quote", "50", "--yes")
        assert code == 1
        assert "Refused by kill switch" in said
        assert "Why no trade: " in (await done("status"))[1]
        assert await done("stop") == (0, "Stopping.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("order", "buy", "BTCUSDT", "--quote", "100", "--yes"),
        ("close", "--all"),
        ("close", "BTCUSDT"),
        ("cancel", "bta-BTCUSDT-1"),
        ("stop",),
    ],
)
async def test_what_needs_a_trader_is_refused_at_once_where_none_runs(tmp_path, arguments):
    async with trading_ledger(tmp_path / "ledger.db"):
        pass
    path = tmp_path / "ledger.db"
    code, said = await asyncio.to_thread(typed, tmp_path, *arguments)
    assert code == exit_codes.FAILURE
    sentence, hint = said.split("\n", 1)
    assert sentence == f"No trader runs on {path}; nothing was placed."
    assert hint.startswith("If one is just being started, say it again") == (arguments == ("stop",))
    with LedgerReader.open(path) as reader:
        assert reader.snapshot(lambda connection: latest_commands(connection, 9)) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("close",), "Name a symbol or give --all, one of the two"),
        (("close", "BTCUSDT", "--all"), "Name a symbol or give --all, one of the two"),
        (("order", "buy", "BTCUSDT"), "Say how much, by one of the two"),
        (("order", "buy", "BTCUSDT", "--quote", "1", "--quantity", "1"), "Say how much, by one of the two"),
        (("order", "buy", "BTCUSDT", "--quote", "1", "--price", "5"), "--price does not belong to a market order."),
        (
            ("order", "buy", "BTCUSDT", "--quote", "1", "--type", "limit", "--price", "5", "--worst-price", "6"),
            "--worst-price does not belong to a limit order.",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(tmp_path, arguments, sentence):
    code, said = typed(tmp_path, *arguments)
    assert code == exit_codes.WRONG_CONFIGURATION
    assert sentence in said


@pytest.mark.parametrize(("answer", "agrees"), [("y", True), ("YES", True), ("", False), ("n", False), (None, False)])
def test_on_a_terminal_only_a_yes_places_an_order(monkeypatch, capsys, answer, agrees):
    def typed_in(_: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", typed_in)
    assert order_command._agrees() is agrees
    assert ("Nothing was placed." in capsys.readouterr().out) is not agrees
