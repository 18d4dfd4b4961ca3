"""`strategies check`: every built-in strategy passes, and for each line there are strategies that fail it."""

import itertools
import sys
import threading
from typing import Self

import numpy as np
import pandas as pd
import pytest
from pydantic import Field, model_validator

from binance_trade_agent.domain.checks import Verdict
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.strategies.base import Strategy, Votes, directions
from binance_trade_agent.strategies.bollinger_bands import BollingerBands, BollingerParams
from binance_trade_agent.strategies.check import check_strategy, rows_needed, single
from binance_trade_agent.strategies.check.candles import check_candles
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.registry import create_strategy, is_preset, strategy_names
from binance_trade_agent.strategies.template import Template, TemplateParams

SUBJECTS = (
    *("runs", "bounds", "values", "frame", "repeats"),
    *("look-ahead", "start-up", "explains", "time", "signals"),
)


class SoundParams(StrategyParams):
    period: int = Field(5, ge=1, le=50, description="candles looked back")
    pct: float = Field(0.05, ge=0, le=20, description="least change, percent")


class Sound(Strategy[SoundParams]):
    """The strategies below are this one with one thing done badly."""

    name = "sound"
    summary = "buys what rose"
    Params = SoundParams

    @property
    def warm_up(self):
        return self.params.period + 1

    def change(self, frame: pd.DataFrame) -> pd.Series:
        """What is compared with the threshold: the change of the close, percent."""
        return 100 * (frame["close"] / frame["close"].shift(self.params.period) - 1)

    def vote(self, frame):
        change = self.change(frame).to_numpy()
        direction = directions(change > self.params.pct, change < -self.params.pct)
        return Votes(direction, np.full(len(frame), 0.75), {"change": change})

    def reason(self, row):
        return f"change {row['change']:+.2f} %"


def findings(strategy: Strategy, rows: int = 900):
    return {found.subject: found for found in check_strategy(strategy, check_candles(rows), monotonic_seconds)}


def failures(strategy_class, seconds=monotonic_seconds):
    """What is said in each line that failed, with the default parameters on one frame of 900 rows."""
    frames = {"usual prices": check_candles(900)["usual prices"]}
    found = check_strategy(strategy_class(strategy_class.Params()), frames, seconds)
    return {each.subject: each.text for each in found if each.verdict is Verdict.FAILED}


class TestPasses:
    @pytest.mark.parametrize("name", [name for name in strategy_names(None) if not is_preset(name)])
    def test_every_built_in_strategy(self, name):
        strategy = create_strategy(name)
        found = findings(strategy, rows_needed(strategy) + 1400)
        assert tuple(found) == SUBJECTS
        assert [each for each in found.values() if each.verdict is not Verdict.OK] == []

    @pytest.mark.parametrize("made", [Template(TemplateParams()), Sound(SoundParams())], ids=lambda made: made.name)
    def test_the_template_and_what_the_bad_ones_are_made_of(self, made):
        assert {each.verdict for each in findings(made).values()} == {Verdict.OK}

    def test_the_lines_say_what_was_done(self):
        found = findings(Sound(SoundParams()))
        assert found["runs"].text == "2,700 candles: usual prices, tiny prices, huge prices; warm-up 6 candles"
        assert found["bounds"].text == "runs at both ends of 2 parameters"
        assert found["explains"].text == "a line of text for BUY, SELL, HOLD"

    def test_ends_of_bounds_that_the_parameters_themselves_refuse_are_no_failure(self):
        class Ordered(SoundParams):
            other: int = Field(20, ge=1, le=50)

            @model_validator(mode="after")
            def _in_order(self) -> Self:
                if self.period >= self.other:
                    raise ValueError("period must be below other")
                return self

        class WithOrder(Sound):
            Params = Ordered

        found = findings(WithOrder(Ordered()))["bounds"]
        assert found.text == "runs at both ends of 3 parameters; 2 refused by its own rules between parameters"

    def test_a_row_on_its_threshold_may_fall_to_either_side(self):
        # The fourth of 20 candles after a jump out of a flat market is two standard deviations from the mean, exactly.
        found = findings(BollingerBands(BollingerParams()), 2400)["start-up"]
        assert found.verdict is Verdict.OK
        assert "rows on a threshold" in found.text

    def test_data_of_ones_own(self, walk):
        frames = {"BTCUSDT-1m.csv": walk(3, 1200)}
        found = list(check_strategy(create_strategy("rsi_aggressive"), frames, monotonic_seconds))
        assert {each.verdict for each in found} == {Verdict.OK}
        assert found[0].text == "1,200 candles: BTCUSDT-1m.csv; warm-up 300 candles"


