import json

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.ledger.export import dump
from binance_trade_agent.ledger.ledger import Ledger
from tests.ledger.bookkeeping import BTCUSDT, OPENING, decision, fill, intent, report, run_record


async def session(path, run_id, wall_ms, quantity="0.001"):
    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(500, "new market", OPENING)
        machine = {"started_wall_ms": wall_ms, "pid": wall_ms, "exchange": f"port {wall_ms}", "settings_json": run_id}
        await ledger.begin_run(run_record(run_id, **machine))
        ordered = decision(outcome=Outcome.ORDERED, run_id=run_id, client_order_id="bta-BTCUSDT-1")
        await ledger.commit_intent(ordered, intent(), 1_000)
        await ledger.apply_report(report("FILLED", quantity, fill(1)), **BTCUSDT)
        await ledger.record_decisions([decision(2_000, run_id=run_id)])
        await ledger.end_run(run_id, 9_000, wall_ms + 5, "duration is over")
    return list(dump(path))


async def test_the_same_session_on_another_day_is_the_same_text(tmp_path):
    first = await session(tmp_path / "first.sqlite3", "run-zz", 1)
    assert await session(tmp_path / "second.sqlite3", "run-aa", 2) == first


async def test_another_fill_is_another_text(tmp_path):
    first = await session(tmp_path / "first.sqlite3", "run-a", 1)
    assert await session(tmp_path / "second.sqlite3", "run-a", 1, "0.002") != first


async def test_each_table_has_a_line_with_its_columns_and_a_line_for_each_row(tmp_path):
    lines = await session(tmp_path / "ledger.sqlite3", "run-a", 1)
    decisions = [json.loads(line.removeprefix("decisions ")) for line in lines if line.startswith("decisions ")]
    assert decisions[0][:3] == ["run_id", "tick_ms", "symbol"]
    assert [row[:3] for row in decisions[1:]] == [[1, 1_000, "BTCUSDT"], [1, 2_000, "BTCUSDT"]]
