"""Prompts that people choose: each says which tools to ask, and what to tell of them."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from binance_trade_agent.mcp_server.offering import Shared

_HONESTLY = (
    "Say only what the tools say, with the age of each number, and say plainly what is not known. "
    "Change nothing and place no order."
)


def offer_prompts(server: MCPServer[Shared]) -> None:
    """Register all of them."""

    @server.prompt(title="Review my day", description="What the bot did today, what it brought, and what is open.")
    def review_my_day() -> str:
        return (
            "Review my trading day. Ask get_system_status, get_portfolio_summary, get_trade_history (since midnight "
            "UTC), get_current_positions, get_open_orders and get_performance_metrics. Tell me: what equity gained "
            "or lost today and why, each trade in a line with its profit after fees, what is held and whether it is "
            "protected, and what is wrong. Where a trade stands out, ask explain_decision for it. "
            f"{_HONESTLY}"
        )

    @server.prompt(title="Why no trades?", description="Why the bot has not traded since its last trade.")
    def why_no_trades(
        symbol: Annotated[str, Field(description="of one symbol; of all without it", max_length=30)] = "",
    ) -> str:
        about = f" on {symbol.upper()}" if symbol.isalnum() else ""
        return (
            f"Why has the bot not traded{about}? Ask get_system_status (since_last_trade, missing, limited, alarms), "
            "get_risk_status (stopped_by) and, for each symbol in question, explain_decision and "
            "generate_trading_signal. Name the most frequent reason with its count and numbers, then what would have "
            "to be different for an entry: a signal, a limit, or something that is wrong. "
            f"{_HONESTLY}"
        )

    @server.prompt(title="Tune my risk", description="Which limits bind, and what changing them would mean.")
    def tune_my_risk() -> str:
        return (
            "Help me tune my risk limits. Ask get_risk_status, get_performance_metrics, get_trade_history and "
            "get_current_positions, and read the resource trade-agent://configuration. Tell me which limits were near "
            "or passed, which are off, how deep the drawdown was against RISK_MAX_DRAWDOWN_PCT, and how large "
            "positions are against equity. Propose at most three changes, each with the setting, its value now, "
            "yours, and what it would have meant for the trades so far; where it helps, test the strategy with "
            f"run_backtest. Propose no change that only makes past numbers better. {_HONESTLY}"
        )
