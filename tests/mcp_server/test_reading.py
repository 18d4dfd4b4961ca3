"""Every tool that reads, by the official client over HTTP, on the ledger of a trader that has ended."""

import shutil
from decimal import Decimal

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.mcp_server.fields import at_utc
from binance_trade_agent.mcp_server.tools.work import not_asked
from tests.mcp_server.served import GENERATIONS, served_mcp
from tests.mcp_server.stack import refused, said

READING = {
    "get_market_price", "get_order_book", "get_candles", "update_market_prices", "generate_trading_signal",
    "validate_trade_risk", "get_portfolio_summary", "get_trade_history", "get_current_positions", "get_open_orders",
    "get_system_status", "get_performance_metrics", "get_risk_status", "explain_decision", "list_strategies", "get_logs",
    "compare_strategies", "run_backtest",
}  # fmt: skip
BACKTEST = {"strategy": "rsi_momentum", "symbols": ["BTCUSDT"], "interval": "1m"}


@pytest.fixture(scope="module")
def played(played_folder, history, tmp_path_factory):
    """A server on a ledger whose trader has ended."""
    folder = tmp_path_factory.mktemp("assistants") / "copy"
    shutil.copytree(played_folder, folder)
    with served_mcp(folder, HISTORY_PATH=str(history)) as running:
        yield running


@pytest.fixture(scope="module")
def ledger(played):
    with LedgerReader.open(played.configuration.settings.ledger_path) as reader:
        yield reader


class TestWhatIsOffered:
    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_each_tool_says_what_it_takes_and_gives(self, played, generation):
        async with played.client(mode=generation) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == READING
        for tool in tools.values():
            assert tool.title
            assert tool.description
            assert (tool.annotations.read_only_hint, tool.annotations.idempotent_hint) == (True, True)
            assert tool.output_schema["type"] == "object"
            assert "call" not in tool.input_schema["properties"]

    async def test_an_unknown_tool_is_refused_with_the_nearest(self, played):
        assert (
            await refused(played, "get_portfolio")
            == "There is no tool 'get_portfolio'; did you mean get_portfolio_summary?"
        )

    async def test_what_is_not_allowed_is_said_in_sentences(self, played):
        text = await refused(played, "get_candles", symbol="BTCUSDT", limit=0, interval="7m")
        first, second = text.split(". ")
        assert first.startswith("interval: input should be '1s', '1m'")
        assert second == "limit: input should be greater than or equal to 1."


class TestAccount:
    async def test_the_portfolio_is_the_last_point_of_the_curve(self, played, ledger):
        found = await said(played, "get_portfolio_summary")
        run = ledger.snapshot(queries.runs)[-1]
        last = ledger.snapshot(lambda connection: queries.equity(connection, run.run_id))[-1]
        assert Decimal(found["equity_quote"]) == last.cash_quote + last.positions_quote
        assert Decimal(found["realised_pnl_quote"]) == last.realised_pnl_quote
        assert found["quote_asset"] == "USDT"
        assert found["is_trader_running"] is False

    async def test_pages_of_trades_hold_each_filled_order_once(self, played, ledger):
        ids, before = [], None
        while True:
            page = await said(played, "get_trade_history", limit=7, **({"before": before} if before else {}))
            ids += [trade["client_order_id"] for trade in page["trades"]]
            before = page["older"]
            if before is None:
                break
        fills = ledger.snapshot(queries.fills)
        assert len(ids) == len(set(ids)) > 7
        assert set(ids) == {fill.client_order_id for fill in fills}

    async def test_trades_are_narrowed_down(self, played):
        page = await said(played, "get_trade_history", symbol="ethusdt", side="SELL", limit=100)
        assert {(trade["symbol"], trade["side"]) for trade in page["trades"]} == {("ETHUSDT", "SELL")}
        assert all(trade["realised_pnl_quote"] is not None for trade in page["trades"])
        assert (await said(played, "get_trade_history", until="2020-01-01"))["trades"] == []
        assert await refused(played, "get_trade_history", symbol="BTCUSD") == (
            "BTCUSD was never traded here; did you mean BTCUSDT?"
        )
        assert (await refused(played, "get_trade_history", since="noon")).startswith(
            "since: 'noon' is not a date; write"
        )
        assert (await refused(played, "get_trade_history", before="x")).startswith("before: 'x' is not a place")

    async def test_positions_tell_what_protects_them(self, played, ledger):
        found = await said(played, "get_current_positions")
        epoch = ledger.snapshot(queries.epoch_number)
        held = ledger.snapshot(lambda connection: queries.positions(connection, epoch))
        amounts = {one["symbol"]: Decimal(one["quantity_base"]) for one in found["positions"]}
        assert amounts == {symbol: one.quantity for symbol, one in held.items() if one.quantity}
        for one in found["positions"]:
            stops = [order for order in one["orders"] if order["role"] == "STOP_LOSS" and order["stands"]]
            assert Decimal(one["protected_base"]) == sum(Decimal(order["left_base"]) for order in stops)

    async def test_open_orders_are_those_that_are_not_settled(self, played, ledger):
        epoch = ledger.snapshot(queries.epoch_number)
        unsettled = ledger.snapshot(lambda connection: queries.unsettled_orders(connection, epoch))
        found = (await said(played, "get_open_orders"))["orders"]
        assert [one["client_order_id"] for one in found] == [entry.order.client_order_id for entry in unsettled]

    async def test_performance_adds_up(self, played):
        found = await said(played, "get_performance_metrics")
        (all_of_it,) = found["in_all"]
        assert found["is_whole"] is True
        for name in ("buys", "sells", "won", "lost"):
            assert all_of_it[name] == sum(one[name] for one in found["by_symbol"])
        realised = [Decimal(one["realised_pnl_quote"]) for one in found["by_symbol"]]
        assert Decimal(all_of_it["realised_pnl_quote"]) == sum(realised)
        assert found["sharpe"] is None, "of less than 30 days it says nothing"


