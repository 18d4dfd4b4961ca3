"""The analysis for programs: one JSON document, or the trades as CSV. Amounts are strings, exact."""

import csv
import io
import json

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.reports.analysis import Analysis
from binance_trade_agent.reports.wording import utc_text

_CSV_COLUMNS = (
    "time_utc",
    "traded_ms",
    "client_order_id",
    "symbol",
    "side",
    "price",
    "quantity_base",
    "value_quote",
    "quote_asset",
    "fees",
    "realised_pnl_quote",
    "fills",
)


def as_json(analysis: Analysis) -> str:
    """One JSON document with the fields of Analysis."""
    return json.dumps(as_dict(analysis), default=plain, indent=2)


def as_csv(analysis: Analysis) -> str:
    """A line for each trade, with a header; several fees stand in one cell as `0.001 BTC + 0.2 USDT`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for trade in analysis.trades:
        fees = " + ".join(f"{plain(fee)} {asset}" for asset, fee in trade.fees.items())
        realised = "" if trade.realised_pnl_quote is None else plain(trade.realised_pnl_quote)
        amounts = {name: plain(getattr(trade, name)) for name in ("price", "quantity_base", "value_quote")}
        values = {"time_utc": utc_text(trade.traded_ms), "fees": fees, "realised_pnl_quote": realised}
        writer.writerow({**as_dict(trade), **amounts, **values})
    return text.getvalue()
