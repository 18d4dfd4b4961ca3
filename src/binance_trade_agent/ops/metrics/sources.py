"""Where the numbers come from: the running parts, what they last told of themselves, and the ledger."""

import platform
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from binance_trade_agent.agents.account_share import SHARED_ACCOUNT
from binance_trade_agent.agents.account_watch import KEYS
from binance_trade_agent.agents.closing import KILL_NOT_OBEYED
from binance_trade_agent.agents.order_keeper import LATE_FILL, STRANGER, UNKNOWN_OUTCOME
from binance_trade_agent.agents.protection import TARGET_WATCHED, UNPROTECTED
from binance_trade_agent.agents.reconciler import DIFFERENCE, MISSING_COINS, Reconciler
from binance_trade_agent.cache.market_board import Quote
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import alarms, pauses, queries, switches
from binance_trade_agent.ledger.counts import LedgerCounts
from binance_trade_agent.ledger.disk import free_bytes
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.metrics.samples import Samples
from binance_trade_agent.ops.vitals import BudgetVitals, ExchangeVitals, StreamVitals
from binance_trade_agent.reports.positions_now import positions_now
from binance_trade_agent.settings import Settings
from binance_trade_agent.trader_vitals import Parts, TraderVitals

OTHER = "other"
_ALARMS = (
    *(DIFFERENCE, KEYS, KILL_NOT_OBEYED, LATE_FILL, MISSING_COINS),
    *(SHARED_ACCOUNT, STRANGER, TARGET_WATCHED, UNKNOWN_OUTCOME, UNPROTECTED),
)
_BLOCKS = (
    *("disk", "exchange", "ledger", "no_news"),
    *(DIFFERENCE, KEYS, KILL_NOT_OBEYED, MISSING_COINS, SHARED_ACCOUNT, STRANGER),
)
_LIMITS = (pauses.CONSECUTIVE_LOSSES, pauses.DAILY_LOSS, pauses.DRAWDOWN)
_POINT = (
    "SELECT cash_quote, positions_quote, realised_pnl_quote, unrealised_pnl_quote, external_quote, peak_quote"
    " FROM equity INDEXED BY equity_by_time WHERE epoch = ? AND quote_asset = ?"
    " ORDER BY tick_ms DESC, cycle DESC, run_id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Who is asked, from a thread of its own: nothing here waits for the trading loop, or changes anything.

    Attributes:
        rules: of the traded symbols.
        views: what the market looked like when each symbol was last decided on.
    """

    settings: Settings
    parts: Parts
    vitals: TraderVitals
    counts: LedgerCounts
    reconciler: Reconciler
    rules: Mapping[str, SymbolRules]
    views: Mapping[str, MarketView]

    @property
    def name(self) -> Callable[[str], str]:
        """What a symbol is called in labels: one that is not traded may be anything, so it has no name."""
        traded = frozenset(self.settings.trading_symbols)
        return lambda symbol: symbol if symbol in traded else OTHER

    def put_counts(self, samples: Samples) -> None:
        """What was counted where it happened. Copies of dicts are made at once, whatever the loop does meanwhile."""
        loop, ticks, name = self.parts.loop, self.parts.loop.ticks, self.name
        samples.put("ticks_total", ticks.cycle)
        samples.put("ticks_missed_total", loop.missed_ticks)
        samples.put_durations("tick_duration_seconds", ticks.durations)
        samples.put_durations("tick_cpu_seconds", ticks.cpu)
        samples.put_durations("tick_lag_seconds", ticks.lags)
        lag = self.vitals.loop_lag
        samples.put_durations("event_loop_lag_seconds", lag.lags)
        samples.put("event_loop_blocks_total", lag.blocks)
        samples.put("event_loop_blocked", bool(lag.trouble))
        samples.put_durations("candle_to_order_seconds", loop.reactions.durations)
        for (symbol, outcome, rule), count in dict(loop.decided).items():
            samples.put("decisions_total", count, name(symbol), outcome)
            if rule:
                samples.put("refusals_total", count, rule)
        samples.put_durations("ledger_commit_seconds", self.counts.commits)
        for (_, side, role, state), count in dict(self.counts.orders).items():
            samples.put("order_states_total", count, side, role, state)
        for (symbol, side), count in dict(self.counts.fills).items():
            samples.put("fills_total", count, name(symbol), side)
        for (symbol, asset), amount in dict(self.counts.volume_quote).items():
            samples.put("traded_quote_total", amount, name(symbol), asset)
        for asset, amount in dict(self.counts.fees).items():
            samples.put("fees_total", amount, asset)
        requests = self.parts.connection.gateway.requests
        samples.put("requests_unanswered_total", requests.unanswered)
        for (endpoint, outcome), durations in dict(requests.by_endpoint).items():
            samples.put_durations("request_duration_seconds", durations, endpoint, outcome)
        for (content, is_hit), count in dict(self.parts.market_data.looked_up).items():
            samples.put("cache_lookups_total", count, content, "hit" if is_hit else "miss")
        samples.put("reconciliation_differences", self.reconciler.found)
        samples.put_timestamp("reconciled_timestamp_seconds", self.reconciler.done_ms)

    def put_vitals(self, samples: Samples) -> None:
        """What the trader last told of itself, about a second ago; while its loop stands still, before that."""
        settings, told = self.settings, self.vitals.latest
        samples.put("build_info", 1, version("binance-trading-agent"), platform.python_version())
        samples.put("run_info", 1, settings.mode, settings.trading_instance)
        samples.put("tick_interval_seconds", settings.trading_interval_seconds)
        samples.put("disk_free_bytes", _free_bytes(settings.ledger_path))
        samples.put("ledger_bytes", _size(settings.ledger_path))
        if told is None:
            return
        samples.put_timestamp("heartbeat_timestamp_seconds", self.vitals.beat_wall_ms)
        samples.put_timestamp("tick_begun_timestamp_seconds", told.ticks.begun_wall_ms)
        samples.put("threads", told.process.threads)
        if told.log is not None:
            samples.put("log_lines_lost_total", told.log.lost)
        for reason, count in told.dropped_candles.items():
            samples.put("candles_dropped_total", count, reason)
        for name in _BLOCKS:
            samples.put("entries_blocked", 0, name)
        for block in told.entry_blocks:
            samples.put("entries_blocked", 1, block.name)
        for symbol, each in told.symbols.items():
            samples.put("symbol_failures", each.failures_in_a_row, symbol)
            rests_until = each.rests_until_cycle
            samples.put("symbol_resting", rests_until is not None and told.ticks.cycle < rests_until, symbol)
        _put_stream(samples, "user", told.user_stream)
        _put_stream(samples, "price", told.price_stream)
        for stream, connection in told.market_streams.items():
            _put_stream(samples, stream.replace(" stream", ""), connection)
        if told.redis is not None:
            samples.put("redis_away", told.redis.cache_away_since_wall_ms is not None, "cache")
            samples.put("redis_away", told.redis.lease_away_since_wall_ms is not None, "lease")
        if told.exchange is not None:
            _put_exchange(samples, told.exchange)

    def put_ledger(self, samples: Samples, connection: sqlite3.Connection) -> None:
        """What the ledger says at this moment."""
        epoch = queries.epoch_number(connection)
        scope = switches.pause_scope(connection)
        for each in PauseScope:
            samples.put("paused", each is scope, each.value)
        samples.put("killed", switches.killed(connection))
        for kind in _ALARMS:
            samples.put("alarms", 0, kind)
        for alarm in alarms.standing(connection):
            samples.put("alarms", 1, alarm.kind)
        if (told := self.vitals.latest) and (now_ms := told.market_now_ms()) is not None:
            active = pauses.active_pauses(connection, epoch, now_ms)
            for rule in _LIMITS:
                samples.put("limit_pause_active", rule in active, rule)
        orders = [entry.order for entry in queries.unsettled_orders(connection, epoch)]
        samples.put("unknown_orders", sum(order.state is OrderState.UNKNOWN for order in orders))
        for order in orders:
            samples.put("open_orders", 1, self.name(order.symbol), order.state.value)
        self._put_equity(samples, connection, epoch)
        self._put_positions(samples, connection, epoch)

    def _put_equity(self, samples: Samples, connection: sqlite3.Connection, epoch: int) -> None:
        asset = next(iter(self.rules.values())).quote_asset
        point = connection.execute(_POINT, (epoch, asset)).fetchone()
        if point is None:
            return
        cash, positions = Decimal(point["cash_quote"]), Decimal(point["positions_quote"])
        samples.put("equity_quote", cash + positions, asset)
        samples.put("cash_quote", cash, asset)
        samples.put("positions_quote", positions, asset)
        samples.put("realised_pnl_quote", Decimal(point["realised_pnl_quote"]), asset)
        samples.put("unrealised_pnl_quote", Decimal(point["unrealised_pnl_quote"]), asset)
        if cash + positions > 0:
            samples.put("exposure_ratio", positions / (cash + positions))
        peak = Decimal(point["peak_quote"] or 0)
        if peak > 0:
            samples.put("drawdown_ratio", max(ZERO, 1 - (cash + positions - Decimal(point["external_quote"])) / peak))

    def _put_positions(self, samples: Samples, connection: sqlite3.Connection, epoch: int) -> None:
        quotes = {symbol: _quote(view) for symbol, view in dict(self.views).items()}
        held = {each.symbol: each for each in positions_now(connection, epoch, quotes=quotes, rules=self.rules)}
        for symbol, rules in self.rules.items():
            position = held.get(symbol)
            base, quote = (symbol, rules.base_asset), (symbol, rules.quote_asset)
            samples.put("position_base", position.quantity_base if position else 0, *base)
            samples.put("position_cost_quote", position.cost_quote if position else 0, *quote)
            samples.put("position_worth_quote", position.worth_quote if position else 0, *quote)
            samples.put("position_unprotected_base", position.unprotected_base if position else 0, *base)


def _quote(view: MarketView) -> Quote:
    book = view.book
    return Quote(
        symbol=view.symbol,
        bid=book.bid,
        bid_quantity=book.bid_quantity,
        ask=book.ask,
        ask_quantity=book.ask_quantity,
        last_price=None,
        read_ms=book.read_ms,
        read_wall_ms=wall_ms(),
    )


def _put_stream(samples: Samples, stream: str, told: StreamVitals | None) -> None:
    if told is None:
        return
    samples.put("stream_up", told.is_live, stream)
    samples.put("stream_wanted", told.is_wanted, stream)
    samples.put("stream_connections_total", told.connections, stream)
    samples.put_timestamp("stream_changed_timestamp_seconds", told.changed_wall_ms, stream)
    samples.put_timestamp("stream_heard_timestamp_seconds", told.heard_wall_ms, stream)


def _put_exchange(samples: Samples, told: ExchangeVitals) -> None:
    samples.put("exchange_away", bool(told.away_because))
    samples.put("keys_refused", bool(told.keys_refused_because))
    samples.put("clock_offset_seconds", None if told.clock_offset_ms is None else told.clock_offset_ms / 1000)
    _put_budget(samples, told.budget)


def _put_budget(samples: Samples, budget: BudgetVitals) -> None:
    samples.put("request_weight_used", budget.weight_used)
    samples.put("request_weight_limit", budget.weight_limit)
    samples.put("orders_used", budget.orders_10s, "10s")
    samples.put("orders_limit", budget.order_limit_10s, "10s")
    samples.put("orders_used", budget.orders_day, "1d")
    samples.put("orders_limit", budget.order_limit_day, "1d")
    samples.put("requests_waiting", budget.waiting)


def _free_bytes(path: Path) -> int | None:
    try:
        return free_bytes(path)
    except OSError:
        return None


def _size(path: Path) -> int | None:
    """The file and its write-ahead log; None where it is not there."""
    try:
        size = path.stat().st_size
    except OSError:
        return None
    log = path.with_name(f"{path.name}-wal")
    return size + (log.stat().st_size if log.exists() else 0)
