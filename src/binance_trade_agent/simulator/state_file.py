"""The state of an exchange on disk, so that it can stop and go on (option `--state`)."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from binance_trade_agent.matching.snapshot import EngineSnapshot, take_snapshot
from binance_trade_agent.simulator.exchange import Exchange

_FORMAT = 1


class StateInUseError(Exception):
    """Another simulated exchange keeps its state in this file now."""


class StateFileError(Exception):
    """A state file that cannot be used; the message is one sentence for the person who named it."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a state file holds.

    Attributes:
        session_id: of the market that it belongs to.
        start_ms: market time at which the session began.
        market_ms: market time until which everything has happened.
    """

    format: int
    session_id: str
    start_ms: int
    market_ms: int
    engine: EngineSnapshot


class StateFile:
    """One file. It is replaced as a whole, so that it is always complete, whenever the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def claim(self) -> None:
        """Keep the file for this process until it ends, killed or not: two exchanges would undo each other's state.

        Raises:
            StateInUseError: another process has it.
            StateFileError: its folder cannot be written.
        """
        path = self._path.with_name(f"{self._path.name}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel gives it back when the process ends
        except BlockingIOError:
            raise StateInUseError(f"state file {self._path} is in use by another simulated exchange") from None
        except OSError as error:
            raise StateFileError(f"state file {self._path} cannot be kept: {error.strerror}") from None

    def load(self, session_id: str) -> SavedState | None:
        """The saved state; None when there is no file yet.

        Raises:
            StateFileError: unreadable, not such a file, or of another market.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateFileError(f"state file {self._path} cannot be read: {error.strerror}") from None
        try:
            state = msgspec.json.decode(content, type=SavedState)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateFileError(f"state file {self._path} is not the state of a simulated exchange: {error}") from None
        if state.format != _FORMAT:
            raise StateFileError(f"state file {self._path} has format {state.format}, this program reads {_FORMAT}")
        if state.session_id != session_id:
            raise StateFileError(
                f"state file {self._path} belongs to another market (other seed, files, symbols or start): "
                "name another file or start with the options it was made with"
            )
        return state

    def save(self, exchange: Exchange) -> None:
        """Write the exchange's state; when this returns it is on disk.

        Raises:
            OSError: it cannot be written.
        """
        state = SavedState(
            _FORMAT, exchange.session_id, exchange.feed.start_ms, exchange.now_ms, take_snapshot(exchange.engine)
        )
        temporary = self._path.with_name(f".{self._path.name}.new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
