"""What `trade-agent risk` shows: each limit, where it stands and how far it is, and what stops entries now.

The rules themselves are asked, about the account as the ledger has it. What only the market knows is as the last tick
saw it, or as the last entry on trial found it.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Protocol

from binance_trade_agent.control.risk_switch import changes_in_force, in_force, written_from
from binance_trade_agent.domain.claims import POSITIONS_RULE
from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import EXACT, ZERO, plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.values import as_dict, replace
from binance_trade_agent.ledger import alarms, queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.limits import risk_settings
from binance_trade_agent.ops.vitals import AccountVitals
from binance_trade_agent.reports.account_limits import AccountRule, account_findings
from binance_trade_agent.reports.analysis import refuse_unknown_symbol
from binance_trade_agent.reports.risk_facts import facts
from binance_trade_agent.reports.risk_spans import Spans
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.cooldown import Cooldown
from binance_trade_agent.risk.exposure import MaxExposure, MaxOrder, MaxPosition
from binance_trade_agent.risk.loss_limits import ConsecutiveLosses, DailyLoss, Drawdown
from binance_trade_agent.risk.market_conditions import DataAge, PriceDeviation, Spread, Volatility
from binance_trade_agent.risk.max_open_positions import MaxOpenPositions
from binance_trade_agent.risk.min_confidence import MinConfidence
from binance_trade_agent.risk.rules import OrderRule, RiskRule, unlimited
from binance_trade_agent.risk.slippage import Slippage
from binance_trade_agent.risk.switches import KillSwitch, OpenOrder, Paused
from binance_trade_agent.risk.trade_counts import trade_counts
from binance_trade_agent.risk.unknown_orders import UnknownOrders
from binance_trade_agent.settings import Settings, setting_names, shown

_SHOWN_UNIT = Decimal("0.00000001")
_PERCENT_UNIT = Decimal("0.01")
# Of these the value has to come to the limit; of all others it must not come to it, or must not pass it.
_AT_LEAST = frozenset({Cooldown.name, MinConfidence.name})
# What these compare only an entry on trial shows.
_ON_TRIAL = (PriceDeviation, Volatility, MinConfidence, MaxOrder, Slippage)


class Named(Protocol):
    """A rule, or the class of one."""

    @property
    def name(self) -> str:
        """As in `refused by max_open_positions`."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as it stands.

    Attributes:
        name: the rule's, or the alarm's kind; setting: where the limit is set, empty for what is no setting.
        configured: what the setting says; is_off: whether that is no limit.
        allows: whether entries may be made as far as this is concerned; None while nothing is known to compare.
        value, limit: the two numbers, in `unit`; None where there are none.
        left: from the value to the limit: above 0 there is room, below 0 the limit is passed; used_pct: the value in
            percent of the limit, None where the value has to come to it.
        since_ms, until_ms: since when it stops entries, and until when as far as that is known.
        seen_ms: the tick that measured the value, None for what is so now.
        change: who has changed the setting while the trader ran, and since when; None where the settings hold.
    """

    name: str
    setting: str
    configured: str
    is_off: bool
    allows: bool | None
    detail: str
    value: Decimal | None = None
    limit: Decimal | None = None
    unit: str = ""
    left: Decimal | None = None
    used_pct: Decimal | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    seen_ms: int | None = None
    change: RiskChange | None = None


@dataclass(frozen=True, slots=True)
class SymbolLimits:
    """The limits on one symbol.

    Attributes:
        stopped_by: names of what stops entries now, the account's limits included; empty when nothing does.
        now: what the ledger knows; seen: what the market was like when it was looked at last.
    """

    symbol: str
    stopped_by: list[str]
    now: list[Limit]
    seen: list[Limit]


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Where every limit stands; in each list what stops entries comes first, then what is used most.

    Attributes:
        profile: RISK_PROFILE, None without one.
        as_of_ms: the moment that all of it is about, market time.
        equity_quote: the quote asset in the wallet and the bot's own positions at the last bids that were seen.
        priced_ms: the oldest of these bids; at_cost: symbols whose bid was never seen, counted at what they cost.
        peak_quote, day_quote: the highest equity, and that at the beginning of the UTC day; None while unknown.
        account: limits on all symbols together.
        changed: what persons have changed of limits and sizes while the trader ran, and holds.
        differing: limits that are not those of the newest run: what holds here, and what it has.
    """

    ledger: str
    run_id: str
    is_running: bool
    profile: str | None
    as_of_ms: int
    quote_asset: str
    equity_quote: Decimal
    priced_ms: int
    at_cost: list[str]
    peak_quote: Decimal | None
    day_quote: Decimal | None
    account: list[Limit]
    symbols: list[SymbolLimits]
    changed: list[RiskChange]
    differing: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Trader:
    """What is known of the process that trades.

    Attributes:
        is_running: whether one holds the ledger.
        gate: why it enters nothing, as its last heartbeat said; empty when nothing kept it.
        wall_ms: the machine's time now.
        account: what it and the others have of an account that they share; None where it has it to itself.
    """

    is_running: bool
    gate: str
    wall_ms: int
    account: AccountVitals | None = None


