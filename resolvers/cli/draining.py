"""Stopping in order: SIGTERM makes the server unready first, so that a load balancer stops sending, and ends it later.

uvicorn sets its signal handlers, then makes the application; that is the moment at which this wraps them.
"""

import asyncio
import signal
from types import FrameType
from typing import Final

from spine.bootstrap import Runtime

AT_ONCE: Final = signal.SIGUSR1
"""What a supervisor sends to its processes instead of waiting, at Ctrl-C."""


def drain_at_sigterm(runtime: Runtime, seconds: float) -> None:
    """Go on serving for so many seconds after SIGTERM; a second one, and Ctrl-C, stop the server at once."""
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)
    draining = False

    def stop_now(number: int, frame: FrameType | None) -> None:
        runtime.drain()
        runtime.end_streams()
        if callable(stop):
            stop(signal.SIGTERM if number == AT_ONCE else number, frame)

    def drain(number: int, frame: FrameType | None) -> None:
        nonlocal draining
        if draining or seconds == 0:
            stop_now(number, frame)
            return
        draining = True
        runtime.drain()
        loop.call_soon_threadsafe(loop.call_later, seconds, stop_now, number, None)

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGINT, stop_now)
    signal.signal(AT_ONCE, stop_now)
