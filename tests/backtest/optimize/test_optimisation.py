"""A whole optimisation on a hill: what is judged where, what is joined, what is warned of, and how it is told."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from binance_trade_agent.backtest.optimize.goals import goals_named
from binance_trade_agent.backtest.optimize.memory import Memory
from binance_trade_agent.backtest.optimize.model import Curve, OptimizeError, Outcome, Span
from binance_trade_agent.backtest.optimize.optimisation import optimise
from binance_trade_agent.backtest.optimize.progress import Lines, shown
from binance_trade_agent.backtest.optimize.report import Setting, as_csv, as_json, as_text
from binance_trade_agent.backtest.optimize.samplers import sampler_of
from binance_trade_agent.backtest.optimize.search import Question
from binance_trade_agent.backtest.optimize.space import space_of
from binance_trade_agent.backtest.optimize.windows import held_back, walking_forward
from binance_trade_agent.backtest.optimize.workers import InProcess, Workload, local_workers
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.reports import performance
from tests.backtest.optimize.objectives import PERIOD, Hill, candles, workload

TEXTS = ["rsi_period=5:20:3", "rsi_oversold=20:30:5", "rsi_overbought=60:75:3"]
OPTIONS = ("--symbol", "BTCUSDT", "--risk-stop-loss-pct", "3")
SETTING = Setting(("BTCUSDT",), "1h", PERIOD, "BTCUSDT 1h, 960 candles", "grid", 0, OPTIONS, OPTIONS[2:])


def optimised(windows=None, goals=("sharpe",), workers=None, hill=None, name="grid", trials=None, progress=None, top=5):
    space = space_of("rsi_momentum", {"rsi_overbought": "66"}, TEXTS, grid=name == "grid")
    question = Question(space, goals_named(goals), 10)
    workers = workers or InProcess(Workload(lambda _: hill or Hill(candles()), {}))

    def sampler():
        return sampler_of(name, space, goals=len(goals), trials=trials, seed=5, batch=10)

    return optimise(
        question,
        windows or held_back(PERIOD, 0.25),
        sampler,
        Memory(workers, goals),
        top=top,
        progress=progress,
    )


def words(line):
    """A row of a table, its columns one blank apart."""
    return " ".join(line.split())


def test_the_best_of_the_searched_part_is_judged_on_the_part_that_was_kept_back():
    found = optimised()
    (window,) = found.windows
    assert [span.length_ms / DAY_MS for span in (window.window.train, window.window.test)] == [30, 10]
    assert window.best[0].params == {"rsi_period": "11", "rsi_oversold": "25", "rsi_overbought": "66"}
    assert window.best[0].inside.measures["sharpe"] == 2.0
    assert window.best[0].outside.measures["sharpe"] == 2.03  # the hill rises a little with time
    assert [judged.outside.trades for judged in window.best] == [10] * 5
    assert window.unchanged.params == {}
    assert window.unchanged.inside.measures["sharpe"] < 2
    assert window.deflated.trials == len(window.found.trials) == 6 * 3 * 6


def test_that_nothing_beats_the_parameters_as_they_are_is_said():
    said = "No set that was tried beats the parameters as they are set."
    assert said not in optimised().windows[0].warnings

    class Settled(Hill):
        def __call__(self, task):
            outcome = super().__call__(task)
            return outcome if task.params else replace(outcome, measures={**outcome.measures, "sharpe": 2.0})

    assert said in optimised(hill=Settled(candles())).windows[0].warnings


def test_without_a_part_kept_back_it_warns():
    (window,) = optimised(held_back(PERIOD, 0)).windows
    assert window.best[0].outside is None
    assert any(warning.startswith("Nothing was kept back") for warning in window.warnings)


def test_walking_forward_joins_what_was_not_searched():
    windows = walking_forward(PERIOD, 2, train_days=20, test_days=10)
    found = optimised(windows)
    curve = found.joined.curve
    assert (curve.times_ms[0], curve.times_ms[-1]) == (20 * DAY_MS, 40 * DAY_MS)
    assert np.all(np.diff(curve.times_ms) > 0)
    outsides = [result.best[0].outside for result in found.windows]
    gains = [outside.curve.equity_quote[-1] / outside.curve.equity_quote[0] for outside in outsides]
    assert curve.equity_quote[-1] / curve.equity_quote[0] == pytest.approx(gains[0] * gains[1])
    assert found.joined.measures["profit"] == pytest.approx(100 * (gains[0] * gains[1] - 1))
    assert found.joined.measures["sharpe"] == performance.sharpe(curve.times_ms, curve.equity_quote)
    assert found.joined.measures["trades"] == 20
    assert found.joined.efficiency == pytest.approx(1, abs=0.2)


def test_several_goals_show_the_front():
    (window,) = optimised(goals=("sharpe", "drawdown"), top=50).windows
    points = [(judged.inside.measures["sharpe"], judged.inside.measures["drawdown"]) for judged in window.best]
    assert len(points) == 3  # a shorter period draws down less, and is farther from the top
    assert points == sorted(points, reverse=True)
    assert points[0][0] == 2.0


def test_a_search_that_finds_nothing_worth_something_says_so():
    found = optimised(hill=Hill(candles(), most_oversold=0))
    assert found.windows[0].best == []
    text = as_text(SETTING, found)
    assert "No set closed at least 10 trades with a number for every goal." in text
    assert "To use the best" not in text
    assert json.loads(as_json(SETTING, found))["best"] is None


def test_a_period_that_cannot_be_traded_is_said_before_a_hundred_sets_try():
    class Refused(Hill):
        def __call__(self, _task):
            self.asked += 1
            return Outcome({}, 0, None, "BTCUSDT has no 1h candles from 1970 on")

    hill = Refused(candles())
    with pytest.raises(OptimizeError, match=r"^BTCUSDT has no 1h candles from 1970 on$"):
        optimised(hill=hill)
    assert hill.asked == 2


def test_the_report_is_the_same_with_one_process_and_with_two():
    with local_workers(workload(), 2, expected=100, now_seconds=lambda: 0.0) as workers:
        for name, trials in [("grid", None), ("random", 20), ("tpe", 20)]:
            alone = optimised(workers=InProcess(workload()), name=name, trials=trials)
            together = optimised(workers=workers, name=name, trials=trials)
            assert as_text(SETTING, together) == as_text(SETTING, alone), name
            assert as_json(SETTING, together) == as_json(SETTING, alone), name
            assert as_csv(together) == as_csv(alone), name


def test_a_search_that_was_ended_and_begun_again_gives_the_report_of_one_that_was_not(tmp_path):

    class Killed(Hill):
        was_ended = False

        def __call__(self, task):
            if self.asked == 17 and not self.was_ended:
                self.was_ended = True
                raise KeyboardInterrupt
            return super().__call__(task)

    def searched(hill):
        workers = InProcess(Workload(lambda _: hill, {}))
        with Memory.of(workers, ("sharpe",), tmp_path / "search.jsonl", {"data": "d"}) as memory:
            return optimised(workers=memory, name="tpe", trials=40)

    first = searched(Killed(candles()))
    assert first.was_interrupted
    assert "It was ended before its end" in as_text(SETTING, first)
    rest = Hill(candles())
    assert as_json(SETTING, searched(rest)) == as_json(SETTING, optimised(name="tpe", trials=40))
    assert rest.asked < 40


def test_the_report_shows_the_best_beside_out_of_sample_and_how_to_use_it():
    text = as_text(SETTING, optimised())
    lines = text.splitlines()
    searched = "rsi_period=5 to 20 (6 values), rsi_oversold=20, 25, 30, rsi_overbought=60 to 75 (6 values)"
    assert lines[:3] == [
        "Optimise rsi_momentum on BTCUSDT 1h, 1970-01-01 to 1970-02-10",
        f"  searched: {searched}: 108 sets; sampler grid",
        "  goal: highest sharpe (Sharpe ratio of daily returns, a year); at least 10 trades",
    ]
    (heading,) = [line for line in lines if "rsi_period  rsi_oversold" in line]
    assert words(heading) == "rsi_period rsi_oversold rsi_overbought sharpe out profit out drawdown out trades out"
    first = words(lines[lines.index(heading) + 1])
    assert first == "1 11 25 66 2.00 2.03 20.00 % 20.30 % 16.00 % 16.00 % 30 10"
    assert any(line.split()[:2] == ["as", "set"] for line in lines)
    params = "rsi_overbought=66,rsi_period=11,rsi_oversold=25"
    chosen = f"--strategy-name rsi_momentum --strategy-params {params}"
    market = "--symbols BTCUSDT --candle-interval 1h --interval-seconds 3600"
    assert lines[-5:] == [
        "To use the best:",
        "  STRATEGY_NAME=rsi_momentum",
        f"  STRATEGY_PARAMS={params}",
        f"  trade-agent backtest {chosen} --symbol BTCUSDT --risk-stop-loss-pct 3",
        f"  trade-agent run {chosen} {market} --risk-stop-loss-pct 3",
    ]


def test_walking_forward_is_a_table_of_in_and_out_of_sample():
    text = as_text(SETTING, optimised(walking_forward(PERIOD, 2, train_days=20, test_days=10)))
    assert "Window 2: searched on 1970-01-11 to 1970-01-31, kept back 1970-01-31 to 1970-02-10" in text
    rows = [words(line) for line in text.splitlines() if line.strip().startswith(("1  1970", "2  1970"))]
    best = "rsi_period=11,rsi_oversold=25,rsi_overbought=66"
    assert rows == [
        f"1 1970-01-21 to 1970-01-31 2.00 2.02 20.00 % 20.20 % 20 10 {best}",
        f"2 1970-01-31 to 1970-02-10 2.01 2.03 20.10 % 20.30 % 20 10 {best}",
    ]
    assert "Out of sample together: profit " in text


def test_the_csv_has_a_line_for_every_set_of_every_window():
    found = optimised(walking_forward(PERIOD, 2, train_days=20, test_days=10))
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == 2 * 108
    assert list(rows[0]) == [
        "window", "number", "state", "rsi_period", "rsi_oversold", "rsi_overbought", "sharpe", "profit", "drawdown", "trades",
    ]  # fmt: skip
    best = max(rows, key=lambda row: float(row["sharpe"] or -9))
    assert (best["window"], best["rsi_period"], best["state"]) == ("2", "11", "scored")


def test_the_json_has_numbers_settings_and_every_set():
    document = json.loads(as_json(SETTING, optimised()))
    (window,) = document["windows"]
    assert document["best"]["settings"]["STRATEGY_NAME"] == "rsi_momentum"
    assert window["best"][0]["in_sample"]["sharpe"] == 2.0
    assert window["best"][0]["out_of_sample"]["sharpe"] == 2.03
    assert window["counts"] == {"scored": 108, "worthless": 0, "refused": 0, "pruned": 0}
    assert len(window["trials"]) == 108
    assert window["deflated_sharpe"]["trials"] == 108


def test_progress_is_a_line_every_few_seconds_with_the_best_so_far():
    now = [0.0]

    class Slow(Hill):
        def __call__(self, task):
            now[0] += 0.25
            return super().__call__(task)

    told = io.StringIO()
    goals = goals_named(["sharpe"])
    optimised(hill=Slow(candles()), progress=Lines(goals, told, lambda: now[0]))
    lines = told.getvalue().splitlines()
    assert len(lines) == 6  # 27 seconds of sets, and the end
    assert lines[0].startswith("sets: 18 of 108, best sharpe 1.")
    assert lines[-1] == ("sets: 108 of 108, best sharpe 2.00 (rsi_period=11,rsi_oversold=25,rsi_overbought=66)")


def test_on_a_terminal_a_bar_is_drawn_and_taken_away():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    file = Terminal()
    with shown(goals_named(["sharpe"]), lambda: 0.0, file) as progress:
        optimised(progress=progress)
    assert "108/108" in file.getvalue()
    assert "best sharpe 2.00" in file.getvalue()


def test_a_curve_is_the_returns_that_its_sharpe_ratio_is_of():
    """What the deflated Sharpe ratio takes from a curve is what `performance.daily_returns` takes from ticks."""
    hours = np.arange(0, 10 * DAY_MS, 3_600_000)
    equity = 1000 + np.cumsum(np.random.default_rng(2).normal(size=len(hours)))
    begins, at_end = performance.daily_equity(hours, equity)
    curve = Curve(np.concatenate([[0], begins + DAY_MS]), np.concatenate([equity[:1], at_end]))
    returns = curve.equity_quote[1:] / curve.equity_quote[:-1] - 1
    assert returns == pytest.approx(performance.daily_returns(hours, equity))
    assert performance.sharpe(curve.times_ms, curve.equity_quote) == pytest.approx(performance.sharpe(hours, equity))


def test_a_span_reads_as_dates():
    assert str(Span(0, DAY_MS)) == "1970-01-01 to 1970-01-02"
    assert str(Span(1_722_003_360_000, 1_722_816_000_000)) == "2024-07-26T14:16:00Z to 2024-08-05"
