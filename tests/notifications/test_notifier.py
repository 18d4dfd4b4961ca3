"""Notifications as they are delivered: to a real webhook and a real mail server, also a dead and a slow one."""

import asyncio
import contextlib
import logging
import shutil
import sys
import threading

import msgspec
import pytest

from binance_trade_agent import daemon as daemon_module
from binance_trade_agent.cli.shared import set_up_log
from binance_trade_agent.configuration import ConfigError, load
from binance_trade_agent.ledger import alarms
from binance_trade_agent.notifications import notifier
from binance_trade_agent.notifications import targets as module_of_targets
from binance_trade_agent.notifications.command import notify
from binance_trade_agent.notifications.news import Cursor, Notice
from binance_trade_agent.notifications.notifier import cursor_folder, message, notifying
from binance_trade_agent.notifications.targets import targets
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.settings import shown
from tests.exchange_process import running_exchange
from tests.ledger.bookkeeping import run_record, trading_ledger
from tests.notifications.receivers import mail_server, rude_server, until, webhook
from tests.notifications.test_news import bought

DEAD = "json://127.0.0.1:9/hook"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(notifier, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(notifier.Courier.__init__, "__defaults__", ((), 0.02))
    yield
    for thread in threading.enumerate():  # one that still waits for an address would speak in the next test
        if thread.name.startswith("notify "):
            thread.join(30)
            assert not thread.is_alive()


def settings_of(path, *urls: str, **given: str):
    known = {"LEDGER_PATH": str(path), "NOTIFY_URLS": ",".join(urls), **given}
    return load(environment=known, folder=path.parent).settings


def telling(path, *urls: str, **given: str):
    settings = settings_of(path, *urls, **given)
    return notifying(settings, targets(settings))


@pytest.fixture
async def ledger(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


async def test_what_happens_is_told_by_a_webhook(ledger):
    await bought(ledger, 1)  # before the first start with an address: not told
    async with webhook() as hook:
        async with telling(ledger.path, hook.url):
            await bought(ledger, 2)
            await until(lambda: hook.bodies)
            await ledger.end_run("run-a", 5_000, 6_000, "SIGTERM")
        assert hook.lines == [
            "Entry: BUY 0.001 of 0.002 BTCUSDT at 60,000, 60.00 USDT, fee 0.000001 BTC.",
            "Trading has stopped: SIGTERM.",
        ]
        assert hook.bodies[0]["title"] == "Trader default (simulated)"


async def test_by_mail_too(ledger):
    async with mail_server() as (port, mails):
        address = f"mailto://127.0.0.1:{port}?from=bot@example.org&to=me@example.org&smtp=127.0.0.1&mode=insecure"
        async with telling(ledger.path, address):
            await ledger.raise_alarm("keys", "", "the keys are refused", 2_000, blocks=True)
            await until(lambda: mails)
    assert "Subject: Trader default (simulated)" in mails[0]
    assert "the keys are refused" in mails[0]


async def test_only_what_notify_events_names_is_told(ledger):
    async with webhook() as hook, telling(ledger.path, hook.url, NOTIFY_EVENTS="alarms"):
        await bought(ledger, 1)
        await ledger.raise_alarm("keys", "", "the keys are refused", 2_000)
        await until(lambda: hook.bodies)
    assert hook.lines == ["Alarm, keys: the keys are refused."]


async def test_nothing_is_told_twice_over_a_restart_and_nothing_that_came_between_is_lost(ledger):
    async with webhook() as hook:
        async with telling(ledger.path, hook.url):
            await bought(ledger, 1)
            await until(lambda: hook.bodies)
        await bought(ledger, 2)
        async with telling(ledger.path, hook.url):
            await until(lambda: len(hook.bodies) == 2)
        async with telling(ledger.path, hook.url):
            await bought(ledger, 3)
        assert len(hook.lines) == 3
        assert all("hunter2" not in file.name for file in cursor_folder(ledger.path).iterdir())


async def test_a_failure_is_tried_again_and_said_once(ledger, caplog):
    caplog.set_level(logging.INFO)
    async with webhook() as hook:
        hook.answers = [500, 503]
        async with telling(ledger.path, hook.url):
            await bought(ledger, 1)
            await until(lambda: hook.bodies)
        assert (hook.asked, len(hook.lines)) == (3, 1)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("binance_trade_agent")]
    assert said == [
        "a notification could not be delivered to json://****; it is tried again",
        "notifications reach json://**** again",
    ]


async def test_a_storm_becomes_a_few_messages(ledger):
    async with webhook() as hook, telling(ledger.path, hook.url):
        hook.gate.clear()
        await bought(ledger, 1)
        await until(lambda: hook.asked)
        for number in range(2, 150):
            await bought(ledger, number)
        hook.gate.set()
        await until(lambda: len(hook.bodies) == 2)
    assert hook.lines[1].startswith("148 orders have traded, 148 BUY and 0 SELL")
    assert len(hook.bodies) == 2


@pytest.mark.parametrize("is_slow", [False, True])
async def test_a_dead_or_slow_address_holds_up_neither_the_others_nor_the_end(ledger, monkeypatch, caplog, is_slow):
    monkeypatch.setattr(notifier, "_FAREWELL_SECONDS", 0.3)
    async with webhook() as slow, webhook() as hook:
        slow.gate.clear()
        async with telling(ledger.path, slow.url if is_slow else DEAD, hook.url):
            await bought(ledger, 1)
            await until(lambda: hook.bodies)
            await ledger.end_run("run-a", 5_000, 6_000, "SIGTERM")
            begun = monotonic_seconds()
        assert monotonic_seconds() - begun < 2
        assert hook.lines[-1] == "Trading has stopped: SIGTERM."
        assert ("the next start tells it" in caplog.text) is is_slow
        slow.gate.set()
        if is_slow:
            await until(lambda: "Trading has stopped: SIGTERM." in slow.lines)


@pytest.mark.parametrize(
    ("how", "scheme"),
    [("resets", "json"), ("hangs", "json"), ("drips", "json"), ("hangs", "mailto"), ("resets", "mailto")],
)
async def test_an_address_that_misbehaves_holds_up_nobody_and_shows_nothing(ledger, monkeypatch, caplog, how, scheme):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(notifier, "_FAREWELL_SECONDS", 0.1)
    monkeypatch.setattr(module_of_targets, "_LONG_SECONDS", 0.2)
    monkeypatch.setattr("apprise.NotifyBase.request_rate_per_sec", 0)  # between two mails, some seconds
    async with rude_server(how) as port, webhook() as hook:
        rude = f"{scheme}://me:hunter2secret@127.0.0.1:{port}/hunter2path?cto=0.2&rto=0.2"
        rude += "&from=bot@example.org&to=me@example.org&smtp=127.0.0.1&mode=insecure" if scheme == "mailto" else ""
        async with telling(ledger.path, rude, f"{hook.url}/hunter2hook"):
            await bought(ledger, 1)
            await until(lambda: hook.bodies)
            trouble = "a minute and not answered" if how == "drips" else f"could not be delivered to {scheme}://****"
            await until(lambda: trouble in caplog.text)
    assert "hunter2" not in caplog.text
    assert "/hook" not in caplog.text


def fills_told(path) -> list[int]:
    (noted,) = [file for file in cursor_folder(path).glob("*.json") if "failures" not in file.name]
    return msgspec.json.decode(noted.read_bytes(), type=Cursor).fills.get("BTCUSDT", [])


async def test_too_many_requests_are_tried_again_later(ledger):
    async with webhook() as hook:
        hook.answers = [429, 429]
        async with telling(ledger.path, hook.url):
            await bought(ledger, 1)
            await until(lambda: hook.bodies)
        assert hook.asked == 3


async def test_what_is_rolled_back_is_never_told(ledger):
    async with webhook() as hook, telling(ledger.path, hook.url):

        def fails(connection):
            alarms.raise_alarm(connection, "keys", "", "never was", 2_000)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await ledger.write(fails)
        await ledger.raise_alarm("keys", "", "is so", 2_000)
        await until(lambda: hook.bodies)
    assert hook.lines == ["Alarm, keys: is so."]


class TestRestarts:
    """A supervisor starts the trader again and again; each start is a run that may fail."""

    async def failing_run(self, ledger, hook, why: str = "no disk", *, has_begun: bool = True) -> None:
        with contextlib.suppress(RuntimeError):
            async with telling(ledger.path, hook.url):
                if has_begun:
                    await ledger.begin_run(run_record(f"run-{monotonic_seconds()}"))
                raise RuntimeError(why)

    async def test_what_fails_over_and_over_is_told_once_and_its_starts_not_at_all(self, ledger):
        await ledger.end_run("run-a", 5_000, 6_000, "SIGTERM")
        async with webhook() as hook:
            for number in range(4):
                await self.failing_run(ledger, hook, f"no disk, {number} bytes are free")
            await self.failing_run(ledger, hook, "another reason", has_begun=False)
        assert hook.lines == [
            "Trading has started: BTCUSDT, ETHUSDT with combined_default on simulated.",
            "The trader has failed: no disk, 0 bytes are free",
            "The trader has failed: another reason",
        ]

    async def test_after_a_failure_a_start_is_told_when_it_has_lasted(self, ledger, monkeypatch):
        await ledger.end_run("run-a", 5_000, 6_000, "SIGTERM")
        async with webhook() as hook:
            await self.failing_run(ledger, hook)
            async with telling(ledger.path, hook.url):
                await ledger.begin_run(run_record("run-lasts"))
                await bought(ledger, 1)  # told at once
                await until(lambda: len(hook.lines) == 3)
                monkeypatch.setattr(notifier, "LASTING_SECONDS", 0.0)
                await until(lambda: len(hook.lines) == 4)
            assert hook.lines[3].startswith("Trading has started")
            await self.failing_run(ledger, hook)
        assert hook.lines[-1] == "The trader has failed: no disk", "after a run that has lasted it is news"

    async def test_the_start_of_what_was_soon_stopped_comes_before_its_end(self, ledger):
        async with webhook() as hook, telling(ledger.path, hook.url):
            await ledger.begin_run(run_record("run-b"))  # run-a was cut off
            await until(lambda: hook.lines)
            await ledger.end_run("run-b", 7_000, 8_000, "SIGTERM")
            await until(lambda: len(hook.lines) > 1)
        assert [line.partition(":")[0] for line in hook.lines[1:]] == ["Trading has started", "Trading has stopped"]

    async def test_a_run_that_is_killed_over_and_over_is_told_once(self, ledger, tmp_path):
        async with webhook() as hook:
            for number in range(4):
                folder = tmp_path / str(number)  # what a killed process leaves
                async with telling(ledger.path, hook.url):
                    await ledger.begin_run(run_record(f"run-{number}"))
                    await bought(ledger, number + 1)
                    await until(lambda number=number: number + 1 in fills_told(ledger.path))
                    shutil.copytree(cursor_folder(ledger.path), folder)
                    hook.answers = [500]  # to what it says as it ends here, which a killed one does not
                hook.answers = []
                shutil.rmtree(cursor_folder(ledger.path))
                folder.rename(cursor_folder(ledger.path))
        assert [line for line in hook.lines if "Entry" not in line] == [
            "The run of 1970-01-01 00:00:00 UTC ended without a word: it was killed, or cut off.",
        ]


async def test_a_failure_is_told_with_its_sentence_and_without_secrets(ledger):
    async with webhook() as hook:
        with pytest.raises(RuntimeError):
            async with telling(ledger.path, hook.url, REDIS_URL="redis://:s3cr3t@127.0.0.1:9/0"):
                raise RuntimeError("redis://:s3cr3t@127.0.0.1:9/0 is gone")
    assert hook.lines == ["The trader has failed: **** is gone"]


async def test_a_message_can_be_tried_out(tmp_path, capsys):
    async with webhook() as hook:
        settings = settings_of(tmp_path / "ledger.db", hook.url, DEAD)
        assert await asyncio.to_thread(notify, settings, "hello") == 1
    assert hook.lines == ["hello"]
    assert capsys.readouterr().out == "json://**** has taken it.\njson://**** has not taken it.\n"
    assert notify(settings_of(tmp_path / "ledger.db"), "hello") == 1


async def test_a_whole_run_tells_its_start_its_trades_and_its_end(tmp_path, capsys):
    async with webhook() as hook, running_exchange(speed=None) as exchange:
        environment = {
            "LEDGER_PATH": str(tmp_path / "ledger.db"),
            "EXCHANGE_URL": exchange.url,
            "EXCHANGE_CONTROL_URL": exchange.control_url,
            "SIMULATION_SPEED": "1000000",
            "TRADING_INTERVAL_SECONDS": "60",
            "TRADING_DURATION_MINUTES": "10",
            "STRATEGY_NAME": "rsi_momentum",
            "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=49,rsi_overbought=51",
            "NOTIFY_URLS": hook.url,
        }
        assert await daemon_module._run(load(environment=environment, folder=tmp_path)) == 0
    assert hook.lines[0].startswith("Trading has started: BTCUSDT, ETHUSDT with rsi_momentum on simulated.")
    assert any(line.startswith("Entry: BUY ") for line in hook.lines)
    assert hook.lines[-1] == "Trading has stopped: the duration is over."


class TestTheSettings:
    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"NOTIFY_URLS": "somewhere"}, r"NOTIFY_URLS=\*\*\*\* \(from the environment\) is not allowed"),
            (
                {"NOTIFY_URLS": "json://here, somewhere else"},
                r"NOTIFY_URLS=\*\*\*\* \(from the environment\) is not allowed",
            ),
            (
                {"NOTIFY_EVENTS": "fills,alarm"},
                r"NOTIFY_EVENTS has alarm, which is no event.*the nearest.* is alarms\.",
            ),
        ],
    )
    def test_what_is_wrong_is_one_sentence(self, tmp_path, given, sentence):
        with pytest.raises(ConfigError, match=sentence):
            load(environment=given, folder=tmp_path)

    @pytest.mark.parametrize(
        ("url", "sentence"),
        [
            ("tgrm://hidden/here", "NOTIFY_URLS, address 1: Apprise has no tgrm://; did you mean tgram://?"),
            (
                "tgram://hidden",
                "NOTIFY_URLS, address 1 (tgram://****): something is missing in it or wrong for tgram://.",
            ),
        ],
    )
    def test_an_address_that_apprise_refuses_is_named_without_its_secrets(self, tmp_path, url, sentence):
        with pytest.raises(ConfigError) as failure:
            targets(settings_of(tmp_path / "ledger.db", url))
        assert str(failure.value) == sentence

    def test_where_apprise_is_missing_it_says_how_to_install_it(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "apprise", None)
        with pytest.raises(ConfigError, match=r"pip install 'binance-trading-agent\[notify\]'"):
            targets(settings_of(tmp_path / "ledger.db", DEAD))
        assert targets(settings_of(tmp_path / "ledger.db")) == ()

    def test_addresses_come_from_a_file_and_are_shown_nowhere(self, tmp_path, capsys):
        file = tmp_path / "addresses"
        file.write_text("mailto://me:pw@example.org?to=a@b.org,c@d.org,\ntgram://token1234/chat\n")
        configuration = load(environment={"NOTIFY_URLS_FILE": str(file)}, folder=tmp_path)
        urls = configuration.settings.notify_urls
        assert [url.get_secret_value() for url in urls] == [
            "mailto://me:pw@example.org?to=a@b.org,c@d.org",
            "tgram://token1234/chat",
        ]
        rows = {name: value for name, value, _ in configuration.rows()}
        assert rows["NOTIFY_URLS"] == shown(urls) == "**********,**********"
        set_up_log(configuration)
        logging.getLogger("anything").warning("posting to tgram://token1234/chat")
        assert "token1234" not in capsys.readouterr().err


def test_a_long_message_is_cut_where_it_matters_least():
    notices = [Notice("fills", f"order {number}: {'x' * 90}") for number in range(80)]
    said = message([*notices, Notice("alarms", "Alarm, keys: refused.", is_bad=True)])
    assert said.startswith("Alarm, keys: refused.\norder 0")
    assert said.endswith(" more.")
    assert len(said) < 4_000


async def test_an_event_loop_is_not_held_up_while_an_address_is_slow(ledger):
    async with webhook() as hook, telling(ledger.path, hook.url):
        hook.gate.clear()
        await bought(ledger, 1)
        await until(lambda: hook.asked)
        begun = monotonic_seconds()
        await asyncio.wait_for(ledger.begin_run(run_record("run-b")), 5)
        assert monotonic_seconds() - begun < 3, "the address is given four seconds"
        hook.gate.set()
        await until(lambda: len(hook.bodies) == 2)
