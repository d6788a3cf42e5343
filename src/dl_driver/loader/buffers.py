# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory of a worker's own, for bytes that are looked at before they go, or are never delivered."""

import mmap

_HUGE_PAGE = 2 << 20


def buffer_of(size: int) -> memoryview:
    """Page-aligned, of ``size`` bytes; taken from the system when it is first written to.

    A large one consists of huge pages where the kernel has some, since each page of memory that is read into past the
    page cache is looked up and held for the read: of 4 KiB each, that takes four times as much of a processor.
    """
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size >= _HUGE_PAGE:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)
