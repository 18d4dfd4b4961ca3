"""The report of a backtest: `Report.of(result)`, and its forms for terminal, programs, spreadsheets and browsers."""

from binance_trade_agent.backtest.report.files import to_json, write_csv
from binance_trade_agent.backtest.report.page import write_html
from binance_trade_agent.backtest.report.report import Report
from binance_trade_agent.backtest.report.text import to_text

__all__ = ["Report", "to_json", "to_text", "write_csv", "write_html"]
