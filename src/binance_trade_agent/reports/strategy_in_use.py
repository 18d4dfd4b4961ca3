"""Which strategy decided, with which parameters: by a change that the ledger has noted, else by the run's settings."""

import json
import sqlite3
from dataclasses import dataclass

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger import strategy_changes
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.reports.wording import utc_text
from binance_trade_agent.setting_types import strategy_params


@dataclass(frozen=True, slots=True)
class StrategyInUse:
    """The strategy of a decision.

    Attributes:
        params: those that were set, for the decision's symbol, values as text; the others had their defaults.
        origin: where they were set, in words.
    """

    name: str
    params: dict[str, str]
    origin: str


def strategy_in_use(connection: sqlite3.Connection, run: RunRecord, decision: Decision) -> StrategyInUse:
    """The strategy that was in use at a decision, whether it was asked or not."""
    change = strategy_changes.in_use_at(connection, run.run_id, decision.tick_ms)
    if change is not None and change.is_by_command:
        origin = f"by {change.requested_by} since {utc_text(change.at_ms)} UTC"
        return StrategyInUse(change.choice.name, change.choice.params_of(decision.symbol), origin)
    settings = json.loads(run.settings_json)
    written = settings.get("STRATEGY_PARAMS", "none")
    params = {} if written == "none" else strategy_params(written)
    name = settings.get("STRATEGY_NAME", run.strategy)
    return StrategyInUse(name, StrategyChoice(name, params).params_of(decision.symbol), "by the settings of the run")
