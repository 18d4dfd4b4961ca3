"""The list of what people have changed: commands and other settings, in words, with old and new, by pages."""

import json
from dataclasses import dataclass, field

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.carriers import Moment, done, refused
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.control.risk_switch import RiskSwitch
from binance_trade_agent.control.strategy_switch import StrategySwitch
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.reports.audit import AuditEntry, AuditKey, Changed, audit
from binance_trade_agent.settings import Settings, setting_names, shown
from binance_trade_agent.strategies.in_use import StrategiesInUse
from tests.ledger.bookkeeping import OPENING, run_record

DONE, REFUSED, PENDING = CommandState.DONE, CommandState.REFUSED, CommandState.PENDING


@dataclass
class Desk:
    """A trader as far as people command it; the machine's clock goes on by 10 ms at each thing that happens."""

    ledger: Ledger
    wall_ms: int = 1_000
    run_id: str = ""
    carriers: dict = field(default_factory=dict)

    async def starts(self, run_id: str, strategy: str = "rsi_momentum", **settings: str) -> None:
        self.wall_ms += 10
        self.run_id = run_id
        has = Settings(strategy_name=strategy, **settings)
        written = json.dumps({name: shown(getattr(has, name.lower())) for name in setting_names()})
        await self.ledger.begin_run(run_record(run_id, settings_json=written, started_wall_ms=self.wall_ms))
        strategies = StrategySwitch(StrategiesInUse(StrategyChoice(strategy), ("BTCUSDT",)), self.ledger)
        limits = RiskSwitch(has, self.ledger)
        for switch in (strategies, limits):
            await switch.restore()
            await switch.begin_run(run_id, 500)
        self.carriers = {
            CommandKind.SET_STRATEGY: strategies.carry_out,
            CommandKind.SET_RISK: limits.carry_out,
        }

    def places(self, kind: CommandKind, by: str = "dashboard", **payload: str) -> int:
        self.wall_ms += 10
        return commands.place(self.ledger.path, kind, requested_by=by, requested_wall_ms=self.wall_ms, payload=payload)

    async def carries_out(self) -> None:
        for waiting in await commands.pending(self.ledger):
            if carrier := self.carriers.get(waiting.kind):
                carried = await carrier(waiting, Moment(self.run_id, 700, 800))
            else:  # a switch is moved by its row
                carried = refused("no") if waiting.payload.get("name") == "other" else done("yes")
            await commands.answer(
                self.ledger, waiting.command_id, carried.state, carried.answer, 700, beside=carried.beside
            )
            if carried.afterwards:
                carried.afterwards()

    async def asks(self, kind: CommandKind, by: str = "dashboard", **payload: str) -> None:
        self.places(kind, by, **payload)
        await self.carries_out()

    async def entries(self, limit: int = 100, before: AuditKey | None = None) -> list[AuditEntry]:
        return await self.ledger.read(lambda connection: audit(connection, limit, before))


@pytest.fixture
async def desk(tmp_path):
    async with await Ledger.open(tmp_path / "ledger.db") as ledger:
        await ledger.open_epoch(500, "new market", OPENING)
        ready = Desk(ledger)
        await ready.starts("run-a")
        yield ready


def told(entries: list[AuditEntry]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [(entry.what, [tuple(each) for each in entry.changed]) for entry in entries]


async def test_a_ledger_that_nobody_has_commanded_has_no_entry(desk):
    await desk.starts("run-b")  # with the same settings
    assert await desk.entries() == []


async def test_an_entry_says_who_when_what_old_new_and_the_answer(desk):
    await desk.asks(CommandKind.SET_RISK, by="cli", RISK_MAX_ORDER_QUOTE="200")
    (entry,) = await desk.entries()
    assert (entry.at_wall_ms, entry.who, entry.what) == (1_020, "cli", "set RISK_MAX_ORDER_QUOTE=200")
    assert entry.changed == (Changed("RISK_MAX_ORDER_QUOTE", "500", "200"),)
    assert (entry.state, entry.answer) == (DONE, "from now on: RISK_MAX_ORDER_QUOTE 500 -> 200")
    assert (entry.done_ms, entry.command_id, entry.client_order_id) == (700, 1, None)


async def test_a_strategy_that_was_asked_for_stands_beside_the_one_before(desk):
    await desk.asks(CommandKind.SET_STRATEGY, name="macd_crossover", params="macd_fast=10")
    await desk.asks(CommandKind.SET_STRATEGY, name="nonsense", params="")
    assert told(await desk.entries()) == [
        ("set the strategy nonsense", []),
        (
            "set the strategy macd_crossover (macd_fast=10)",
            [("strategy", "rsi_momentum", "macd_crossover (macd_fast=10)")],
        ),
    ]
    assert [entry.state for entry in await desk.entries()] == [REFUSED, DONE]


async def test_switches_say_where_they_stood_before(desk):
    await desk.asks(CommandKind.PAUSE)
    await desk.asks(CommandKind.PAUSE, scope="everything")
    await desk.asks(CommandKind.PAUSE, scope="everything")
    await desk.asks(CommandKind.RESUME)
    await desk.asks(CommandKind.KILL, reason="the news", close_positions="true")
    await desk.asks(CommandKind.RELEASE, name="other")
    await desk.asks(CommandKind.RELEASE, name="mine")
    assert told(reversed(await desk.entries())) == [
        ("pause entries", [("pause", "off", "entries")]),
        ("pause everything", [("pause", "entries", "everything")]),
        ("pause everything", []),
        ("resume", [("pause", "everything", "off")]),
        ("throw the kill switch, and close all positions: the news", [("kill switch", "off", "on")]),
        ("release other", []),
        ("release mine", [("kill switch", "on", "off")]),
    ]


async def test_a_kill_that_waits_counts_already_and_everything_else_does_not(desk):
    desk.places(CommandKind.KILL)
    desk.places(CommandKind.PAUSE)
    pause, kill = await desk.entries()
    assert (pause.state, pause.answer, pause.changed) == (PENDING, "", ())
    assert (kill.state, kill.changed) == (PENDING, (Changed("kill switch", "off", "on"),))


async def test_other_settings_are_told_at_the_start_of_the_run_that_has_them(desk):
    await desk.starts("run-b", risk_max_order_quote="400", risk_cooldown_seconds="60")
    (entry,) = await desk.entries()
    assert (entry.who, entry.what, entry.state) == ("settings", "run run-b with other settings", DONE)
    assert (entry.at_wall_ms, entry.command_id) == (1_020, None)
    assert entry.changed == (
        Changed("RISK_MAX_ORDER_QUOTE", "500", "400"),
        Changed("RISK_COOLDOWN_SECONDS", "300", "60"),
    )


async def test_settings_that_end_what_was_asked_for_stand_beside_what_had_held(desk):
    await desk.asks(CommandKind.SET_RISK, RISK_MAX_ORDER_QUOTE="200")
    await desk.asks(CommandKind.SET_STRATEGY, name="macd_crossover", params="")
    await desk.starts("run-b", strategy="supertrend", risk_max_order_quote="400")
    (entry, *_) = await desk.entries()
    assert Changed("RISK_MAX_ORDER_QUOTE", "200", "400") in entry.changed
    assert Changed("STRATEGY_NAME", "rsi_momentum", "supertrend") in entry.changed
    assert Changed("strategy", "macd_crossover", "supertrend") in entry.changed


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        (CommandKind.STOP, {}, "stop the trader"),
        (CommandKind.CANCEL, {"client_order_id": "bta-1"}, "cancel order bta-1"),
        (CommandKind.CLOSE, {"symbol": "BTCUSDT"}, "close BTCUSDT"),
        (CommandKind.CLOSE, {"symbol": "", "reason": "<b>late</b>"}, "close all positions: <b>late</b>"),
        (
            CommandKind.ORDER,
            {"side": "BUY", "quantity": "0.01", "symbol": "BTCUSDT", "type": "market", "worst_price": "60100"},
            "BUY 0.01 BTCUSDT market, worst 60100",
        ),
        (
            CommandKind.ORDER,
            {
                "side": "SELL",
                "quantity": "1",
                "symbol": "ETHUSDT",
                "type": "oco",
                "price": "3000",
                "stop_price": "2000",
                "stop_limit_price": "1990",
            },
            "SELL 1 ETHUSDT oco, stop 2000, limit of the stop 1990, limit 3000",
        ),
        (CommandKind.ORDER, {}, "   "),
    ],
)
async def test_every_kind_has_words_whatever_it_was_given(desk, kind, payload, words):
    desk.places(kind, **payload)
    (entry,) = await desk.entries()
    assert entry.what == words


def test_no_kind_is_without_words():
    from binance_trade_agent.reports.audit import _WORDS

    assert set(_WORDS) == set(CommandKind)


async def test_pages_hold_everything_once_also_what_was_placed_in_the_same_millisecond(desk):
    for number in range(7):
        if number == 3:
            await desk.starts("run-b", risk_cooldown_seconds="60")
        desk.wall_ms -= 10 * (number % 2)
        desk.places(CommandKind.PAUSE)
    everything = await desk.entries()
    pages, before = [], None
    while page := await desk.entries(3, before):
        pages.append(page)
        before = page[-1].key
        desk.places(CommandKind.RESUME)  # what comes meanwhile stands before the first page
    assert [entry for page in pages for entry in page] == everything
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [entry.at_wall_ms for entry in everything] == sorted(
        (entry.at_wall_ms for entry in everything), reverse=True
    )
