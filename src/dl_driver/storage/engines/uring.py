# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One io_uring: its memory, its system calls. What the requests mean is the user's business.

The kernel's interface is described in io_uring(7), io_uring_setup(2) and io_uring_enter(2).
"""

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Sequence

import numpy as np

from dl_driver.storage.syscalls import io_uring_enter, syscall

_SETUP, _REGISTER = 425, 427
_SUBMISSION_RING, _COMPLETION_RING, _SUBMISSION_ENTRIES = 0, 0x8000000, 0x10000000
_FEATURE_SINGLE_MMAP, _FEATURE_EXT_ARG, _FEATURE_CQE_SKIP = 1 << 0, 1 << 8, 1 << 11
# Completions are worked off when this thread asks for them, not by interrupting it (Linux 6.1).
_SETUP_ON_REQUEST = 1 << 12 | 1 << 13  # SINGLE_ISSUER, DEFER_TASKRUN
_ENTER_GETEVENTS, _ENTER_EXT_ARG = 1, 8
_REGISTER_BUFFERS, _REGISTER_FILES = 0, 2
SQE_SIZE, _CQE_SIZE = 64, 16
_U32 = 0xFFFFFFFF
_NO_ARGUMENT = (None, 0)

_iter_completions = struct.Struct("<QiI").iter_unpack


class _Timeout(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64))


class _WaitArgument(ctypes.Structure):
    _fields_ = (
        ("sigmask", ctypes.c_uint64),
        ("sigmask_size", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("timeout", ctypes.c_uint64),
    )


class Ring:
    """Belongs to the thread that made it.

    The first ``fixed`` places for requests are the user's own: what it wrote there once it can hand over again and
    again (``push``). The others are given out in turn (``next_offset``). Raises OSError where the kernel has no
    io_uring, refuses it, or lacks what is needed (Linux 5.15).
    """

    def __init__(self, fixed: int, others: int, file_slots: int) -> None:
        self._fixed, self._others, self._others_used = fixed, others, 0
        parameters = self._set_up(fixed + others)
        try:
            self._map(parameters)
            no_files = (ctypes.c_int32 * file_slots)(*([-1] * file_slots))
            syscall(
                _REGISTER, ctypes.c_uint(self._descriptor), ctypes.c_uint(_REGISTER_FILES),
                ctypes.byref(no_files), ctypes.c_uint(file_slots),
            )  # fmt: skip
        except OSError:
            os.close(self._descriptor)
            raise
        self._timeout = _Timeout()
        self._argument = _WaitArgument(timeout=ctypes.addressof(self._timeout))
        self._argument_place = (ctypes.addressof(self._argument), ctypes.sizeof(self._argument))

    def _set_up(self, entries: int) -> "ctypes.Array[ctypes.c_uint32]":
        """The parameters as the kernel filled them in."""
        for flags in (_SETUP_ON_REQUEST, 0):
            parameters = (ctypes.c_uint32 * 30)(0, 0, flags)
            try:
                self._descriptor = syscall(_SETUP, ctypes.c_uint(entries), ctypes.byref(parameters))
            except OSError as error:
                if error.errno != errno.EINVAL or not flags:
                    raise
            else:
                break
        self.can_skip_success = bool(parameters[5] & _FEATURE_CQE_SKIP)
        """Whether a request may ask for no completion but that of a failure (Linux 5.17)."""
        return parameters

    def _map(self, parameters: "ctypes.Array[ctypes.c_uint32]") -> None:
        if not parameters[5] & _FEATURE_SINGLE_MMAP or not parameters[5] & _FEATURE_EXT_ARG:
            raise OSError(38, "this kernel's io_uring is too old")
        submission, completion = list(parameters[10:20]), list(parameters[20:30])
        entries, completion_entries = parameters[0], parameters[1]
        size = max(submission[6] + entries * 4, completion[5] + completion_entries * _CQE_SIZE)
        flags, protection = mmap.MAP_SHARED | 0x8000, mmap.PROT_READ | mmap.PROT_WRITE  # 0x8000: MAP_POPULATE
        rings = mmap.mmap(self._descriptor, size, flags, protection, offset=_SUBMISSION_RING)
        requests = mmap.mmap(self._descriptor, entries * SQE_SIZE, flags, protection, offset=_SUBMISSION_ENTRIES)
        self._mappings = (rings, requests)
        self.submission_entries = memoryview(requests)
        self.words = np.frombuffer(self.submission_entries, np.uint64).reshape(entries, SQE_SIZE // 8)
        """The places for requests once more, as words, to write many at once."""
        self._bytes = memoryview(rings)
        self._words = self._bytes[: size & ~3].cast("I")
        self._sq_head, self._sq_tail = submission[0] // 4, submission[1] // 4
        self._sq_mask = self._words[submission[2] // 4]
        self._array = submission[6] // 4
        self._cq_head, self._cq_tail = completion[0] // 4, completion[1] // 4
        self._cq_mask, self._cq_start = self._words[completion[2] // 4], completion[5]
        self._tail = self._words[self._sq_tail]
        self._unsubmitted = 0

    def register_memory(self, pieces: Sequence[tuple[int, int]]) -> None:
        """Hold this memory, addresses and lengths, for requests that name a piece's number; once only. Raises OSError,
        and then holds none."""
        words = [word for piece in pieces for word in piece]
        vectors = (ctypes.c_uint64 * len(words))(*words)
        syscall(
            _REGISTER, ctypes.c_uint(self._descriptor), ctypes.c_uint(_REGISTER_BUFFERS),
            ctypes.byref(vectors), ctypes.c_uint(len(pieces)),
        )  # fmt: skip

    def push(self, first: int, count: int) -> None:
        """Hand over the requests in ``count`` places from ``first`` on, a chain perhaps, with the next ``enter``."""
        words, array, mask, tail = self._words, self._array, self._sq_mask, self._tail
        for place in range(first, first + count):
            words[array + (tail & mask)] = place
            tail += 1
        self._tail = tail & _U32
        self._unsubmitted += count

    def next_offset(self) -> int:
        """Where in ``submission_entries`` the next request goes; it counts as handed over from now on."""
        return self.claim(1) * SQE_SIZE

    def claim(self, count: int) -> int:
        """The first of the places where the next requests go, at most as many as there are others; they count as
        handed over from now on."""
        if self._others_used + count > self._others:
            while self._unsubmitted:
                self.enter(wait=False)
            self._others_used = 0
        place = self._fixed + self._others_used
        self._others_used += count
        self.push(place, count)
        return place

    def enter(self, *, wait: bool, timeout_ns: int | None = None) -> None:
        """Hand over the requests written; with ``wait``, until a completion is there or the time is over."""
        ready = self._words[self._cq_head] != self._words[self._cq_tail]
        wait = wait and not ready
        if ready and not self._unsubmitted:
            return
        self._words[self._sq_tail] = self._tail
        flags = _ENTER_GETEVENTS
        argument: tuple[int | None, int] = _NO_ARGUMENT
        if wait and timeout_ns is not None:
            self._timeout.seconds, self._timeout.nanoseconds = divmod(timeout_ns, 1_000_000_000)
            flags |= _ENTER_EXT_ARG
            argument = self._argument_place
        try:
            io_uring_enter(self._descriptor, self._unsubmitted, int(wait), flags, argument)
        except OSError as error:
            if error.errno not in (errno.ETIME, errno.EINTR):
                raise
        # After a time-out the kernel does not say how many it took, but its head does.
        self._unsubmitted = (self._tail - self._words[self._sq_head]) & _U32

    def completions(self) -> list[tuple[int, int, int]]:
        """(user_data, result, flags) of each finished request; a negative result is an errno."""
        head, tail, mask = self._words[self._cq_head], self._words[self._cq_tail], self._cq_mask
        count, first = (tail - head) & _U32, head & mask
        start = self._cq_start + first * _CQE_SIZE
        straight = min(count, mask + 1 - first)
        done = list(_iter_completions(self._bytes[start : start + straight * _CQE_SIZE]))
        if straight < count:
            rest = self._bytes[self._cq_start : self._cq_start + (count - straight) * _CQE_SIZE]
            done += _iter_completions(rest)
        self._words[self._cq_head] = tail
        return done

    def close(self) -> None:
        """Give the ring back. No request may be in flight whose memory is going away."""
        del self.words
        for view in (self._words, self._bytes, self.submission_entries):
            view.release()
        for memory in self._mappings:
            memory.close()
        os.close(self._descriptor)
