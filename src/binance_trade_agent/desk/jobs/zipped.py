"""A folder as a ZIP archive, in pieces: nothing of it is kept in memory or on disk."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_PIECE_BYTES = 256 * 1024


class _Pieces:
    """What an archive is written to: there is no way back, so sizes come after each file (PKWARE APPNOTE 4.3.9)."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        """Keep until it is taken."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is waited for."""

    def take(self) -> bytes:
        """What was written since it was taken last."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


def zipped(folder: Path) -> Iterator[bytes]:
    """The files of `folder`, in the order of their names.

    Raises:
        OSError: one of them cannot be read.
    """
    pieces = _Pieces()
    with ZipFile(pieces, "w", ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        for path in sorted(folder.iterdir()):
            about = ZipInfo.from_file(path, path.name)
            about.compress_type = ZIP_DEFLATED
            with path.open("rb") as file, archive.open(about, "w", force_zip64=True) as target:
                while piece := file.read(_PIECE_BYTES):
                    target.write(piece)
                    yield pieces.take()
    yield pieces.take()
