"""Stopping in order: SIGTERM makes the server unready first, so that a load balancer stops sending, and ends it later.

uvicorn sets its signal handlers, then makes the application; that is the moment at which this wraps them.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

AT_ONCE: Final = signal.SIGUSR1
"""What a supervisor sends to its processes instead of waiting, at Ctrl-C."""


def drain_at_sigterm(become_unready: Callable[[], None], seconds: float) -> None:
    """Go on serving for so many seconds after SIGTERM; a second one, and Ctrl-C, stop the server at once."""
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)
    draining = False

    def stop_now(_number: int, frame: FrameType | None) -> None:
        if callable(stop):
            stop(signal.SIGTERM, frame)

    def drain(number: int, frame: FrameType | None) -> None:
        nonlocal draining
        become_unready()
        if draining or seconds == 0:
            stop_now(number, frame)
            return
        draining = True
        loop.call_soon_threadsafe(loop.call_later, seconds, stop_now, number, None)

    signal.signal(signal.SIGTERM, drain)
    signal.signal(AT_ONCE, stop_now)