def risk_limits(reader: LedgerReader, settings: Settings, trader: Trader, symbol: str | None = None) -> RiskLimits:
    """Where every limit stands, as of one moment of the ledger.

    Raises:
        ValueError: no run has ever begun, or none trades `symbol`; the message names the nearest that one does.
    """
    return reader.snapshot(lambda connection: _Limits(connection, settings, trader, symbol).found(str(reader.path)))


def as_json(found: RiskLimits) -> str:
    """One JSON document with the fields of RiskLimits; amounts are strings, exact."""
    return json.dumps(as_dict(found), default=plain, indent=2)


class _Limits:
    """Asks the rules about the account, and finds since when and until when each of them says no."""

    def __init__(self, connection: sqlite3.Connection, settings: Settings, trader: Trader, symbol: str | None) -> None:
        now = in_force(connection, settings)
        settings, limits = now.settings, risk_settings(now.settings)
        found = facts(connection, limits, trader.wall_ms)
        if found is None:
            raise ValueError("the ledger has no run yet, so no limit has anything to compare")
        if symbol is not None:
            refuse_unknown_symbol(symbol, [found.run])
        self._connection = connection
        self._settings = settings
        self._changes = now.changes
        self._limits = limits
        self._trader = trader
        self._facts = found
        self._symbols = found.run.symbols if symbol is None else (symbol,)
        self._spans = Spans(connection, found)
        self._alarms = [alarm for alarm in alarms.standing(connection) if alarm.blocks]

    def found(self, ledger: str) -> RiskLimits:
        """Everything."""
        with localcontext(EXACT):
            account = self._account()
            symbols = [self._of_symbol(symbol, account) for symbol in self._symbols]
        known, state = self._facts, next(iter(self._facts.contexts.values())).state
        return RiskLimits(
            ledger=ledger,
            run_id=known.run.run_id,
            is_running=self._trader.is_running,
            profile=self._settings.risk_profile,
            as_of_ms=known.now_ms,
            quote_asset=known.quote_asset,
            equity_quote=state.equity_quote,
            priced_ms=known.priced_ms,
            at_cost=known.at_cost,
            peak_quote=state.peak_quote,
            day_quote=state.day_quote,
            account=_in_order(account),
            symbols=symbols,
            changed=list(self._changes.values()),
            differing=differing(self._connection, self._settings, self._facts.run),
        )

    def _account(self) -> list[Limit]:
        context = next(iter(self._facts.contexts.values()))
        counts = [count for count in trade_counts(self._limits) if not count.per_symbol]
        rules: list[RiskRule] = [
            KillSwitch(),
            Paused(),
            UnknownOrders(self._limits.max_unknown_orders),
            Drawdown(self._limits.max_drawdown_pct),
            DailyLoss(self._limits.max_daily_loss_pct),
            ConsecutiveLosses(self._limits.max_consecutive_losses),
            *counts,
        ]
        # A symbol that is held already may be added to: the account's line is about one that is not.
        opening = replace(context, position=Position(context.view.symbol))
        return [
            *self._stopping(""),
            *(self._now(rule, rule.review(context), context) for rule in rules),
            self._now(self._open_positions, self._open_positions.review(opening), opening),
            self._exposure(context),
            *map(self._of_account, account_findings(self._trader.account)),
        ]

    def _of_account(self, finding: Finding) -> Limit:
        """A limit on all daemons of the account; the lowest that any of them was started with holds."""
        found = self._limit(AccountRule.of(finding), finding)
        return found if found.limit is None else replace(found, configured=plain(found.limit))

    @property
    def _open_positions(self) -> MaxOpenPositions:
        return MaxOpenPositions(self._limits.max_open_positions)

    def _exposure(self, context: RiskContext) -> Limit:
        rule = MaxExposure(self._limits.max_exposure_pct)
        if not self._facts.quote_asset:
            return self._unknown(rule, "no tick has noted yet what the account is worth")
        return self._now(rule, rule.review(context, _nothing_more(context)), context)

    def _of_symbol(self, symbol: str, account: list[Limit]) -> SymbolLimits:
        context = self._facts.contexts[symbol]
        counts = [count for count in trade_counts(self._limits) if count.per_symbol]
        rules: list[RiskRule] = [OpenOrder(), Cooldown(self._limits.cooldown_seconds), *counts]
        now = [
            *self._stopping(symbol),
            *(self._now(rule, rule.review(context), context) for rule in rules),
            self._position(context),
            self._suspension(symbol),
        ]
        general = [limit for limit in account if limit.name not in {MaxOpenPositions.name, POSITIONS_RULE}]
        shared = [
            each.rule
            for each in account_findings(self._trader.account, symbol)
            if each.rule == POSITIONS_RULE and not each.allows
        ]
        stopped_by = [limit.name for limit in _in_order([*general, *now]) if limit.allows is False] + shared
        if not self._open_positions.review(context).allows:
            stopped_by.append(MaxOpenPositions.name)
        return SymbolLimits(symbol, stopped_by, _in_order(now), _in_order(self._seen(symbol, context)))

    def _position(self, context: RiskContext) -> Limit:
        rule = MaxPosition(self._limits.max_position_quote)
        if context.held_base and self._facts.looks[context.view.symbol] is None:
            return self._unknown(rule, "its price was not seen")
        return self._now(rule, rule.review(context, _nothing_more(context)), context)

    def _suspension(self, symbol: str) -> Limit:
        """Failures in a row; after so many a symbol rests for some ticks, which are noted as failures too."""
        after, ticks = self._settings.risk_suspend_after_failures, self._settings.risk_suspend_ticks
        failures = queries.failures_in_row(self._connection, self._facts.run.run_id, symbol) % (after + ticks)
        rests = failures >= after
        left = after + ticks - failures
        rest = (
            f"{left} more tick{'s' if left > 1 else ''} of rest" if rests else f"rests for {ticks} ticks after {after}"
        )
        detail = f"{min(failures, after)} failures in a row, {rest} ({_Suspension.setting})"
        numbers = (Decimal(min(failures, after)), Decimal(after), "failures")
        return self._limit(_Suspension, Finding(_Suspension.name, not rests, detail, *numbers))

    def _seen(self, symbol: str, context: RiskContext) -> Iterator[Limit]:
        look, review = self._facts.looks[symbol], self._facts.reviews[symbol]
        for rule in (DataAge(self._limits.max_data_age_seconds), Spread(self._limits.max_spread_pct)):
            if look is None:
                yield self._unknown(rule, "the market was not seen")
            else:
                yield self._limit(rule, rule.review(context), seen_ms=look.tick_ms)
        found = {finding.rule: finding for finding in review.findings} if review else {}
        for kind in _ON_TRIAL:
            if review is None or kind.name not in found:
                yield self._unknown(kind, "no entry has come so far")
            else:
                yield self._limit(kind, found[kind.name], seen_ms=review.tick_ms)

    def _stopping(self, subject: str) -> Iterator[Limit]:
        """What stops entries and is no rule: alarms, and what the trader itself says."""
        for alarm in self._alarms:
            if alarm.subject == subject:
                yield Limit(alarm.kind, "", "", is_off=False, allows=False, detail=alarm.text, since_ms=alarm.raised_ms)
        if not subject and self._trader.is_running and self._trader.gate:
            yield Limit("entry_gate", "", "", is_off=False, allows=False, detail=self._trader.gate)

    def _now(self, rule: RiskRule | OrderRule, finding: Finding, context: RiskContext) -> Limit:
        found = self._limit(rule, finding)
        if found.allows:
            return found
        since_ms, until_ms = self._spans.of(finding, context)
        return replace(found, since_ms=since_ms, until_ms=until_ms)

    def _unknown(self, rule: Named, why: str) -> Limit:
        setting, configured = self._configured(rule)
        return Limit(rule.name, setting, configured, configured == "0", None, why, change=self._changes.get(setting))

    def _limit(self, rule: Named, finding: Finding, seen_ms: int | None = None) -> Limit:
        setting, configured = self._configured(rule)
        left, used_pct = distance(finding)
        return Limit(
            name=finding.rule,
            setting=setting,
            configured=configured,
            is_off=finding == unlimited(finding.rule, setting),
            allows=finding.allows,
            detail=finding.detail,
            value=_kept(finding.value),
            limit=_kept(finding.limit),
            unit=finding.unit,
            left=left,
            used_pct=used_pct,
            seen_ms=seen_ms,
            change=self._changes.get(setting),
        )

    def _configured(self, rule: Named) -> tuple[str, str]:
        """The rule's setting and what it says; empty for a rule without one."""
        setting = getattr(rule, "setting", "")
        return setting, shown(getattr(self._settings, setting.lower())) if setting else ""


