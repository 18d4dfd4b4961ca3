import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.reports.analysis import analyze
from binance_trade_agent.reports.analysis_files import as_csv, as_json
from binance_trade_agent.reports.analysis_text import print_analysis
from tests.reports.trading_day import write_trading_day


@pytest.fixture
async def reader(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await write_trading_day(path)
    with LedgerReader.open(path) as opened:
        yield opened


def printed(analysis, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_analysis(analysis, console)
    return console.file.getvalue()


def test_the_whole_day_adds_up(reader):
    analysis = analyze(reader)
    assert [trade.client_order_id for trade in analysis.trades] == [
        "bta-BTCUSDT-1",
        "bta-BTCUSDT-2",
        "bta-BTCUSDT-3",
        "bta-ETHUSDT-1",
    ]
    (profit,) = analysis.profit
    assert profit.realised_pnl_quote == Decimal("2.814062")
    assert profit.unrealised_pnl_quote == Decimal("10.05")
    assert analysis.wallet == {
        "BNB": Decimal("0.4998"),
        "BTC": Decimal(1),
        "ETH": Decimal("0.1"),
        "USDT": Decimal("9802.814062"),
    }
    assert analysis.equity.change_quote == Decimal("3.25")


def test_the_limit_shortens_the_list_and_not_the_summary(reader):
    analysis = analyze(reader, limit=1)
    assert [trade.symbol for trade in analysis.trades] == ["ETHUSDT"]
    assert (analysis.trade_count, analysis.summary_in_all[0].buys) == (4, 3)
    assert analyze(reader, limit=0).trades == []
    assert len(analyze(reader, limit=None).trades) == 4


def test_a_symbol_narrows_everything_but_the_wallet(reader):
    analysis = analyze(reader, symbol="ETHUSDT")
    assert {trade.symbol for trade in analysis.trades} == {"ETHUSDT"}
    assert [holding.symbol for holding in analysis.positions] == ["ETHUSDT"]
    assert analysis.profit[0].realised_pnl_quote == 0


def test_since_keeps_the_profit_of_a_sale_whose_buys_are_older(reader):
    analysis = analyze(reader, symbol="BTCUSDT", since_ms=180_000)
    (sale,) = analysis.trades
    assert sale.realised_pnl_quote == Decimal("2.814062")


def test_a_symbol_that_no_run_traded_is_refused_with_the_nearest(reader):
    with pytest.raises(ValueError, match="no symbol 'BTCUSD', only BTCUSDT, ETHUSDT; did you mean BTCUSDT"):
        analyze(reader, symbol="BTCUSD")


def test_the_text_fits_eighty_columns(reader):
    text = printed(analyze(reader))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "01-01 00:03:00  BTCUSDT  SELL  0.001999  62,000.00  0.123938 USDT  +2.81" in text
    assert "P&L, USDT: realised +2.81, unrealised +10.05, total +12.86" in text
    assert "Wallet: 0.4998 BNB, 1 BTC, 0.1 ETH, 9,802.814062 USDT" in text


async def test_an_empty_ledger_is_shown_as_empty(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await (await Ledger.open(path)).close()
    with LedgerReader.open(path) as reader:
        text = printed(analyze(reader))
    assert "Trades, times UTC: none" in text
    assert "Wallet: none" in text


def test_json_is_one_document_with_exact_amounts_as_strings(reader):
    document = json.loads(as_json(analyze(reader, limit=1)))
    assert document["wallet"]["USDT"] == "9802.814062"
    assert document["trades"][0]["price"] == "2000"
    assert document["profit"][0]["total_pnl_quote"] == "12.864062"


def test_csv_has_a_line_for_each_trade(reader):
    rows = list(csv.DictReader(io.StringIO(as_csv(analyze(reader, limit=None)))))
    assert [row["side"] for row in rows] == ["BUY", "BUY", "SELL", "BUY"]
    assert rows[2]["fees"] == "0.123938 USDT"
    assert rows[2]["realised_pnl_quote"] == "2.814062"
    assert rows[3]["fills"] == "2"


async def test_an_earlier_epoch_is_listed_and_does_not_count(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await write_trading_day(path)
    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(900_000, "testnet reset", {"USDT": Decimal(5)})
    with LedgerReader.open(path) as reader:
        analysis = analyze(reader)
    assert (analysis.trade_count, analysis.wallet, analysis.profit) == (0, {"USDT": Decimal(5)}, [])
    assert "epoch 1: 1970-01-01 00:00:00 to 1970-01-01 00:15:00, new market" in printed(analysis)


@pytest.mark.parametrize(
    ("tick_ms", "says"),
    [
        (
            270_000,
            "P&L, USDT: realised +2.50, unrealised +9.50, total +12.00\n  at the prices of 1970-01-01 00:04:30 UTC",
        ),
        (
            239_999,
            "P&L, USDT: realised +2.81, unrealised +10.05, total +12.86\n  at the prices of 1970-01-01 00:04:00 UTC",
        ),
    ],
    ids=["the point is the latest that is known", "bids are newer"],
)
async def test_profit_and_equity_are_of_one_moment(tmp_path, tick_ms, says):
    path = tmp_path / "ledger.sqlite3"
    await write_trading_day(path)
    async with await Ledger.open(path) as ledger:
        worth = (Decimal(10012), Decimal(9000), Decimal(1012), Decimal("2.5"), Decimal("9.5"))
        await ledger.record_equity(EquityPoint("run-a", tick_ms, 5, *worth, quote_asset="USDT"))
    with LedgerReader.open(path) as reader:
        assert says in printed(analyze(reader))
        assert "  at the prices of 1970-01-01 00:04:00 UTC" in printed(analyze(reader, symbol="ETHUSDT"))


def test_in_a_pipe_no_line_is_broken(reader, capsys):
    path = reader.path.with_name("a-folder-of-a-long-name") / reader.path.name
    print_analysis(replace(analyze(reader), ledger=str(path)))
    assert f"Ledger {path}, 1 run in the current epoch" in capsys.readouterr().out.splitlines()
