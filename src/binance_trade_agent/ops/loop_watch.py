"""What the event loop is at while it gives no sign of life: a thread looks at the loop's stack then."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from binance_trade_agent.ops.clock import monotonic_seconds

_LOOK_SECONDS = 0.05
_PACKAGE = Path(__file__).parents[1]
_LOOP_ITSELF = str(Path("asyncio") / "runners.py")  # outside of it nothing of the program runs


class LoopWatch:
    """Looks each 50 ms whether the loop was `seen`, and when it was not for a while, at what it is.

    While Python's lock is not given up, as in one long call of a library, the look comes at its end.

    Args:
        after_seconds: how long a while is.
        root: the folder of the code that places are told of: of a library the caller is told.
    """

    def __init__(self, after_seconds: float, root: Path = _PACKAGE) -> None:
        self._after_seconds = after_seconds
        self._root = root
        self._seen = float("inf")
        self._found = ""
        self._is_over = threading.Event()

    def seen(self, at_seconds: float) -> None:
        """The loop runs at this time (monotonic)."""
        self._seen, self._found = at_seconds, ""

    def found(self) -> str:
        """What it was at when it was not seen for long; empty when nobody looked then, or it waited."""
        return self._found

    @contextlib.contextmanager
    def watching(self) -> Iterator["LoopWatch"]:
        """Watch the running loop, which is this thread's, until the end of the context."""
        of_loop = asyncio.get_running_loop(), threading.get_ident()
        thread = threading.Thread(target=self._watch, args=of_loop, name="loop watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            seen = self._seen
            if not self._found and monotonic_seconds() - seen > self._after_seconds:
                frames = sys._current_frames()  # noqa: SLF001 (documented; it has no other name)
                found = self._place(frames.get(thread), loop)
                if self._seen == seen:
                    self._found = found

    def _place(self, frame: FrameType | None, loop: asyncio.AbstractEventLoop) -> str:
        """The innermost of our code that runs, and the task that it runs for."""
        while frame is not None and not frame.f_code.co_filename.endswith(_LOOP_ITSELF):
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(self._root):
                task = asyncio.current_task(loop)
                of_task = "" if task is None else f" (task {task.get_name()})"
                return f"{path.relative_to(self._root)}:{frame.f_lineno} in {frame.f_code.co_name}{of_task}"
            frame = frame.f_back
        return ""
