# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting with the clock's own resolution.

Python's poll counts milliseconds and its sleep cannot watch descriptors; ppoll(2) does both to the nanosecond.
"""

import ctypes
import os
from collections.abc import Sequence
from functools import cache

_PR_SET_TIMERSLACK = 29
_POLL_IN = 1

_libc = ctypes.CDLL(None, use_errno=True)


class _PollDescriptor(ctypes.Structure):
    _fields_ = (("descriptor", ctypes.c_int), ("events", ctypes.c_short), ("happened", ctypes.c_short))


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


@cache
def sharpen_timers() -> None:
    """Let this thread's timers end within a microsecond; the kernel's default is up to 50 us late."""
    _libc.prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1000), 0, 0, 0)


class Waiter:
    """Waits until one of some descriptors is readable."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        sharpen_timers()
        self._descriptors = (_PollDescriptor * max(1, len(descriptors)))()
        for entry, descriptor in zip(self._descriptors, descriptors, strict=False):
            entry.descriptor, entry.events = descriptor, _POLL_IN
        self._count = ctypes.c_ulong(len(descriptors))
        self._time = _Time()

    def wait(self, timeout_ns: int | None = None) -> bool:
        """True when a descriptor is readable; False when the time is over (None: no limit; at most 0: do not wait)."""
        time = None
        if timeout_ns is not None:
            self._time.seconds, self._time.nanoseconds = divmod(max(0, timeout_ns), 1_000_000_000)
            time = ctypes.byref(self._time)
        ready = _libc.ppoll(self._descriptors, self._count, time, None)
        if ready < 0 and (error := ctypes.get_errno()) != 4:  # EINTR: a signal, whose handler has run
            raise OSError(error, os.strerror(error))
        return bool(ready > 0)

    def readable(self) -> list[int]:
        """The descriptors that the last wait found readable (or closed at the other end)."""
        return [entry.descriptor for entry in self._descriptors if entry.happened]
