"""Searching a hill whose top is known: what is tried, what is found, and that it is the same again."""

import pytest

from binance_trade_agent.backtest.optimize.goals import goals_named
from binance_trade_agent.backtest.optimize.model import OptimizeError, Span
from binance_trade_agent.backtest.optimize.samplers import SAMPLERS, sampler_of
from binance_trade_agent.backtest.optimize.search import Question, State, search
from binance_trade_agent.backtest.optimize.space import space_of
from binance_trade_agent.backtest.optimize.workers import InProcess, Workload
from binance_trade_agent.domain.candles import DAY_MS
from tests.backtest.optimize.objectives import PERIOD, Hill, candles

TEXTS = ["rsi_period=5:30", "rsi_oversold=10:45:1", "rsi_overbought=40:90:2"]
SMALL = ["rsi_period=5:15:2", "rsi_oversold=20:60:8", "rsi_overbought=40:90:10"]


class Asked:
    """Workers that note what they were asked."""

    def __init__(self, hill):
        self.hill = hill
        self.tasks = []
        self._workers = InProcess(Workload(lambda _: hill, {}))

    def outcomes(self, tasks):
        self.tasks += tasks
        return self._workers.outcomes(tasks)


def found(name="tpe", texts=TEXTS, goals=("sharpe",), trials=60, seed=1, pruner="none", hill=None, span=PERIOD):
    space = space_of("rsi_momentum", {}, texts, grid=name == "grid")
    question = Question(space, goals_named(goals), 10, prunes=pruner != "none")
    sampler, _ = sampler_of(name, space, goals=len(goals), trials=trials, seed=seed, batch=10, pruner=pruner)
    workers = Asked(hill or Hill(candles()))
    return search(question, span, sampler, workers), workers


def tried(result):
    return [tuple(trial.params.values()) for trial in result.trials]


def test_a_grid_tries_every_set_once_and_finds_the_best_of_them():
    result, workers = found("grid", SMALL, trials=None)
    space = space_of("rsi_momentum", {}, SMALL, grid=True)
    assert [trial.params for trial in result.trials] == list(space.every())
    hill = Hill(candles())
    runnable = [task for task in workers.tasks if space.refusal(task.params) is None]
    assert runnable == workers.tasks
    assert len(runnable) < space.size  # rsi_oversold 52 with rsi_overbought 50 is refused
    best = max(runnable, key=lambda task: hill(task).measures["sharpe"])
    assert result.front[0].params == best.params == {"rsi_period": "11", "rsi_oversold": "28", "rsi_overbought": "70"}
    assert result.counts()[State.REFUSED] == space.size - len(runnable)


@pytest.mark.parametrize("name", ["random", "tpe", "cmaes"])
def test_the_same_seed_tries_the_same_sets_and_another_seed_others(name):
    first, again, other = (tried(found(name, trials=30, seed=seed)[0]) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert len(first) == 30


@pytest.mark.parametrize("name", ["tpe", "cmaes"])
def test_a_sampler_that_learns_comes_nearer_than_chance(name):
    chance, learnt = (found(sampler, trials=120)[0].front[0].scores[0] for sampler in ("random", name))
    assert learnt > chance
    assert learnt > 1.8  # the top is 2


def test_it_learns_where_there_are_trades():
    result, _ = found("tpe", trials=80, hill=Hill(candles(), most_oversold=18))
    late = [trial.state for trial in result.trials[-20:]]
    assert late.count(State.SCORED) > 10
    assert {State.WORTHLESS, State.SCORED} <= {trial.state for trial in result.trials}


def test_several_goals_have_a_front_and_no_single_best():
    result, _ = found("nsga2", goals=("sharpe", "drawdown"), trials=100)
    front = result.front
    assert len(front) > 1
    assert [trial.scores[0] for trial in front] == sorted((trial.scores[0] for trial in front), reverse=True)
    assert [trial.scores[1] for trial in front] == sorted(trial.scores[1] for trial in front)


def test_pruning_gives_up_on_the_first_quarter_what_is_worse_than_most():
    result, workers = found("tpe", trials=60, pruner="median")
    pruned = [trial for trial in result.trials if trial.state is State.PRUNED]
    assert 5 < len(pruned) < 50
    quarter = Span(PERIOD.from_ms, PERIOD.from_ms + 10 * DAY_MS)
    whole = [task for task in workers.tasks if task.span == PERIOD]
    assert sum(task.span == quarter for task in workers.tasks) == 60 - result.counts()[State.REFUSED]
    assert len(whole) == 60 - len(pruned) - result.counts()[State.REFUSED]
    unpruned, _ = found("tpe", trials=60)
    assert result.front[0].scores[0] == pytest.approx(unpruned.front[0].scores[0], abs=0.4)


def test_a_grid_can_be_pruned_too():
    result, _ = found("grid", SMALL, trials=None, pruner="halving")
    assert tried(result) == tried(found("grid", SMALL, trials=None)[0])
    assert result.counts()[State.PRUNED] > 20


def test_an_interrupt_ends_the_search_with_what_was_finished():
    class Interrupted(Hill):
        def __call__(self, task):
            if self.asked == 25:
                raise KeyboardInterrupt
            return super().__call__(task)

    result, _ = found("random", SMALL, trials=60, hill=Interrupted(candles()))
    assert result.was_interrupted
    assert sum(trial.state is not State.REFUSED for trial in result.trials) == 25
    assert [trial.number for trial in result.trials] == sorted({trial.number for trial in result.trials})
    assert result.front


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        ({"name": "xyz"}, "--sampler xyz is unknown. There are: grid, random, tpe, cmaes, nsga2"),
        ({"name": "tpee"}, "--sampler tpee is unknown, did you mean tpe? There are: "),
        ({"pruner": "medium"}, "--prune medium is unknown, did you mean median? There are: none, median, halving"),
        ({"pruner": "median", "goals": ("sharpe", "drawdown")}, "--prune median needs one --goal"),
        ({"name": "cmaes", "texts": TEXTS[:1]}, "--sampler cmaes needs one --goal and two parameters at least"),
        ({"name": "grid", "trials": 100}, "the grid has 24,336 sets, more than 100: narrow it with --space"),
        ({"name": "grid", "trials": None}, "the grid has 24,336 sets, more than 10,000: narrow it with --space"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_sentence(changed, begins):
    with pytest.raises(OptimizeError) as refused:
        found(**changed)
    assert str(refused.value).startswith(begins)


def test_every_sampler_that_is_named_can_be_made():
    space = space_of("rsi_momentum", {}, SMALL, grid=True)
    for name in SAMPLERS:
        sampler, _ = sampler_of(name, space, goals=1, trials=None, seed=0, batch=5)
        assert sampler.propose()[0].params.keys() == {"rsi_period", "rsi_oversold", "rsi_overbought"}
