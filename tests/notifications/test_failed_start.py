"""A start that fails before the ledger is open is told by the process that ends."""

import asyncio
import contextlib
import sqlite3
import sys

import pytest

from binance_trade_agent import daemon
from binance_trade_agent.configuration import ConfigError, load
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.notifications import failed_start, failures
from binance_trade_agent.notifications.failed_start import tell_wrong_settings
from binance_trade_agent.ops.clock import monotonic_seconds
from tests.notifications.receivers import webhook


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "_own_folder", lambda: tmp_path / "temporary")


async def fails_to_start(path, *urls: str, **given: str) -> None:
    environment = {"LEDGER_PATH": str(path), "NOTIFY_URLS": ",".join(urls), **given}
    with pytest.raises((ConfigError, LedgerError)):
        await daemon._run(load(environment=environment, folder=path.parent))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


async def test_a_newer_schema(path):
    await (await Ledger.open(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    async with webhook() as hook:
        await fails_to_start(path, hook.url)
    assert hook.bodies[0]["title"] == "Trader default (simulated)"
    assert hook.lines[0].startswith("The trader could not start: ")
    assert "999" in hook.lines[0]


async def test_a_wrong_strategy_once_however_often_a_supervisor_starts_it_again(path):
    async with webhook() as hook:
        for _ in range(3):
            await fails_to_start(path, hook.url, STRATEGY_NAME="rsi_momentun")
    (line,) = hook.lines
    assert line.startswith("The trader could not start: STRATEGY_NAME: ")


async def test_an_address_that_apprise_does_not_know_is_told_to_the_others(path):
    async with webhook() as hook:
        await fails_to_start(path, "tgram://hidden", hook.url)
    (line,) = hook.lines
    assert line == (
        "The trader could not start: NOTIFY_URLS, address 1 (tgram://****): something is missing in it or wrong for "
        "tgram://."
    )


async def test_it_waits_no_longer_than_a_few_seconds_for_an_address(path, monkeypatch):
    monkeypatch.setattr(failed_start, "_PATIENCE_SECONDS", 0.2)
    async with webhook() as slow, webhook() as hook:
        slow.gate.clear()
        begun = monotonic_seconds()
        await fails_to_start(path, slow.url, hook.url, STRATEGY_NAME="none_such")
        assert monotonic_seconds() - begun < 10
        assert len(hook.lines) == 1
        slow.gate.set()


async def test_who_does_not_want_to_hear_of_stops_does_not(path):
    async with webhook() as hook:
        await fails_to_start(path, hook.url, STRATEGY_NAME="none_such", NOTIFY_EVENTS="fills")
    assert not hook.asked


class TestWrongSettings:
    """They cannot be loaded; the addresses among them can be read nevertheless."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LEDGER_PATH", str(tmp_path / "ledger.db"))

    async def run(self) -> str:
        """What a trader says on standard error."""
        trader = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "binance_trade_agent.cli", "run"), stderr=asyncio.subprocess.PIPE
        )
        _, said = await trader.communicate()
        assert trader.returncode == 2
        return said.decode()

    async def tell(self, flags: dict[str, str]) -> None:
        """The same without a process."""
        with pytest.raises(ConfigError) as wrong:
            load(flags)
        await asyncio.to_thread(tell_wrong_settings, flags, str(wrong.value))

    async def test_of_the_environment(self, monkeypatch):
        async with webhook() as hook:
            monkeypatch.setenv("NOTIFY_URLS", hook.url)
            monkeypatch.setenv("TRADING_SYMBOL", "BTCUSDT")
            monkeypatch.setenv("NOTIFY_EVENTS", "alarm")
            monkeypatch.setenv("TRADING_INSTANCE", "attic")
            said = await self.run()
        assert [
            f"Error: {line}".replace("The trader could not start: ", "") for line in hook.lines
        ] == said.splitlines()
        assert hook.bodies[0]["title"] == "Trader attic"

    async def test_of_a_file_of_addresses(self, tmp_path):
        async with webhook() as hook:
            (tmp_path / "addresses").write_text(hook.url)
            (tmp_path / ".env").write_text(f"NOTIFY_URLS_FILE={tmp_path / 'addresses'}\nRISK_NONSENSE=1\n")
            await self.tell({"TRADING_INSTANCE": "from-a-flag"})
        (line,) = hook.lines
        assert "RISK_NONSENSE" in line
        assert hook.bodies[0]["title"] == "Trader from-a-flag"

    async def test_of_the_addresses_themselves_nobody_hears(self, monkeypatch):
        monkeypatch.setenv("NOTIFY_URLS", "no address")
        await self.tell({})
