"""What a decision was made on takes a tenth of its text in the ledger, and reads as before."""

import hashlib
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.ledger.packing import pack, unpack

LINE = st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=80)


@given(st.lists(st.none() | LINE, min_size=1, max_size=4).filter(any))
def test_what_is_packed_reads_as_before(texts):
    packed = pack(texts)
    assert packed is not None
    assert unpack(packed) == texts


def test_nothing_stays_nothing():
    assert pack([None, None]) is None


def test_a_dictionary_is_never_changed_for_old_ledgers_need_it():
    folder = resources.files("binance_trade_agent.ledger") / "dictionaries"
    text = (folder / "0001.txt").read_bytes()
    assert hashlib.sha256(text).hexdigest() == "e0c9244c3860be162a46e7e4bfe53cf8ff930bafc43f2bc1206f7249a711ce7d"
    old = bytes.fromhex("78bb5f739d418ba6a43319cbc50574908e82516c2c005dc11646")
    assert unpack(old) == ['[["kill_switch", 1, "the kill switch is off", null, null, ""]]', None, "[[1, 2]]"]


def read(packed: bytes) -> object:
    try:
        return unpack(packed)
    except ValueError as error:
        return str(error)


def test_what_is_damaged_is_said_and_never_read_as_something_else():
    texts = ["the kill switch is off", None, "12345.678"]
    packed = pack(texts) or b""
    for at in range(len(packed)):
        assert "damaged" in read(packed[:at])
        for bit in range(8):
            broken = bytearray(packed)
            broken[at] ^= 1 << bit
            found = read(bytes(broken))
            assert found == texts or "damaged" in found, "some bits have no meaning"
