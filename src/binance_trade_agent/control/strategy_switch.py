"""Changing the strategy while the trader runs, and keeping to what was asked for over restarts."""

import logging

from binance_trade_agent.control.carriers import Carried, Moment, refused
from binance_trade_agent.control.commands import Command, CommandState
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.wording import clock_time, iso_second
from binance_trade_agent.ledger import strategy_changes
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.strategy_changes import BY_SETTINGS, StrategyChange
from binance_trade_agent.setting_types import strategy_params
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import StrategyError, parse_params

log = logging.getLogger(__name__)


def asked_choice(name: str, params: str) -> StrategyChoice:
    """A choice from the two texts of a command.

    Raises:
        StrategyError: `params` are not name=value pairs separated by commas.
    """
    return StrategyChoice(name.strip(), strategy_params(parse_params(params)))


class StrategySwitch:
    """Changes the strategies in use for all symbols at once, between two ticks, and leaves a row for each change.

    Args:
        strategies: in use as the settings say; `restore` puts back what was asked for in an earlier run.
    """

    def __init__(self, strategies: StrategiesInUse, ledger: Ledger) -> None:
        self._strategies = strategies
        self._ledger = ledger
        self._configured = strategies.choice
        self._requested_by = BY_SETTINGS

    async def restore(self) -> None:
        """At a start: what was asked for by a command holds as long as the settings say what they said then."""
        last = await self._ledger.read(strategy_changes.latest)
        if last is not None and last.is_by_command:
            self._put_back(last)
        origin = "the settings"
        if last is not None and self._requested_by != BY_SETTINGS:
            origin = f"a command by {last.requested_by}, in force since {iso_second(last.at_ms)}"
        log.info("Strategy %s, by %s", self._strategies.choice, origin)

    async def begin_run(self, run_id: str, started_ms: int) -> None:
        """Note what is in use, and why, when it is not what the ledger says already."""
        now = StrategyChange(run_id, started_ms, self._requested_by, self._strategies.choice, self._configured)
        last = await self._ledger.read(strategy_changes.latest)
        if last is None or _what_and_why(last) != _what_and_why(now):
            await self._ledger.write(lambda connection: strategy_changes.record(connection, now))

    async def carry_out(self, command: Command, moment: Moment) -> Carried:
        """What a `set_strategy` comes to: the change holds from the next tick on, once its answer is written.

        A choice that cannot be made is refused; what was in use stays.
        """
        before = self._strategies.choice
        try:
            wanted = asked_choice(command.payload.get("name", ""), command.payload.get("params", ""))
            prepared = self._strategies.prepare(wanted)
        except StrategyError as failure:
            return refused(f"{failure} (still in use: {before})")
        change = StrategyChange(
            moment.run_id, moment.next_tick_ms, command.requested_by, wanted, self._configured, command.command_id
        )

        def take_it() -> None:
            self._strategies.use(prepared)
            self._requested_by = command.requested_by

        return Carried(
            CommandState.DONE,
            f"from the tick at {clock_time(moment.next_tick_ms)} UTC on: {before} -> {wanted}",
            beside=lambda connection: strategy_changes.record(connection, change),
            afterwards=take_it,
        )

    def _put_back(self, last: StrategyChange) -> None:
        asked = f"{last.choice}, asked for by {last.requested_by}"
        if last.configured != self._configured:
            log.warning("STRATEGY_NAME or STRATEGY_PARAMS was changed since: they hold, and not %s", asked)
            return
        try:
            self._strategies.change(last.choice)
        except StrategyError as failure:
            log.warning("%s, cannot be used any more, so the settings hold: %s", asked, failure)
            return
        self._requested_by = last.requested_by


def _what_and_why(change: StrategyChange) -> tuple[str, StrategyChoice, StrategyChoice]:
    return change.requested_by, change.choice, change.configured