def differing(connection: sqlite3.Connection, settings: Settings, run: RunRecord) -> dict[str, tuple[str, str]]:
    """Limits that are other than the run's: what holds here, and what holds in the run.

    `settings`: those in effect here, with what persons have changed.
    """
    of_run = json.loads(run.settings_json)
    of_run |= {name: change.new for name, change in changes_in_force(connection, written_from(of_run)).items()}
    here = {name: shown(getattr(settings, name.lower())) for name in setting_names() if name.startswith("RISK_")}
    return {name: (value, of_run[name]) for name, value in here.items() if of_run.get(name, value) != value}


class _Suspension:
    """Kept by `agents/suspension.py`; it is no rule, for it keeps exits of the strategy away too."""

    name = "suspended"
    setting = "RISK_SUSPEND_AFTER_FAILURES"


def _nothing_more(context: RiskContext) -> ProposedOrder:
    """An entry of nothing: what a limit on amounts finds about it is how it stands."""
    return ProposedOrder(Side.BUY, ZERO, context.view.book.ask, ZERO)


def distance(finding: Finding) -> tuple[Decimal | None, Decimal | None]:
    """How far the value is from the limit, and its part of the limit in percent."""
    if finding.value is None or finding.limit is None:
        return None, None
    if finding.rule in _AT_LEAST:
        return _kept(finding.value - finding.limit), None
    used = (finding.value * 100 / finding.limit).quantize(_PERCENT_UNIT) if finding.limit else None
    return _kept(finding.limit - finding.value), used


def _kept(value: Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(plain(value.quantize(_SHOWN_UNIT)))


def _in_order(limits: Iterable[Limit]) -> list[Limit]:
    """What stops entries first, then what is used most, then what is not known, last what is off."""

    def key(limit: Limit) -> tuple[int, Decimal]:
        rank = 3 if limit.is_off else 2 if limit.allows is None else int(limit.allows)
        return rank, -(limit.used_pct or ZERO)

    return sorted(limits, key=key)
