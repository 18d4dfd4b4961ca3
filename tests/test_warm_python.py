"""A fork is what a process of its own would be: its folder, its words, its environment, its limits and its end."""

import asyncio
import os
import resource
import signal

import pytest

from tests.warm_python import start, start_cold

_TELLS = """
import os, resource, sys
print(sys.argv[1:], os.getcwd(), sorted(os.environ), resource.getrlimit(resource.RLIMIT_NOFILE), __name__)
print("wrong", file=sys.stderr)
sys.exit(3)
"""


@pytest.mark.parametrize("begin", [start, start_cold])
async def test_it_has_what_it_is_given_and_ends_with_its_code(tmp_path, monkeypatch, begin):
    (tmp_path / "tells.py").write_text(_TELLS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        process = await begin("tells", "a", "b", folder=tmp_path, environment={"LC_CTYPE": "C.UTF-8", "ONLY": "this"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    out, errors = await process.communicate()
    said = f"['a', 'b'] {tmp_path} ['LC_CTYPE', 'ONLY'] {(soft - 1, hard)} __main__\n"
    assert (process.returncode, out.decode(), errors) == (3, said, b"wrong\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_signal_ends_it_and_no_other(tmp_path, number):
    (tmp_path / "waits.py").write_text("import time; print('waiting', flush=True); time.sleep(60)")
    one, other = await asyncio.gather(*(start("waits", folder=tmp_path, environment=os.environ) for _ in range(2)))
    assert [await each.stdout.readline() for each in (one, other)] == [b"waiting\n"] * 2
    one.send_signal(number)
    assert await one.wait() == -number
    assert (one.returncode, other.returncode) == (-number, None)
    other.kill()
    assert await other.wait() == -signal.SIGKILL
    other.kill()  # of what has ended it means nothing


async def test_what_raises_ends_with_its_traceback(tmp_path):
    (tmp_path / "raises.py").write_text("raise ValueError('this')")
    process = await start("raises", folder=tmp_path, environment=os.environ)
    out, errors = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert errors.decode().endswith("ValueError: this\n")
