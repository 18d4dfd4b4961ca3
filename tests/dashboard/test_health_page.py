"""System health: `/health` and `/ready` for machines, and the page that says why."""

import asyncio
import re
from contextlib import ExitStack
from decimal import Decimal
from functools import partial

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.pauses import begin_pause
from binance_trade_agent.ops import heartbeat, vitals
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.ops.logging import Trouble
from binance_trade_agent.ops.loop_lag import LoopBlock
from binance_trade_agent.ops.vitals import (
    AccountVitals,
    BudgetVitals,
    ClaimVitals,
    EntryBlock,
    ExchangeVitals,
    LogVitals,
    ProcessVitals,
    RedisVitals,
    RequestVitals,
    StreamVitals,
    SymbolVitals,
    TickVitals,
    Vitals,
)
from binance_trade_agent.risk.state import Pause
from tests.dashboard.served import served
from tests.ledger.bookkeeping import trading_ledger

HOSTILE = "<script>alert('x')</script>"
MARKET_MS = 1_767_571_200_000
BOTH = {"BTCUSDT": SymbolVitals(), "ETHUSDT": SymbolVitals()}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A dashboard without a password on a ledger with an epoch and a run, and nothing else; tests leave that as it is."""
    folder = tmp_path_factory.mktemp("bare")
    asyncio.run(written(folder / "ledger.db"))
    with served(folder) as running:
        yield running


async def written(path, write=None):
    async with trading_ledger(path) as ledger:
        if write is not None:
            await write(ledger)


@pytest.fixture
def trading():
    """trading(served, state, age_seconds=..., is_held=..., **vitals): a trader on its ledger that gives signs of life."""
    with ExitStack() as stack:

        def begin(at, state="trading", *, age_seconds=0.0, is_held=True, detail="", told=True, **changes):
            path, now = at.ledger_path, wall_ms()
            if is_held:
                stack.enter_context(LedgerLock.acquire(path, Holder(4711, "run-a", now)))
            beat = heartbeat.heartbeat_path(path)
            heartbeat.beat(beat, run_id="run-a", state=state, cycle=7, next_within_seconds=1.0, detail=detail)
            beaten_ms = now - round(age_seconds * 1000)
            beat.write_text(re.sub(r'"beat_wall_ms": \d+', f'"beat_wall_ms": {beaten_ms}', beat.read_text()))
            vitals.vitals_path(path).unlink(missing_ok=True)
            if told:
                fields = {"written_wall_ms": now, "run_id": "run-a", "mode": "simulated", "symbols": BOTH, **changes}
                vitals.write(vitals.vitals_path(path), Vitals(**fields))

        yield begin


def asked(served, path):
    """Status and answer of a machine that has not logged in."""
    reply = served.visitor().get(path, accept="*/*")
    assert reply.headers["content-type"] == "application/json"
    return reply.status, reply.json()


class TestHealth:
    def test_a_trading_loop_that_beats_is_healthy_to_anybody(self, bare, trading):
        trading(bare, age_seconds=2)
        status, answer = asked(bare, "/health")
        assert status == 200
        assert 2 <= answer.pop("heartbeat_age_seconds") < 10
        assert answer == {"healthy": True, "state": "trading", "detail": "The trading loop is alive.", "cycle": 7}

    @pytest.mark.parametrize(
        ("given", "state"),
        [
            ({"state": "starting"}, "starting"),
            ({"state": "stopped", "is_held": False}, "stopped"),
            ({"state": "failed", "is_held": False}, "failed"),
            ({"is_held": False}, "gone"),  # kill -9: the last beat is fresh, and nobody holds the ledger
            ({"state": "starting", "is_held": False}, "gone"),
            ({"age_seconds": 62}, "late"),
        ],
    )
    def test_everything_else_is_not(self, bare, trading, given, state):
        trading(bare, **given)
        status, answer = asked(bare, "/health")
        assert (status, answer["healthy"], answer["state"]) == (503, False, state)
        status, ready = asked(bare, "/ready")
        assert (status, ready["missing"]) == (503, [answer["detail"]])

    def test_without_a_ledger_nothing_is_well_and_nothing_breaks(self, serve):
        served = serve(played=False, password=False)
        assert asked(served, "/health")[0] == asked(served, "/ready")[0] == 503
        page = served.trader().get("/system")
        assert page.status == 200
        assert "No trader has ever run on this ledger." in page.words
        assert "no ledger yet" in page.words

    def test_a_dashboard_that_is_locked_still_tells_machines(self, serve, trading):
        served = serve(played=False, password=False, is_locked=True)
        trading(served)
        assert served.visitor().get("/health").status == 200
        assert served.visitor().get("/system").status == 503


class TestReady:
    def test_nothing_is_missing(self, bare, trading):
        trading(bare)
        assert asked(bare, "/ready") == (200, {"ready": True, "missing": [], "limited": []})

    @pytest.mark.parametrize(
        ("changes", "missing"),
        [
            ({"entry_blocks": (EntryBlock(name="disk", text="4 MB left"),)}, "the ledger's disk has too little space"),
            ({"entry_blocks": (EntryBlock(name="no_news", text="-"),)}, "there is no news of the account"),
            ({"entry_blocks": (EntryBlock(name="new_kind", text="-"),)}, "Nothing is entered: new kind."),
            ({"symbols": {"A": SymbolVitals(rests_until_cycle=9)}}, "Every symbol is suspended"),
            (
                {"entry_blocks": tuple(EntryBlock(name="difference", subject=symbol) for symbol in BOTH)},
                "BTCUSDT is not entered: difference.",
            ),
        ],
    )
    def test_what_the_trader_tells_is_missing(self, bare, trading, changes, missing):
        trading(bare, **changes)
        status, answer = asked(bare, "/ready")
        assert status == 503
        assert missing in " ".join(answer["missing"])

    def test_one_symbol_of_two_is_a_limit_and_no_obstacle(self, bare, trading):
        trading(bare, entry_blocks=(EntryBlock(name="difference", subject="BTCUSDT", text="-"),))
        assert asked(bare, "/ready") == (
            200,
            {"ready": True, "missing": [], "limited": ["BTCUSDT is not entered: difference."]},
        )

    def test_a_loop_that_is_a_few_seconds_late_is_healthy_and_not_ready(self, bare, trading):
        trading(bare, age_seconds=8)
        status, answer = asked(bare, "/health")
        assert (status, answer["detail"]) == (200, "The trading loop is late; it counts as alive for a minute.")
        status, answer = asked(bare, "/ready")
        assert status == 503
        assert answer["missing"][0].startswith("The trading loop has given no sign of life for ")

    @pytest.mark.parametrize(
        ("kind", "payload", "missing"),
        [
            (CommandKind.KILL, {"reason": "r", "close_positions": "false"}, "The emergency stop is on"),
            (CommandKind.PAUSE, {"scope": "entries"}, "Entries are paused by a person"),
            (CommandKind.PAUSE, {"scope": "everything"}, "Trading is paused by a person"),
        ],
    )
    def test_switches_are_missing(self, serve, tmp_path, trading, kind, payload, missing):
        async def write(ledger):
            path = tmp_path / "ledger.db"
            number = commands.place(path, kind, requested_by="t", requested_wall_ms=1, payload=payload)
            await commands.answer(ledger, number, commands.CommandState.DONE, "done", 1)

        asyncio.run(written(tmp_path / "ledger.db", write))
        own = serve(played=False, password=False)
        trading(own)
        status, answer = asked(own, "/ready")
        assert status == 503
        assert missing in answer["missing"][0]

    def test_a_limit_that_was_passed_is_missing_until_its_pause_is_over(self, serve, tmp_path, trading):
        async def write(ledger):
            pause = Pause("daily_loss", MARKET_MS - 1000, MARKET_MS + 60_000, "-")
            await ledger.write(partial(begin_pause, epoch=1, pause=pause))

        asyncio.run(written(tmp_path / "ledger.db", write))
        own = serve(played=False, password=False)
        trading(own, market_ms=MARKET_MS, speed=1.0, is_stepped=True)
        assert asked(own, "/ready")[1]["missing"] == ["Entries rest because a limit was passed: daily loss."]
        vitals.write(
            vitals.vitals_path(tmp_path / "ledger.db"),
            Vitals(run_id="run-a", written_wall_ms=wall_ms(), market_ms=MARKET_MS + 60_000, is_stepped=True),
        )
        assert asked(own, "/ready")[0] == 200

    def test_texts_of_the_exchange_are_for_those_who_log_in(self, bare, trading):
        trading(
            bare,
            detail="key 4711 of 10.0.0.7 was refused",
            entry_blocks=(EntryBlock(name="keys", text="from 10.0.0.7"),),
        )
        told = bare.visitor().get("/ready").text + bare.visitor().get("/health").text
        assert "10.0.0.7" not in told
        assert "the exchange refuses the API keys" in told
        assert "from 10.0.0.7" in bare.trader().get("/system").words


def everything():
    """What a trader tells that has a lot to tell."""
    return {
        "market_ms": MARKET_MS,
        "speed": 1.0,
        "mode": "live",
        "versions": {"python": "3.11.7", "binance-trading-agent": "0.1.0"},
        "ticks": TickVitals(
            cycle=1234,
            missed=2,
            interval_seconds=120.0,
            begun_wall_ms=wall_ms() - 30_000,
            ended_wall_ms=wall_ms() - 29_000,
            measured=100,
            last_ms=31.4,
            mean_ms=44.0,
            longest_ms=2500.0,
            last_lag_ms=0.5,
            mean_lag_ms=1.5,
            longest_lag_ms=12.0,
        ),
        "process": ProcessVitals(
            pid=4711,
            started_wall_ms=wall_ms() - 100_000,
            cpu_seconds=10.0,
            rss_bytes=123_400_000,
            open_files=21,
            threads=5,
            loop_lag_ms=0.4,
            longest_loop_lag_ms=75.0,
            loop_blocks=6,
            loop_block=LoopBlock(lag_ms=75.0, own_ms=70.0, at=f"agents/signal.py:97 in ask (task {HOSTILE})"),
            loop_trouble="the event loop was blocked for more than 50 ms 6 times within a minute",
        ),
        "user_stream": StreamVitals(
            is_live=False, changed_wall_ms=wall_ms(), connections=4, trouble=f"cut off {HOSTILE}"
        ),
        "price_stream": StreamVitals(is_wanted=False),
        "market_streams": {
            "candle stream 1": StreamVitals(is_live=True, changed_wall_ms=wall_ms(), connections=8),
            "quote stream 1": StreamVitals(is_wanted=False),
        },
        "exchange": ExchangeVitals(
            clock_offset_ms=-12.3,
            clock_set_wall_ms=wall_ms(),
            round_trip_ms=40.0,
            away_because=f"no answer {HOSTILE}",
            away_since_ms=MARKET_MS,
            budget=BudgetVitals(
                weight_used=5100,
                weight_limit=6000,
                orders_10s=None,
                order_limit_10s=50,
                orders_day=7,
                order_limit_day=160_000,
                waiting=3,
                silent_until_wall_ms=wall_ms() + 60_000,
            ),
            requests=RequestVitals(sent=4321, unanswered=5, measured=500, mean_ms=21.5, p95_ms=80.0, longest_ms=1700.0),
        ),
        "redis": RedisVitals(cache_away_since_wall_ms=wall_ms()),
        "account": AccountVitals(
            quote_asset="USDT",
            claims=(
                ClaimVitals(
                    instance="majors",
                    cash_quote=Decimal("4000.5"),
                    exposure_quote=Decimal(870),
                    symbols=2,
                    open_symbols=("BTCUSDT",),
                    noted_wall_ms=wall_ms(),
                ),
                ClaimVitals(instance=HOSTILE, is_live=False, cash_quote=Decimal(1), noted_wall_ms=wall_ms()),
            ),
            exposure_quote=Decimal(870),
            max_exposure_quote=Decimal(1500),
            max_open_positions=3,
            away_because="Redis does not answer",
        ),
        "log": LogVitals(lost=17, trouble="No space left on device"),
        "symbols": {"BTCUSDT": SymbolVitals(failures_in_a_row=3), "ETHUSDT": SymbolVitals(rests_until_cycle=1240)},
        "dropped_candles": {"not closed yet": 900, "repeated": 2},
        "troubles": (Trouble(wall_ms(), "error", f"alarm {HOSTILE}"), Trouble(wall_ms(), "warning", "slow")),
    }


class TestPage:
    def test_everything_that_the_trader_tells_is_there(self, bare, trading):
        trading(bare, **everything())
        page = bare.trader().get("/system")
        for words in (
            "Cycle 1,234 2 ticks missed",
            "A tick takes 31 ms mean 44 ms, longest 2.50 s of 100",
            "It begins late by 0.5 ms mean 1.5 ms, longest 12 ms",
            "does not answer",
            "3 reconnections",
            "idle no position to watch",
            "Candle stream 1 delivers since",
            "7 reconnections",
            "Quote stream 1 idle the feed process tells the market",
            "4,321 sent, 5 unanswered mean 22 ms, 95 % within 80 ms, longest 1.70 s (last 500); 3 wait for their turn",
            "The exchange has asked us to send nothing until",
            "-12 ms from this machine's ± 20 ms",
            "5,100 of 6,000",
            "none of ours of 50",
            "7 of 160,000",
            "cache: away since",
            "shared by 2 daemons cannot agree Redis does not answer",
            "majors: 4,000.50 USDT and 870.00 on 1 of 2 symbols",
            "all hold 870.00 of at most 1,500.00 , at most 3 positions",
            "account&#39;s lease: answers",
            "cannot be written No space left on device 17 lines were lost",
            "2: repeated",
            "4711",
            "123.4 MB",
            "10.0 %",
            "0.4 ms at most 75 ms 6 times over 50 ms in the last minute, the longest at agents/signal.py:97 in ask",
            "the event loop was blocked for more than 50 ms 6 times within a minute",
            "suspended until cycle 1240",
            "python 3.11.7",
            "error",
        ):
            assert words in page.words, words
        assert "900" not in page.words  # the running candle is left out of every answer, and no trouble

    def test_what_others_wrote_is_text(self, bare, trading):
        trading(bare, **everything(), detail=HOSTILE)
        page = bare.trader().get("/system")
        assert "<script>alert" not in page.text
        assert page.text.count("&lt;script&gt;alert") >= 3

    def test_gauges_say_their_numbers_too(self, bare, trading):
        trading(bare, **everything())
        gauge = re.search(r'<meter[^>]*aria-label="Request weight[^>]*>', bare.trader().get("/system").text)[0]
        assert 'max="6000"' in gauge
        assert 'value="5100"' in gauge

    @pytest.mark.parametrize("change", [{"written_wall_ms": 1_767_571_200_000}, {"run_id": "the run before"}])
    def test_what_is_old_is_said_to_be_old(self, bare, trading, change):
        trading(bare, **{**everything(), **change})
        page = bare.trader().get("/system").words
        assert "No trader tells how it is now. Below is what was told" in page
        assert "trader, as it was" in page
        assert page.count("not traded now") == 2

    def test_a_trader_that_tells_nothing_yet(self, bare, trading):
        trading(bare, "starting", detail="the exchange cannot be reached", told=False)
        page = bare.trader().get("/system").words
        assert "The trader starts, and does not trade yet. the exchange cannot be reached" in page
        assert "No trader has told anything yet." in page

    def test_what_cannot_be_read_as_vitals_is_none(self, bare, trading):
        trading(bare)
        vitals.vitals_path(bare.ledger_path).write_bytes(b'{"ticks": ')
        assert bare.trader().get("/system").status == 200
        assert asked(bare, "/ready")[0] == 200

    def test_symbols_have_their_last_decision_and_alarms_stand_first(self, serve, trading, tmp_path):
        async def write(ledger):
            await ledger.raise_alarm("unprotected", "BTCUSDT", f"0.5 held {HOSTILE}", 900, blocks=True)
            await ledger.raise_alarm("keys", "", "refused", 901)
            await ledger.clear_alarm("keys", "", 902)

        asyncio.run(written(tmp_path / "ledger.db", write))
        own = serve(played=False, password=False)
        trading(own)
        page = own.trader().get("/system/state").words
        assert "Alarms 1 standing" in page
        assert page.index("unprotected BTCUSDT") < page.index("keys everything")
        assert "keeps entries away" in page
        assert "over" in page

    def test_the_traded_ledger_shows_both_symbols(self, viewer):
        words = viewer.get("/system/symbols").words
        assert "BTCUSDT not traded now" in words
        assert "ETHUSDT not traded now" in words
        assert "2026-01-05 00:19:00" in words

    def test_regions_tell_the_same_until_something_changes(self, bare, trading):
        trading(bare, **everything())
        viewer = bare.trader()
        first = viewer.get("/system/trader", hx_request="true").text
        assert re.sub(r"<td.*?</td>|>\d+ s ago<", "", viewer.get("/system/trader", hx_request="true").text) == re.sub(
            r"<td.*?</td>|>\d+ s ago<", "", first
        )


class TestIntegrity:
    def shown(self, served):
        viewer = served.trader()
        deadline = monotonic_seconds() + 10
        while "being checked" in (words := viewer.get("/system/storage").words):
            assert monotonic_seconds() < deadline
        return words

    def test_a_sound_ledger(self, serve):
        words = self.shown(serve(password=False))
        assert "Ledger sound" in words
        assert "sound: all of it was read 0 s ago" in words

    def test_a_damaged_one(self, serve, tmp_path, played_folder):
        text = (played_folder / "ledger.db").read_bytes()
        (tmp_path / "ledger.db").write_bytes(text[: len(text) // 2])
        served = serve(played=False, password=False)
        assert "Ledger damaged" in self.shown(served)
        assert served.trader().get("/system").status == 200