class TestDecisions:
    async def test_the_signal_is_that_of_the_last_decision(self, played, ledger):
        run = ledger.snapshot(queries.runs)[-1]
        last = ledger.snapshot(lambda connection: queries.decisions(connection, run.run_id, symbol="BTCUSDT", limit=1))[
            0
        ]
        found = await said(played, "generate_trading_signal", symbol="btcusdt")
        assert found["decided_utc"] == at_utc(last.tick_ms)
        assert found["outcome"] == last.outcome.value
        assert (found["action"], found["reason"]) == (
            (last.signal.action.value, str(last.signal.reason)) if last.signal else (None, None)
        )
        assert found["age_seconds"] is None, "no trader runs, so nobody knows the market's time"

    async def test_a_decision_is_explained_from_the_signal_to_the_fills(self, played):
        trade = (await said(played, "get_trade_history", side="BUY", limit=1))["trades"][0]
        found = await said(played, "explain_decision", symbol=trade["symbol"], order=trade["client_order_id"])
        assert found["client_order_id"] == trade["client_order_id"]
        assert (found["action"], found["outcome"]) == ("BUY", "EXECUTED")
        assert len(found["findings"]) > 20
        assert all(finding["allows"] for finding in found["findings"])
        assert any("FILLED" in line for line in found["data"])

    async def test_what_cannot_be_explained_is_said(self, played):
        assert (await refused(played, "explain_decision", symbol="BTCUSD")).endswith("did you mean BTCUSDT?")
        text = await refused(played, "explain_decision", symbol="BTCUSDT", at="25:00")
        assert text == "'25:00' is not a time of day; it goes from 00:00 to 23:59:59."
        both = await refused(played, "explain_decision", symbol="BTCUSDT", at="00:10", order="x")
        assert both == "at and order each ask for something else: give one of them."

    async def test_strategies_with_the_one_in_use(self, played):
        found = await said(played, "list_strategies")
        assert (found["in_use"], found["in_use_parameters"]["rsi_period"]) == ("rsi_momentum", "2")
        described = {one["name"]: one for one in found["strategies"]}
        (period,) = [one for one in described["rsi_momentum"]["parameters"] if one["name"] == "rsi_period"]
        assert (period["default"], period["minimum"], period["maximum"]) == (14, 2, 70)

    async def test_limits_name_their_settings(self, played):
        found = await said(played, "get_risk_status", symbol="ETHUSDT")
        names = {limit["name"]: limit for limit in found["account"]}
        assert names["drawdown"]["setting"] == "RISK_MAX_DRAWDOWN_PCT"
        assert [one["symbol"] for one in found["symbols"]] == ["ETHUSDT"]
        assert (await refused(played, "get_risk_status", symbol="ETHUSD")).endswith("did you mean ETHUSDT?")


