import os

from binance_trade_agent.ledger.disk import DiskWatch, free_bytes
from tests.ledger.tiny_disk import fill_up, tiny_disk


def test_free_bytes_are_those_of_the_disk_that_the_path_will_be_on(tmp_path):
    with tiny_disk(tmp_path / "disk", "8m") as disk:
        assert 7_000_000 < free_bytes(disk / "not" / "there" / "yet.db") <= 8 * 2**20
        assert free_bytes(tmp_path) > 8 * 2**20


def test_a_shortage_is_told_when_it_begins_and_is_over_when_there_is_space(tmp_path):
    with tiny_disk(tmp_path / "disk", "8m") as disk:
        watch = DiskWatch(disk / "ledger.db", 5)
        assert watch.shortage() is None
        filler = fill_up(disk)
        assert watch.shortage() == (
            f"the disk of the ledger {disk / 'ledger.db'} has 0 MB left, less than LEDGER_MIN_FREE_MB=5; free some space"
        )
        assert DiskWatch(disk / "ledger.db", 0).shortage() is None
        os.truncate(filler, 0)
        assert watch.shortage() is None
