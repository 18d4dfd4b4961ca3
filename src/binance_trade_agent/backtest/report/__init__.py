"""The report of a backtest (`report.py`), and its forms for terminal, programs, spreadsheets and browsers."""
