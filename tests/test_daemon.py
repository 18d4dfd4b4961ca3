"""The daemon put together: how it starts, what keeps it from starting, and the exit codes."""

import asyncio
import contextlib
import logging
import signal
from pathlib import Path

import pytest

from binance_trade_agent import assembly, daemon, exit_codes
from binance_trade_agent.agents.epochs import CannotReconcileError
from binance_trade_agent.configuration import ConfigError, Configuration, load
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import AuthError, RejectedError, UnavailableError
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import MarketGoneError, sleep_seconds
from binance_trade_agent.ops.signals import StopSignals
from binance_trade_agent.strategies.registry import UnknownStrategy
from tests.agents.desk import desk
from tests.exchange_process import RunningExchange, running_exchange
from tests.sessions.daemon_process import assert_books_balance, assert_equal_to_exchange

# Trades at nearly every tick.
EAGER = {
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=49,rsi_overbought=51",
    "RISK_COOLDOWN_SECONDS": "0",
}


def configured(folder, exchange: RunningExchange | None = None, **settings: str) -> Configuration:
    """Ten ticks of a minute on `exchange`."""
    known = {
        "LEDGER_PATH": str(folder / "ledger.db"),
        "SIMULATION_SPEED": "1000000",
        "TRADING_INTERVAL_SECONDS": "60",
        "TRADING_DURATION_MINUTES": "10",
    }
    if exchange is not None:
        known |= {"EXCHANGE_URL": exchange.url, "EXCHANGE_CONTROL_URL": exchange.control_url}
    return load(environment={**known, **settings}, folder=folder)


async def test_run_trades_ends_and_prints_its_report(tmp_path, capsys):
    async with running_exchange(speed=None) as exchange:
        assert await daemon._run(configured(tmp_path, exchange, **EAGER)) == exit_codes.OK
        assert assert_books_balance(tmp_path / "ledger.db") > 0
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)
    report = capsys.readouterr().out
    assert "cycles 10, decisions 20" in report
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        (run,) = reader.snapshot(queries.runs)
    assert (run.mode, run.strategy, run.end_reason) == ("simulated", "rsi_momentum", "the duration is over")
    assert '"TRADING_INTERVAL_SECONDS": "60"' in run.settings_json


async def test_start_tries_again_while_the_exchange_is_in_trouble(tmp_path, caplog):
    async with running_exchange(speed=None) as exchange:
        for path in ("time", "exchangeInfo", "account"):
            await exchange.fault("http", method="GET", path=path, status=503)
        settings = configured(tmp_path, exchange, TRADING_DURATION_MINUTES="1", EXCHANGE_STARTUP_SECONDS="20")
        assert await daemon._run(settings) == exit_codes.OK
    assert "trying again for 20 s" in caplog.text


async def test_start_gives_up_on_an_exchange_that_stays_away(tmp_path):
    settings = configured(tmp_path, EXCHANGE_URL="http://127.0.0.1:9", EXCHANGE_STARTUP_SECONDS="0")
    with pytest.raises(UnavailableError, match="cannot be reached"):
        await daemon._run(settings)


async def test_ledger_that_contradicts_the_exchange_is_not_traded_on(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        client = await ready.exchange.client()
        await client.order_market_sell(symbol="BTCUSDT", quantity="0.009")
        with pytest.raises(CannotReconcileError, match="somebody sold or withdrew the bot's coins"):
            await daemon._run(configured(tmp_path, ready.exchange))
        assert await ready.times_sent() == 2  # the bot's and the person's


async def test_stop_that_nobody_took_does_not_stop_the_next_run(tmp_path):
    async with running_exchange(speed=None) as exchange:
        settings = configured(tmp_path, exchange, TRADING_DURATION_MINUTES="2")
        await daemon._run(settings)
        number = commands.place(tmp_path / "ledger.db", CommandKind.STOP, requested_by="cli", requested_wall_ms=1)
        assert await daemon._run(settings) == exit_codes.OK
        with LedgerReader.open(tmp_path / "ledger.db") as reader:
            command = reader.snapshot(lambda connection: commands.command(connection, number))
            runs = reader.snapshot(queries.runs)
        assert command.state is CommandState.REFUSED
        assert [run.end_reason for run in runs] == ["the duration is over"] * 2


async def test_fewer_symbols_than_before_leave_the_books_of_the_others_right(tmp_path):
    async with running_exchange(speed=None) as exchange:
        await daemon._run(configured(tmp_path, exchange, **EAGER))
        await daemon._run(configured(tmp_path, exchange, **EAGER, TRADING_SYMBOLS="BTCUSDT"))
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def test_run_goes_on_without_the_user_stream(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(assembly, "_STREAM_SECONDS", 0.05)
    monkeypatch.setattr(assembly.UserStream, "run", lambda _: asyncio.Event().wait())
    async with running_exchange(speed=None) as exchange:
        assert await daemon._run(configured(tmp_path, exchange, **EAGER)) == exit_codes.OK
        assert "the user stream is not there yet" in caplog.text
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


class Loop:
    """Remembers why it was asked to stop."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def request_stop(self, reason: str) -> None:
        self.reasons.append(reason)


async def test_first_signal_stops_the_loop_and_the_second_cancels():
    main = asyncio.ensure_future(asyncio.Event().wait())
    signals = StopSignals(main)
    loop = Loop()
    signals.listen_for(loop)
    signals.receive(signal.SIGTERM)
    assert (loop.reasons, main.cancelling()) == (["SIGTERM"], 0)
    signals.receive(signal.SIGINT)
    assert (loop.reasons, main.cancelling()) == (["SIGTERM"], 1)
    assert not signals.has_ended_start
    await asyncio.gather(main, return_exceptions=True)


async def test_a_start_that_went_on_though_it_was_cancelled_stops_as_soon_as_it_trades():
    reached = asyncio.Event()

    async def start() -> None:
        with contextlib.suppress(asyncio.CancelledError):  # as asyncio.wait_for may
            await asyncio.Event().wait()
        reached.set()

    signals, loop = StopSignals(asyncio.ensure_future(start())), Loop()
    await sleep_seconds(0)
    signals.receive(signal.SIGTERM)
    await reached.wait()
    signals.listen_for(loop)
    assert loop.reasons == ["SIGTERM"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ConfigError("TRADING_SYMBOLS is wrong."), 2),
        (UnknownStrategy("no such strategy"), 2),
        (LedgerError("the ledger is damaged"), 2),
        (LedgerUnavailable("the disk is full"), 1),
        (AuthError("Invalid API-key (-2015)"), 2),
        (CannotReconcileError("coins are gone"), 3),
        (UnavailableError("the exchange cannot be reached"), 1),
        (RejectedError(-1100, "Illegal characters"), 1),
        (ExchangeStartError("the simulated exchange did not start"), 1),
        (MarketGoneError("the simulated exchange is gone"), 1),
        (asyncio.CancelledError(), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_failure_is_one_sentence_and_an_exit_code(tmp_path, monkeypatch, caplog, failure, code):
    async def fail(_: Configuration, *, takeover: bool) -> int:
        assert not takeover
        raise failure

    monkeypatch.setattr(daemon, "_run", fail)
    assert daemon.run(configured(tmp_path)) == code
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is None
    assert str(failure) in record.getMessage()


def test_report_that_cannot_be_printed_does_not_fail_the_run(monkeypatch, caplog):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        daemon._print_report("a report")
        daemon._print_report("what comes after it is swallowed")
    assert "the report could not be printed (No space left on device)" in caplog.text
