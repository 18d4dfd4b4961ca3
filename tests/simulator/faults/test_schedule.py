"""A storm from a file."""

from pathlib import Path

import pytest

from binance_trade_agent.simulator.faults.schedule import ScheduleError, read_schedule
from tests.exchange_process import exchange_process

EXAMPLE = Path("config/faults/storm.toml")


def written(tmp_path, text: str) -> Path:
    path = tmp_path / "storm.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_faults_are_read_in_their_order_with_seeds_of_their_own(tmp_path):
    path = written(tmp_path, 'seed = 3\n[[fault]]\nkind = "latency"\n[[fault]]\nkind = "latency"\nseed = 9\n')
    first, second = read_schedule(path)
    assert (first.kind, second.seed) == ("latency", 9)
    assert first.seed == read_schedule(path)[0].seed != 9


def test_plural_name_of_the_tables_is_read(tmp_path):
    singular = read_schedule(written(tmp_path, '[[fault]]\nkind = "latency"\n'))
    assert read_schedule(written(tmp_path, '[[faults]]\nkind = "latency"\n')) == singular


def test_example_is_read():
    assert len(read_schedule(EXAMPLE)) > 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seed = ", "is not TOML"),
        ("sed = 1", "field 'sed' is unknown.*did you mean seed"),
        ('[[fault]]\nkind = "htp"', "entry 1: fault kind 'htp' is unknown"),
        ('[[fault]]\nkind = "http"\n[[fault]]\nkind = "http"\nstatus = "x"', "entry 2: fault http field 'status'"),
        ("fault = 3", "field 'fault' must be"),
    ],
)
def test_mistake_is_one_sentence_with_the_file(tmp_path, text, complaint):
    path = written(tmp_path, text)
    with pytest.raises(ScheduleError, match=complaint) as mistake:
        read_schedule(path)
    assert str(path) in str(mistake.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ScheduleError, match=r"missing\.toml cannot be read"):
        read_schedule(tmp_path / "missing.toml")


async def test_storm_is_the_same_each_time(tmp_path):
    storm = written(
        tmp_path,
        'seed = 11\n[[fault]]\nkind = "http"\npath = "time"\nprobability = 0.3\n'
        '[[fault]]\nkind = "http"\nstatus = 502\npath = "ping"\nat_seconds = 60\nfor_seconds = 60\n'
        '[[fault]]\nkind = "monthly_reset"\nat_seconds = 90\n',
    )

    async def session() -> list[int]:
        import aiohttp

        seen = []
        async with exchange_process(speed=None, faults=storm) as exchange, aiohttp.ClientSession() as http:
            for _ in range(10):
                for path in ("time", "ping"):
                    async with http.get(f"{exchange.url}/api/v3/{path}") as answer:
                        seen.append(answer.status)
                await exchange.advance(15_000)
        return seen

    first = await session()
    assert first == await session()
    assert first[1::2] == [200] * 4 + [502] * 4 + [200] * 2
    assert 503 in first[::2]
