"""Two exchanges never keep their state in one file, and one that is ready says where it is."""

import json

from tests.exchange_process import exchange_process, start_process


async def test_second_exchange_on_the_same_state_file_is_refused_until_the_first_ends(tmp_path):
    options = {"speed": None, "state": tmp_path / "state", "announce": tmp_path / "announced.json"}
    async with exchange_process(**options) as first:
        announced = json.loads((tmp_path / "announced.json").read_text())
        assert (announced["url"], announced["control_url"]) == (first.url, first.control_url)
        assert announced["pid"] == (await first.state())["pid"]
        second = await start_process(**options)
        _, complaint = await second.communicate()
        assert second.returncode == 3
        assert "is in use by another simulated exchange" in complaint.decode()
    async with exchange_process(**options):
        pass
