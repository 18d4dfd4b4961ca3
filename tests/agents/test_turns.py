"""Turns: in the symbols' order, or side by side with one entry at a time."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.agents.turns import ENTRIES_AT_ONCE, Crowd, Entrance, Turn
from binance_trade_agent.ops.clock import give_way
from binance_trade_agent.ops.tasks import spawn, stop

STEPS = st.integers(0, 6)  # turns of the event loop


async def pause(turns_of_the_loop: int) -> None:
    for _ in range(turns_of_the_loop):
        await give_way()


async def nothing() -> None:
    """Nothing is to be done beforehand."""


@settings(max_examples=60)
@given(
    work=st.lists(st.tuples(STEPS, STEPS, STEPS, STEPS, st.booleans()), min_size=1, max_size=30),
    room=st.integers(0, 6),
)
def test_who_reads_and_commits_in_its_turn_never_fills_more_room_than_there_is(work, room):
    """Each looks, waits for its turn, reads what is left, takes from it, passes on, and then waits for its answer."""
    taken, answered = [], []

    async def enter(turn: Turn, number: int, looks: int, asks: int, commits: int, answers: int, fails: bool) -> None:
        async with turn:
            await pause(looks)
            await turn.looked(may_act=True)
            await turn.may_enter(lambda: pause(asks))
            left = room - len(taken)
            await pause(commits)
            if fails:
                raise ZeroDivisionError
            if left > 0:
                taken.append(number)
                turn.pass_on()
                await pause(answers)
                answered.append(number)

    async def all_of_them() -> None:
        entrance = Entrance()
        crowd = Crowd(entrance)
        tasks = [asyncio.ensure_future(enter(crowd.turn(), number, *each)) for number, each in enumerate(work)]
        await crowd.over()
        assert len(taken) == min(room, sum(not each[-1] for each in work))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sorted(answered) == sorted(taken)
        await entrance.clear()

    asyncio.run(all_of_them())


async def test_entries_are_decided_on_while_earlier_ones_wait_for_their_answers_and_only_so_many():
    crowd, answer = Crowd(Entrance()), asyncio.Event()
    on_the_wire: list[int] = []

    async def enter(number: int) -> None:
        async with crowd.turn() as turn:
            await turn.may_enter(nothing)
            turn.pass_on()
            on_the_wire.append(number)
            await answer.wait()

    tasks = [spawn(enter(number), name=f"entry {number}") for number in range(ENTRIES_AT_ONCE + 3)]
    await pause(100)
    assert on_the_wire == list(range(ENTRIES_AT_ONCE))
    answer.set()
    await asyncio.gather(*tasks)
    assert len(on_the_wire) == ENTRIES_AT_ONCE + 3


async def test_who_will_not_act_waits_until_all_have_looked_and_no_entry_is_being_decided_on():
    crowd, late, deciding = Crowd(Entrance()), asyncio.Event(), asyncio.Event()
    went: list[str] = []

    async def hold(turn: Turn) -> None:
        async with turn:
            await turn.looked(may_act=False)
            went.append("hold")

    async def enter(turn: Turn) -> None:
        async with turn:
            await late.wait()
            await turn.looked(may_act=True)
            await turn.may_enter(nothing)
            await deciding.wait()
            went.append("enter")
            turn.pass_on()

    tasks = [spawn(hold(crowd.turn()), name="hold")]
    await pause(20)
    assert went == [], "more may come"
    tasks += [spawn(enter(crowd.turn()), name="enter"), spawn(crowd.over(), name="over")]
    await pause(20)
    assert went == []
    late.set()
    await pause(20)
    assert went == [], "it is being decided on"
    deciding.set()
    await asyncio.gather(*tasks)
    assert went == ["enter", "hold"]


async def test_who_is_cut_off_while_it_waits_keeps_nobody_out():
    entrance = Entrance()
    crowd, first_may_go = Crowd(entrance), asyncio.Event()

    async def enter(until: asyncio.Event) -> None:
        async with crowd.turn() as turn:
            await turn.looked(may_act=True)
            await turn.may_enter(nothing)
            await until.wait()

    tasks = [spawn(enter(first_may_go), name=f"entry {number}") for number in range(3)]
    await pause(20)
    await stop(tasks[1])
    first_may_go.set()
    await asyncio.gather(tasks[0], tasks[2])
    await asyncio.gather(crowd.over(), entrance.clear())
