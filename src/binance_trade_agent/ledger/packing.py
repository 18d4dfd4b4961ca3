"""What a decision was made on, made small: zlib with a preset dictionary (RFC 1950) of what such texts usually say.

The thirty findings of a refusal are 3.5 kB of JSON of which a tenth tells it from the next one. What is packed names
its dictionary by that one's checksum, and ends with a checksum of its own. So that old ledgers can be read for ever,
the files in `dictionaries/` are never changed: where the texts have moved on, the next number is added.
"""

import zlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

_CHECKSUM = slice(2, 6)  # where the header holds that of the dictionary


def pack(texts: Sequence[str | None]) -> bytes | None:
    """Texts without line breaks, of which each may be None, as one BLOB; None when all of them are."""
    if not any(texts):
        return None
    packer = zlib.compressobj(zdict=_newest())
    return packer.compress("\n".join(text or "" for text in texts).encode()) + packer.flush()


def unpack(packed: bytes) -> list[str | None]:
    """The texts of a BLOB.

    Raises:
        ValueError: it is damaged, or of a newer program.
    """
    dictionary = _dictionaries().get(int.from_bytes(packed[_CHECKSUM]))
    if dictionary is None:
        raise ValueError("what a decision was made on cannot be read: it is damaged, or a newer program wrote it")
    unpacker = zlib.decompressobj(zdict=dictionary)
    try:
        texts = unpacker.decompress(packed).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"what a decision was made on is damaged in the ledger: {error}") from error
    if not unpacker.eof:
        raise ValueError("what a decision was made on is damaged in the ledger: its end is missing")
    return [text or None for text in texts.split("\n")]


@cache
def _newest() -> bytes:
    return list(_dictionaries().values())[-1]


@cache
def _dictionaries() -> dict[int, bytes]:
    """By checksum, the oldest first. The lines of a file are parts of one text without them."""
    folder = resources.files("binance_trade_agent.ledger") / "dictionaries"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".txt")), key=lambda file: file.name)
    texts = [file.read_text("utf-8").replace("\n", "").encode() for file in files]
    return {zlib.adler32(text): text for text in texts}