class TestSystem:
    async def test_a_trader_that_has_ended_is_not_ready_and_says_why(self, played):
        found = await said(played, "get_system_status")
        assert found["state"] == "stopped"
        assert found["missing"] == ["The trader was stopped on purpose; nothing is traded."]
        assert found["is_emergency_stopped"] is False
        assert found["since_last_trade"]["last_trade_utc"] is not None

    async def test_without_a_ledger_each_tool_says_so(self, serve_mcp):
        async with serve_mcp(played=False).client() as client:
            status = await said(client, "get_system_status")
            assert (status["state"], status["is_emergency_stopped"]) == ("never ran", None)
            for tool in (
                "get_portfolio_summary",
                "get_current_positions",
                "get_performance_metrics",
                "get_risk_status",
            ):
                assert (await refused(client, tool)).startswith("There is no ledger at")

    async def test_text_of_the_log_comes_as_data(self, played):
        found = await said(played, "get_logs", text="TRADE EXECUTED", limit=2)
        assert found["notice"].startswith("What stands in data was written by other programs or people")
        assert all("TRADE EXECUTED" in line["text"] for line in found["data"])
        older = await said(played, "get_logs", text="TRADE EXECUTED", limit=2, before=found["older"])
        assert not [line for line in older["data"] if line in found["data"]]
        assert (await refused(played, "get_logs", before="yesterday")).startswith("before: ")

    async def test_nobody_reads_prices_without_a_trader(self, played):
        assert await refused(played, "update_market_prices") == "No trader runs, so nobody can read prices."
        assert (await refused(played, "get_market_price", symbol="BTCUSDT")) == (
            "The trader has told nothing of the market of BTCUSDT, and no trader runs now."
        )
        assert (await refused(played, "get_order_book", symbol="BTCUSD")) == (
            "The trader has told nothing of the market of BTCUSD, and no trader runs now; traded here are BTCUSDT, ETHUSDT, "
            "did you mean BTCUSDT?"
        )
        found = await said(played, "validate_trade_risk", symbol="BTCUSDT", side="BUY", amount="50")
        assert found["is_allowed"] is False
        asked = {"symbol": "BTCUSDT", "side": "BUY"}
        assert await said(played, "validate_trade_risk", **asked, quote_amount="50") == found
        for wrong in ({}, {"quantity": 1, "quote_amount": 1}, {"quantity": 1, "amount": 1}):
            why = await refused(played, "validate_trade_risk", **asked, **wrong)
            assert why.startswith("Say how much by one of quantity, quote_amount and percent_of_free")
        assert found["blockers"][0] == "no trader runs: it would carry the order out"


class TestDocuments:
    async def test_the_configuration_masks_secrets(self, serve_mcp):
        secret = "canary-of-the-dashboard"
        async with serve_mcp(DASHBOARD_PASSWORD=secret, MCP_AUTH_TOKEN="canary-of-the-assistants").client() as client:
            text = (await client.read_resource("trade-agent://configuration")).contents[0].text
        assert "| MCP_PORT | 8080 | default |" in text
        assert secret not in text
        assert "canary-of-the-assistants" not in text

    async def test_the_session_the_survival_table_and_strategies(self, played):
        async with played.client() as client:
            documents = [str(each.uri) for each in (await client.list_resources()).resources]
            texts = {uri: (await client.read_resource(uri)).contents[0].text for uri in documents}
            page = (await client.read_resource("trade-agent://strategies/rsi_momentum")).contents[0].text
        assert texts["trade-agent://session"].startswith("Session ")
        assert texts["trade-agent://survival"].startswith("# What the daemon survives")
        assert "- rsi_momentum: " in texts["trade-agent://strategies"]
        assert "| rsi_period | 14 | 2 to 70 |" in page

    async def test_prompts_name_tools_that_there_are(self, played):
        async with played.client() as client:
            names = {prompt.name for prompt in (await client.list_prompts()).prompts}
            texts = [(await client.get_prompt(name, {})).messages[0].content.text for name in names]
        assert names == {"review_my_day", "why_no_trades", "tune_my_risk"}
        for text in texts:
            asked = {word.strip(".,():") for word in text.split() if "_" in word}
            assert READING & asked
            assert {word for word in asked if word.startswith(("get_", "explain_", "run_", "generate_"))} <= READING


class TestWork:
    async def test_a_backtest_asks_larger_candles_where_the_settings_say_so(
        self, played, serve_mcp, history, monkeypatch
    ):
        found = await said(played, "run_backtest", **BACKTEST, parameters={"rsi_period": "5"})
        assert found["confirm_interval"] is None
        assert found["opening_quote"] == "10000" != found["final_quote"]
        monkeypatch.setenv("TRADING_CONFIRM_INTERVAL", "1d")  # of ten hours there is no whole day, so nothing is bought
        server = serve_mcp(played=False, HISTORY_PATH=str(history), TRADING_CONFIRM_INTERVAL="1d")
        async with server.client() as client:
            found = await said(client, "run_backtest", **BACKTEST, parameters={"rsi_period": 5})
        assert found["confirm_interval"] == "1d"
        assert (found["round_trips"], found["opening_quote"]) == (0, found["final_quote"])

    def test_a_comparison_says_that_it_does_not(self):
        assert not_asked("1h") == (
            "TRADING_CONFIRM_INTERVAL is 1h: the bot buys only where 1h candles say BUY too, which is no part of this "
            "comparison."
        )

    async def test_what_cannot_be_tested_is_refused(self, played):
        asked = {**BACKTEST, "interval": "5m"}
        assert await refused(played, "run_backtest", **asked) == ("There are no 5m candles of BTCUSDT; there are: 1m.")