class TestRuns:
    """When it does not even run, nothing else is checked."""

    def test_one_that_raises_is_told_with_file_and_line(self):
        class Raises(Sound):
            def vote(self, frame):
                return frame["vwap"]

        (text,) = failures(Raises).values()
        assert text.startswith("it raises KeyError: 'vwap', at ")
        assert "test_check.py:" in text

    def test_one_that_ends_the_process_is_a_failure_like_another(self):
        class Exits(Sound):
            def vote(self, frame):
                sys.exit(len(frame))

        assert failures(Exits)["runs"].startswith("it raises SystemExit: 500")

    def test_one_that_does_not_come_back_is_not_waited_for(self, monkeypatch):
        monkeypatch.setattr(single, "_ANSWER_SECONDS", 0.05)
        woken = threading.Event()

        class Endless(Sound):
            def vote(self, frame):
                woken.wait(60)
                return super().vote(frame)

        assert failures(Endless) == {"runs": "no answer in 0.05 s about 500 candles: a live tick is given up then"}
        woken.set()

    @pytest.mark.parametrize("warm_up", [0, 4001, 20.0, None])
    def test_a_warm_up_must_be_one_that_a_start_can_wait_for(self, warm_up):
        bad = type("BadWarmUp", (Sound,), {"warm_up": warm_up})
        said = f"warm_up is {warm_up!r} with period=5, pct=0.05: it must be a whole number from 1 to 4000"
        assert failures(bad)["runs"].startswith(said)

    @pytest.mark.parametrize(
        ("votes", "said"),
        [
            (np.zeros, "vote returned ndarray: it must return Votes"),
            (
                lambda rows: Votes(np.zeros(rows - 1, np.int8), np.zeros(rows), {}),
                "direction has the shape (899,) for 900 rows: vote on every row, (900,)",
            ),
            (
                lambda rows: Votes(np.zeros(rows, np.int8), np.zeros(rows), {"ema": np.float64(3)}),
                "ema has the shape () for 900 rows",
            ),
            (
                lambda rows: Votes(np.arange(rows) // 100, np.zeros(rows), {}),
                "direction is 2 in row 200: it must be 1 (buy), -1 (sell) or 0 (neither)",
            ),
            (
                lambda rows: Votes(np.full(rows, np.nan), np.zeros(rows), {}),
                "direction is nan in row 0: it must be 1 (buy), -1 (sell) or 0 (neither)",
            ),
        ],
    )
    def test_votes_of_the_wrong_form(self, votes, said):
        class Misshapen(Sound):
            def vote(self, frame):
                return votes(len(frame))

        assert list(failures(Misshapen)) == ["runs"]
        assert failures(Misshapen)["runs"].startswith(said)


class TestBounds:
    def test_one_that_fails_at_an_end_of_a_parameter(self):
        class NeedsTwo(Sound):
            def change(self, frame):
                return super().change(frame) * (1 // (self.params.period - 1) + 1)

        (text,) = failures(NeedsTwo).values()
        assert text.startswith("with period=1 it raises ZeroDivisionError: ")
        assert text.endswith("handle that, or narrow the bounds")

    def test_one_whose_warm_up_grows_too_long(self):
        class Slow(Sound):
            @property
            def warm_up(self):
                return 81 * self.params.period

        assert list(failures(Slow)) == ["bounds"]
        assert failures(Slow)["bounds"].startswith("with period=50: warm_up is 4050 with period=50, pct=0.05: it must")

    def test_a_parameter_without_bounds(self):
        class Unbounded(SoundParams):
            other: int = Field(5, ge=1)

        bad = type("BadParams", (Sound,), {"Params": Unbounded})
        assert failures(bad) == {"bounds": "parameter other has no bounds: give it ge= and le="}


class TestValues:
    def test_a_confidence_that_is_undefined(self):
        class Undefined(Sound):
            def vote(self, frame):
                votes = super().vote(frame)
                return Votes(votes.direction, np.where(votes.direction > 0, np.nan, 0.5), votes.indicators)

        text = failures(Undefined)["values"]
        assert text.startswith("confidence is nan in row ")
        assert "it must be from 0 to 1" in text

    def test_signals_of_its_own_form(self):
        class Own(Sound):
            def signals(self, frame):
                return super().signals(frame).assign(action=lambda signals: signals["action"] * 1.5)

        assert "action is 1.5 in row " in failures(Own)["values"] or "action is -1.5 in row " in failures(Own)["values"]


class TestFrame:
    def test_one_that_adds_a_column(self):
        class Adds(Sound):
            def change(self, frame):
                frame["change"] = super().change(frame)
                return frame["change"]

        assert failures(Adds) == {
            "frame": "the frame that it was given has gained or lost the column change: work on frame.copy()"
        }

    def test_one_that_changes_values(self):
        class Rounds(Sound):
            def change(self, frame):
                frame.loc[frame.index[7], "volume"] = -1.0
                return super().change(frame)

        text = failures(Rounds)["frame"]
        assert text.startswith("volume in row 7 of usual prices (2023-11-14T22:21:00.000Z) was ")
        assert text.endswith(" and is -1: work on frame.copy()")


class TestRepeats:
    def test_one_that_throws_dice(self):
        class Dice(Sound):
            def change(self, frame):
                return super().change(frame) + np.random.default_rng().normal(0, 0.1, len(frame))

        assert failures(Dice)["repeats"].endswith(
            "asked again: keep nothing from one call to the next, and draw no random numbers"
        )

    def test_one_that_keeps_something_from_one_call_to_the_next(self):
        class Counts(Sound):
            calls = 0

            def change(self, frame):
                self.calls += 1
                return super().change(frame) * (1 + self.calls / 1000)

        assert "repeats" in failures(Counts)


class TestLookAhead:
    @pytest.mark.parametrize(
        "change",
        [
            lambda frame: 100 * (frame["close"].shift(-1) / frame["close"] - 1),
            lambda frame: 100 * (frame["close"] / frame["close"].rolling(5, center=True).mean() - 1),
            lambda frame: (frame["close"] - frame["close"].mean()) / frame["close"].std(),
            lambda frame: 100 * (frame["close"] / frame["close"].max() - 0.95),
            lambda frame: 100 * (frame["close"].where(frame.index % 7 == 0).bfill() / frame["close"] - 1),
            lambda frame: frame["close"].pct_change(5)[::-1].rolling(3).mean()[::-1] * 100,
            lambda frame: pd.Series(np.roll(frame["close"], -3) / frame["close"] * 100 - 100, frame.index),
        ],
        ids=["shift(-1)", "centred", "z-score of all", "maximum of all", "bfill", "backwards", "roll"],
    )
    def test_one_that_looks_at_later_rows(self, change):
        peeks = type("Peeks", (Sound,), {"change": staticmethod(change)})
        text = failures(peeks)["look-ahead"]
        assert "when the frame ends at row " in text
        assert "look at no row after the present one; no shift(-1), no centred window" in text

    def test_one_that_looks_ahead_only_where_it_speaks(self):
        class Cautious(Sound):
            """Takes a signal back when the next candle goes against it; on the last row it cannot."""

            def change(self, frame):
                change, after = super().change(frame), frame["close"].shift(-1) - frame["close"]
                return change.where(~((change > 3) & (after < 0)), 0.0)

        assert "look-ahead" in failures(Cautious)

    def test_an_indicator_that_looks_ahead_where_no_action_depends_on_it(self):
        class Shows(Sound):
            def vote(self, frame):
                votes = super().vote(frame)
                return Votes(
                    votes.direction,
                    votes.strength,
                    {**votes.indicators, "top": frame["high"][::-1].cummax()[::-1].to_numpy()},
                )

        assert " has top " in failures(Shows)["look-ahead"]


class TestStartUp:
    @pytest.mark.parametrize(
        "change",
        [
            lambda frame: frame["close"].pct_change().fillna(0).cumsum() * 100,
            lambda frame: 100 * (frame["close"] / frame["close"].cummax() - 0.97),
            lambda frame: 100 * (frame["close"] / frame["close"].expanding().mean() - 1),
            lambda frame: 100 * (frame["close"] / frame["close"].ewm(span=200, adjust=False).mean() - 1),
            lambda frame: pd.Series(np.arange(len(frame)) % 11 - 5.0, frame.index),
        ],
        ids=["running total", "all-time high", "mean of all before", "slow average", "row number"],
    )
    def test_one_that_remembers_more_than_its_warm_up(self, change):
        remembers = type("Remembers", (Sound,), {"change": staticmethod(change)})
        text = failures(remembers)["start-up"]
        assert "when the candles begin at row " in text
        assert "it remembers more than its warm_up of 6 candles; raise that, or let it forget" in text

    def test_the_same_average_with_warm_up_enough(self):
        class Warm(Sound):
            @property
            def warm_up(self):
                return 300

            def change(self, frame):
                return 100 * (frame["close"] / frame["close"].ewm(span=20, adjust=False).mean() - 1)

        assert failures(Warm) == {}

    def test_one_that_is_still_undefined_after_its_warm_up(self):
        class Late(Sound):
            def change(self, frame):
                return 100 * (frame["close"] / frame["close"].rolling(60).mean() - 1)

        text = failures(Late)["start-up"]
        assert "it is still undefined after its warm_up of 6 candles: raise that to what the indicators need" in text


class TestExplains:
    @pytest.mark.parametrize("said", [None, "", "two\nlines", 3])
    def test_one_without_a_line_for_a_sell(self, said):
        class Mute(Sound):
            def reason(self, row):
                return said if row["action"] < 0 else super().reason(row)

        text = failures(Mute)["explains"]
        assert text.startswith("reason of row ")
        assert text.endswith(f", a SELL, is {said!r}: return one line of text")

    def test_one_whose_glance_raises(self):
        class Breaks(Sound):
            def glance(self, row):
                return f"{row['changes']}"

        assert failures(Breaks)["explains"].startswith("it raises KeyError: 'changes', at ")


class TestTime:
    def test_one_that_is_too_slow_for_a_live_tick(self):
        reads = itertools.count(0.0, 1.5)  # each look at the clock finds it 1.5 s later
        text = failures(Sound, seconds=lambda: next(reads))["time"]
        assert text == (
            "1500.0 ms for a live tick (500 candles), 1500.0 ms for a frame of 900: a tick may take 1 s; use whole arrays "
            "instead of loops over rows"
        )

    def test_one_whose_live_tick_says_something_else_than_its_frame(self):
        class TwoFaced(Sound):
            def last_row(self, candles):
                return {**super().last_row(candles), "action": 1.0, "confidence": 0.5}

        said = "a live tick answers BUY, the last row of the same candles says "
        assert failures(TwoFaced)["time"].startswith(said)


class TestSignals:
    def test_one_that_says_nothing_is_warned_of(self):
        found = findings(Sound(SoundParams(pct=20)))
        assert found["signals"].verdict is Verdict.WARNING
        assert found["signals"].text.startswith("neither BUY nor SELL in 2,700 rows: it would never trade there")
        assert found["explains"].text == "a line of text for HOLD; no BUY and no SELL came up"
        assert not any(each.verdict is Verdict.FAILED for each in found.values())


def test_the_candles_hold_what_strategies_fail_on():
    for frame in check_candles(1800).values():
        change = frame["close"].pct_change().abs()
        longest_flat = (change == 0).astype(int).groupby((change != 0).cumsum()).sum().max()
        assert longest_flat > 30
        assert change.max() > 0.03
        assert (frame["volume"] == 0).any()
        assert ((frame["open"] - frame["close"].shift()).abs() / frame["open"]).max() > 0.03  # between two candles
        assert (frame["low"] > 0).all()
        assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
        assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
