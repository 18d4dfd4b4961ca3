"""The event loop of the daemon."""

import asyncio


def fast_loop() -> "type[asyncio.AbstractEventLoop] | None":
    """The uvloop event loop where it is installed, else None, asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
