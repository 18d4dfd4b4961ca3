"""The folder that processes share when there is no Redis."""

import asyncio
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.cache.folder_cache import FolderCache
from binance_trade_agent.ops.clock import machine_time
from tests.said import warnings_in


class Machine:
    """A machine whose time passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def wall_ms(self) -> int:
        return 1_760_000_000_000 + round(self.seconds * 1000)

    def monotonic_seconds(self) -> float:
        return self.seconds


@pytest.fixture
def machine():
    machine = Machine()
    with machine_time(machine):
        yield machine


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger.db.board"


async def test_value_is_there_until_its_time_is_over(machine, folder):
    cache = FolderCache(folder)
    await cache.put("key", b"value", 5)
    assert await cache.get("key") == b"value"
    machine.seconds += 5
    assert await cache.get("key") is None


async def test_later_value_replaces_the_earlier_one_and_its_time(machine, folder):
    cache = FolderCache(folder)
    await cache.put("key", b"old", 1)
    await cache.put("key", b"", 60)
    machine.seconds += 59
    assert await cache.get("key") == b""
    assert len(list(folder.iterdir())) == 1


def test_another_process_sees_it(folder):
    asyncio.run(FolderCache(folder).put("quote:BTCUSDT", b"\x00\xff", 60))
    program = (
        "import asyncio, pathlib, sys; from binance_trade_agent.cache.folder_cache import FolderCache;"
        "print(asyncio.run(FolderCache(pathlib.Path(sys.argv[1])).get('quote:BTCUSDT')))"
    )
    seen = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == repr(b"\x00\xff")


@given(key=st.text(max_size=300))
async def test_any_text_is_a_key_and_no_file_lies_elsewhere(tmp_path_factory, key):
    place = tmp_path_factory.mktemp("keys")
    cache = FolderCache(place / "board")
    await cache.put(key, b"value", 60)
    assert await cache.get(key) == b"value"
    assert await cache.get(key + "x") is None
    assert [path.name for path in place.iterdir()] == ["board"]


async def test_nobody_else_may_look_inside(folder):
    await FolderCache(folder).put("key", b"value", 60)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_what_has_expired_is_swept_and_what_was_left_half_written(machine, folder):
    cache = FolderCache(folder)
    await cache.put("gone", b"value", 5)
    await cache.put("kept", b"value", 86_400)
    (folder / "0123.note.4711").write_bytes(b"half")
    (folder / "notes.txt").write_text("somebody's own")
    machine.seconds += 600
    await cache.put("new", b"value", 5)
    assert len(list(folder.iterdir())) == 3
    assert (folder / "notes.txt").exists()
    assert await cache.get("kept") == b"value"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 7, b"\x00" * 4000])
async def test_rubbish_in_a_file_is_no_value(folder, content):
    cache = FolderCache(folder)
    await cache.put("key", b"value", 60)
    (path,) = folder.iterdir()
    path.write_bytes(content)
    assert await cache.get("key") is None


async def test_folder_that_cannot_be_made_is_said_once_and_keeps_nothing(folder, caplog):
    folder.write_text("a file is in the way")
    cache = FolderCache(folder)
    for _ in range(3):
        await cache.put("key", b"value", 60)
        assert await cache.get("key") is None
    (warning,) = warnings_in(caplog)
    assert f"{folder} cannot be written" in warning
    folder.unlink()
    await cache.put("key", b"value", 60)
    assert await cache.get("key") == b"value"


async def test_reading_makes_no_folder(folder):
    assert await FolderCache(folder).get("key") is None
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []
