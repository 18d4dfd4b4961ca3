"""S30: keys that are wrong, may not trade, or are revoked while it runs. One clear line, never a storm of requests."""

import signal
from decimal import Decimal

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.exchange_process import RunningExchange, running_exchange
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, assert_equal_to_exchange, daemon, ids_sent

# A tick a second of ten seconds of market time, in which keys are tried again once a minute.
ENDLESS = {**EAGER, "TRADING_DURATION_MINUTES": "0", "TRADING_INTERVAL_SECONDS": "10"}
SPEED = Decimal(10)
WATCHED_SECONDS = 14
CANNOT_TRADE = {"canTrade": False, "balances": [], "permissions": ["SPOT"], "uid": 1}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def signed_requests(exchange: RunningExchange) -> int:
    return sum("signature=" in f"{entry['target']}{entry['body']}" for entry in await exchange.log())


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, "Invalid API-key"),
        (401, {"code": -2014, "msg": "API-key format invalid."}, "API-key format invalid"),
        (400, {"code": -1022, "msg": "Signature for this request is not valid."}, "Signature for this request"),
        (200, CANNOT_TRADE, "these API keys may not trade: enable spot trading for them"),
    ],
)
async def test_s30_wrong_keys_end_the_start_with_one_line(tmp_path, status, body, sentence):
    async with running_exchange(speed=SPEED) as exchange:
        await exchange.fault("http", method="GET", path="account", status=status, body=body, count=None)
        async with daemon(tmp_path, **ENDLESS, EXCHANGE_URL=exchange.url) as running:
            assert await running.ended() == 2
            (line,) = running.log
            assert line.startswith("❌")
            assert sentence in line
            assert "check at the exchange that the key exists" in line
            assert "BINANCE_API_SECRET" in line
        assert await signed_requests(exchange) <= 2
        assert await ids_sent(exchange) == []
    assert (await trade_agent(tmp_path, "health")).code == 1


async def test_s30_key_that_is_gone_at_the_start_ends_it_with_one_line(tmp_path):
    async with running_exchange(speed=SPEED) as exchange:
        await exchange.fault("revoke_key")
        async with daemon(tmp_path, **ENDLESS, EXCHANGE_URL=exchange.url) as running:
            assert await running.ended() == 2
            (line,) = running.log
            assert "(-2015)" in line


async def test_s30_keys_revoked_while_it_runs_halt_entries_and_it_goes_on_when_they_work_again(tmp_path):
    async with (
        running_exchange(speed=SPEED) as exchange,
        daemon(tmp_path, **ENDLESS, EXCHANGE_URL=exchange.url) as running,
    ):
        await until_sent(exchange, 2)
        number = await exchange.fault("revoke_key")
        await running.until_logged("❌")
        sent, signed = await ids_sent(exchange), await signed_requests(exchange)
        await sleep_seconds(WATCHED_SECONDS)
        assert await ids_sent(exchange) == sent
        # Two or three probes in two minutes of market time, and the user stream's with growing back-off.
        assert await signed_requests(exchange) - signed <= 8
        assert sum(line.startswith("❌") for line in running.log) == 1
        assert running.process.returncode is None
        assert positions(tmp_path)
        assert "(-2015)" in (await trade_agent(tmp_path, "health")).out

        await exchange._request("DELETE", f"fault/{number}", None)
        await running.until_logged("the exchange takes the API keys again")
        await until_sent(exchange, len(sent) + 1)
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


async def until_sent(exchange: RunningExchange, number: int) -> None:
    deadline = monotonic_seconds() + 90
    while len(await ids_sent(exchange)) < number:
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.05)


def positions(folder) -> dict:
    with LedgerReader.open(folder / "ledger.db") as reader:
        found = reader.snapshot(lambda connection: queries.positions(connection, 1))
    return {symbol: position for symbol, position in found.items() if position.quantity > 0}
