"""A daemon that trades: what it serves is what its ledger says, promtool finds nothing to say, Prometheus scrapes it."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from decimal import Decimal
from unittest.mock import patch

import pytest

from binance_trade_agent import daemon, exit_codes
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.metrics import serving
from binance_trade_agent.ops.metrics.answers import Answers
from binance_trade_agent.ops.metrics.catalogue import METRICS, Kind
from binance_trade_agent.ops.tasks import stop
from tests.exchange_process import running_exchange
from tests.free_ports import free_port
from tests.ops.metrics.promtool import CONFIG, needs_prometheus, promtool
from tests.ops.metrics.reading import read, scraped
from tests.test_daemon import EAGER, configured

TRADED = {"BTCUSDT", "ETHUSDT"}


class LastWords(Answers):
    """Keeps what it would answer when all is over."""

    told = ""

    def close(self) -> None:
        with patch.object(self, "_clock", lambda: float("inf")):
            type(self).told = self.answer().decode()
        super().close()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A session of twenty ticks: the ledger that it left, and its metrics at the end."""
    folder = tmp_path_factory.mktemp("metrics")

    async def play() -> None:
        async with running_exchange(speed=None) as exchange:
            with patch.object(serving, "Answers", LastWords):
                settings = configured(
                    folder, exchange, **EAGER, METRICS_PORT=str(free_port()), TRADING_DURATION_MINUTES="20"
                )
                assert await daemon._run(settings) == exit_codes.OK

    asyncio.run(play())
    with LedgerReader.open(folder / "ledger.db") as reader:
        yield reader, LastWords.told


def rows(reader, statement):
    return reader.snapshot(lambda connection: [tuple(row) for row in connection.execute(statement)])


class TestCountersAreTheLedger:
    def test_decisions_and_refusals(self, played):
        reader, text = played
        told = read(text)
        assert told["trade_agent_decisions_total"] == dict(
            Counter(rows(reader, "SELECT symbol, outcome FROM decisions"))
        )
        refused = Counter(rows(reader, "SELECT rule FROM decisions WHERE rule IS NOT NULL"))
        assert told.get("trade_agent_refusals_total", {}) == dict(refused)
        assert told["trade_agent_ticks_total"] == told["trade_agent_tick_duration_seconds_count"] == {(): 20}

    def test_orders_by_each_state_that_they_came_to(self, played):
        reader, text = played
        states = rows(
            reader,
            "SELECT DISTINCT side, role, order_events.state, client_order_id"
            " FROM order_events JOIN orders USING (client_order_id)",
        )
        assert len(states) > 20
        assert read(text)["trade_agent_order_states_total"] == dict(Counter(row[:3] for row in states))

    def test_fills_volume_and_fees(self, played):
        reader, text = played
        fills, told = reader.snapshot(queries.fills), read(text)
        assert len(fills) > 5
        assert told["trade_agent_fills_total"] == dict(Counter((fill.symbol, fill.side.value) for fill in fills))
        volume, fees = Counter(), Counter()
        for fill in fills:
            volume[fill.symbol, "USDT"] += fill.quote_quantity
            fees[fill.commission_asset,] += fill.commission
        assert told["trade_agent_traded_quote_total"] == {key: float(amount) for key, amount in volume.items()}
        assert told["trade_agent_fees_total"] == {key: float(amount) for key, amount in fees.items()}


class TestGaugesAreTheLedger:
    def test_money(self, played):
        reader, text = played
        told = read(text)
        (cash, positions, realised, peak, external) = rows(
            reader,
            "SELECT cash_quote, positions_quote, realised_pnl_quote, peak_quote, external_quote FROM equity"
            " ORDER BY tick_ms DESC, cycle DESC LIMIT 1",
        )[0]
        equity = Decimal(cash) + Decimal(positions)
        assert told["trade_agent_equity_quote"] == {("USDT",): float(equity)}
        assert told["trade_agent_realised_pnl_quote"] == {("USDT",): float(realised)}
        assert told["trade_agent_exposure_ratio"] == {(): pytest.approx(float(Decimal(positions) / equity))}
        drawdown = 1 - (equity - Decimal(external)) / Decimal(peak)
        assert told["trade_agent_drawdown_ratio"] == {(): pytest.approx(float(drawdown))}
        held = dict(rows(reader, "SELECT symbol, quantity FROM positions"))
        assert told["trade_agent_position_base"] == {
            (symbol, symbol.removesuffix("USDT")): float(held.get(symbol, 0)) for symbol in TRADED
        }

    def test_orders_switches_and_alarms(self, played):
        reader, text = played
        told = read(text)
        unsettled = Counter(rows(reader, "SELECT symbol, state FROM orders WHERE settled = 0"))
        assert told.get("trade_agent_open_orders", {}) == dict(unsettled)
        assert told["trade_agent_unknown_orders"] == {(): 0}
        assert told["trade_agent_killed"] == {(): 0}
        assert set(told["trade_agent_alarms"].values()) == {0}
        assert told["trade_agent_reconciliation_differences"] == {(): 0}


