"""The commands around a session: doctor, reconcile, stop, pause, resume, health."""

import pytest

from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET
from tests.exchange_process import running_exchange
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, daemon, session

pytestmark = pytest.mark.slow
SLOW = {"SIMULATION_SPEED": "60", "TRADING_DURATION_MINUTES": "0"}


async def test_doctor_before_the_first_run_finds_everything_well(tmp_path):
    ports = {"DASHBOARD_PORT": "0", "MCP_PORT": "0"}
    said = await trade_agent(tmp_path, "doctor", LEDGER_PATH=str(tmp_path / "not there yet" / "ledger.db"), **ports)
    assert said.code == 0, said
    verdicts = {line.split()[1]: line.split()[0] for line in said.out.splitlines() if line[:1].islower()}
    assert set(verdicts.values()) == {"ok"}, said.out
    assert {
        "python",
        "ledger",
        "disk",
        "redis",
        "folder",
        "settings",
        "notify",
        "exchange",
        "clock",
        "keys",
        "BTCUSDT",
        "ETHUSDT",
    } <= verdicts.keys()


@pytest.mark.parametrize(
    ("settings", "failed"),
    [
        ({"STRATEGY_NAME": "rsi_momentun"}, "failed   strategy"),
        ({"EXCHANGE_URL": "http://127.0.0.1:9", "EXCHANGE_STARTUP_SECONDS": "0"}, "failed   exchange"),
        ({"TRADING_ORDER_QUOTE": "1"}, "failed   symbols"),
    ],
)
async def test_doctor_names_what_failed_and_exits_with_1(tmp_path, there, settings, failed):
    said = await trade_agent(tmp_path, "doctor", **{**there, **settings})
    assert said.code == 1
    assert failed in said.out


async def test_doctor_warns_of_a_redis_that_does_not_answer_without_showing_its_password(tmp_path, there):
    said = await trade_agent(tmp_path, "doctor", **there, REDIS_URL="redis://:hidden@127.0.0.1:9/0")
    assert "warning  redis" in said.out
    assert "hidden" not in said.out + said.err


async def test_reconcile_after_a_session_finds_no_difference(tmp_path):
    await session(tmp_path, **EAGER)
    said = await trade_agent(tmp_path, "reconcile")
    assert (said.code, said.out) == (0, "0 differences\n")


async def test_reconcile_with_the_settings_of_another_market_says_so_instead_of_differences(tmp_path):
    await session(tmp_path, TRADING_DURATION_MINUTES="5")
    said = await trade_agent(tmp_path, "reconcile", SIMULATION_SEED="8")
    assert said.code == 2
    assert "another market" in said.err


async def test_reconcile_without_a_ledger_makes_none(tmp_path):
    said = await trade_agent(tmp_path, "reconcile")
    assert said.code == 1
    assert "no ledger" in said.err
    assert not list(tmp_path.iterdir())


async def test_reconcile_shows_what_a_person_traded_by_hand_to_the_last_digit(tmp_path):
    async with running_exchange(speed=None) as exchange:
        await session(tmp_path, **exchange.urls)
        client = await exchange.client(SIMULATED_KEY, SIMULATED_SECRET)
        bought = await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        paid = bought["cummulativeQuoteQty"].rstrip("0")
        said = await trade_agent(tmp_path, "reconcile", **exchange.urls)
    assert said.code == 1
    assert "0.00999 more there" in said.out
    assert f"-{paid} more there" in said.out
    assert "not ours" in said.out
    assert said.out.endswith("2 differences\n")


async def test_pause_and_limits_are_answered_and_stop_ends_the_run(tmp_path, there):
    async with daemon(tmp_path, **there, **SLOW) as running:
        await running.until_logged("Trading Cycle #1")
        assert (await trade_agent(tmp_path, "pause")).out == "Entries are paused.\n"
        assert (await trade_agent(tmp_path, "resume")).out == "Entries are allowed again.\n"
        changed = await trade_agent(tmp_path, "set-risk", "RISK_MAX_ORDER_QUOTE=200")
        assert changed.out == "From now on: RISK_MAX_ORDER_QUOTE 500 -> 200.\n"
        assert "RISK_MAX_ORDER_QUOTE=200, by cli" in (await trade_agent(tmp_path, "risk")).out
        assert (await trade_agent(tmp_path, "health")).code == 0
        assert (await trade_agent(tmp_path, "stop")).out == "Stopping.\n"
        assert await running.ended() == 0
    assert "ended: stop, asked by cli" in running.report
    said = await trade_agent(tmp_path, "stop")
    assert said.code == 1
    assert "No trader runs" in said.out


async def test_pause_without_a_trader_holds_for_the_next_one(tmp_path, there):
    await session(tmp_path, **there, TRADING_DURATION_MINUTES="1")
    assert (await trade_agent(tmp_path, "pause")).code == 0
    paused = await session(tmp_path, **there, **EAGER)
    assert "⛔ refused by pause" in paused.everything
    assert "TRADE EXECUTED" not in paused.everything
