"""Notifications as they are delivered: to a real webhook and a real mail server, also a dead and a slow one."""

import asyncio
import logging
import sys

import pytest

from binance_trade_agent import daemon as daemon_module
from binance_trade_agent.cli.shared import set_up_log
from binance_trade_agent.configuration import ConfigError, load
from binance_trade_agent.notifications import notifier
from binance_trade_agent.notifications.command import notify
from binance_trade_agent.notifications.news import Notice
from binance_trade_agent.notifications.notifier import cursor_folder, message, notifying
from binance_trade_agent.notifications.targets import targets
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.settings import shown
from tests.exchange_process import running_exchange
from tests.ledger.bookkeeping import run_record, trading_ledger
from tests.notifications.receivers import mail_server, until, webhook
from tests.notifications.test_news import bought

DEAD = "json://127.0.0.1:9/hook"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(notifier, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(notifier.Courier.__init__, "__defaults__", ((), 0.02))


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
        await asyncio.wait_for(ledger.begin_run(run_record("run-b")), 1)
        assert monotonic_seconds() - begun < 0.5
        hook.gate.set()
        await until(lambda: len(hook.bodies) == 2)
