# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory that reads land in, made known to a ring once (io_uring_register(2), IORING_REGISTER_BUFFERS).

For a read into memory that the kernel does not know, it looks up and holds every page, each time anew: of a large read
past the page cache that takes more of a processor than all the rest. Known memory is held from the start; it counts
against RLIMIT_MEMLOCK for users without CAP_IPC_LOCK, and where that does not allow it, reads go on as without.
"""

from collections.abc import Sequence

from dl_driver.storage.engines.uring import Ring
from dl_driver.storage.syscalls import address_of

PIECE_BYTES = 1 << 30
"""The most that the kernel takes as one piece."""
NOT_REGISTERED = -1


class RegisteredMemory:
    """One stretch of memory, in pieces that are numbered from 0; or none."""

    def __init__(self, ring: Ring, memory: memoryview | None) -> None:
        """Registers it where the kernel allows that."""
        self._piece_bytes = PIECE_BYTES
        self._start = self._end = 0
        if memory is None or not memory.nbytes:
            return
        start, size = address_of(memory), memory.nbytes
        try:
            ring.register_memory(_pieces(start, size))
        except OSError:
            return
        self._start, self._end = start, start + size

    def number(self, address: int, length: int) -> int:
        """Of the piece that holds so many bytes from there on; NOT_REGISTERED where none holds all of them. Hot."""
        if self._start <= address and address + length <= self._end:
            piece, offset = divmod(address - self._start, self._piece_bytes)
            if offset + length <= self._piece_bytes:
                return piece
        return NOT_REGISTERED


def _pieces(start: int, size: int) -> Sequence[tuple[int, int]]:
    """Addresses and lengths."""
    return [(start + at, min(PIECE_BYTES, size - at)) for at in range(0, size, PIECE_BYTES)]