class TestForm:
    def test_every_label_is_bounded(self, played):
        _, text = played
        known = {
            "symbol": TRADED | {"other"},
            "side": {"BUY", "SELL"},
            "state": {state.value for state in OrderState},
            "asset": {"USDT", "BTC", "ETH", "BNB"},
            "result": {"hit", "miss"},
            "outcome": None,
        }
        for name, values in read(text).items():
            metric = METRICS.get(name)
            for label, place in zip(metric.labels if metric else (), range(9), strict=False):
                if allowed := known.get(label):
                    assert {value[place] for value in values} <= allowed, name
        assert text.count("\n") < 1500

    def test_everything_of_the_catalogue_is_there_that_this_session_knows(self, played):
        _, text = played
        told = read(text)
        missing = {
            name
            for name, metric in METRICS.items()
            if (f"{name}_count" if metric.kind is Kind.HISTOGRAM else name) not in told
        }
        # No Redis; the log of a test is kept in no file; nothing need be open at the end, nor counted by the exchange of
        # orders in a day that has just begun.
        assert missing <= {
            "trade_agent_redis_away",
            "trade_agent_log_lines_lost_total",
            "trade_agent_open_orders",
            "trade_agent_orders_used",
            "trade_agent_refusals_total",
        }

    @needs_prometheus
    def test_promtool_finds_nothing_to_say_about_them(self, played):
        _, text = played
        assert promtool("check", "metrics", given=text.encode()) == ""


@asynccontextmanager
async def trading(folder, **settings: str):
    """A daemon of this process that trades, a tick a second, until the block ends."""
    async with running_exchange(speed=Decimal(60)) as exchange:
        wanted = configured(folder, exchange, **{"SIMULATION_SPEED": "60", "TRADING_DURATION_MINUTES": "0", **settings})
        running = asyncio.ensure_future(daemon._run(wanted))
        try:
            yield running
        finally:
            await stop(running)


async def until(asked, seconds: float = 30.0):
    """What `asked` says, once it says something."""
    deadline = monotonic_seconds() + seconds
    while True:
        if (found := await asyncio.to_thread(asked)) is not None:
            return found
        assert monotonic_seconds() < deadline, "it takes too long"
        await sleep_seconds(0.05)


def ticks_at(port: int):
    def asked():
        try:
            told = read(scraped(port)[1])
        except OSError:
            return None
        ticks = told.get("trade_agent_ticks_total", {}).get((), 0)
        return told if ticks >= 2 and "trade_agent_heartbeat_timestamp_seconds" in told else None

    return asked


@needs_prometheus
async def test_a_real_prometheus_scrapes_a_running_daemon_and_its_rules_say_that_all_is_well(tmp_path):
    port, web = free_port(), free_port()
    (tmp_path / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n"
        f"rule_files: [{CONFIG / 'rules.yml'}]\n"
        f"scrape_configs: [{{job_name: trade-agent, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    async with trading(tmp_path, METRICS_PORT=str(port)) as running:
        told = await until(ticks_at(port))
        assert told["trade_agent_run_info"] == {("simulated", "default"): 1}
        prometheus = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{web}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            query = "/api/v1/query?query=trade_agent_decisions_total"

            def found(path):
                def asked():
                    try:
                        answer = json.loads(scraped(web, path)[1])
                    except (OSError, ValueError):
                        return None
                    return answer["data"].get("result") or answer["data"].get("groups")

                return asked

            decisions = await until(found(query))
            assert {each["metric"]["symbol"] for each in decisions} == TRADED
            (up,) = await until(found("/api/v1/query?query=up"))
            assert up["value"][1] == "1"

            def evaluated():
                groups = found("/api/v1/rules")() or []
                rules = [rule for group in groups for rule in group["rules"]]
                return rules if rules and all(rule["health"] == "ok" for rule in rules) else None

            assert all(rule["state"] == "inactive" for rule in await until(evaluated))
        finally:
            prometheus.kill()
            await prometheus.wait()
        assert not running.done()
