# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few Linux system calls that Python's os module lacks, by number, through libc."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

CACHESTAT = 451
_IO_URING_ENTER = 426
_AT_EMPTY_PATH = 0x1000
_STATX_DIOALIGN = 0x2000
_STATX_WORDS = 64
TMPFS_MAGIC = 0x01021994
RAMFS_MAGIC = 0x858458F6


def syscall(number: int, *arguments: object) -> int:
    """The call's result; raises OSError."""
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


# A function of its own with its argument types told: half the time of one that converts what it is given.
_enter = ctypes.CDLL(None, use_errno=True).syscall
_enter.restype = ctypes.c_long
_enter.argtypes = (
    ctypes.c_long, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t,
)  # fmt: skip


def io_uring_enter(ring: int, submit: int, wait: int, flags: int, argument: tuple[int | None, int]) -> None:
    """Hand over ``submit`` requests and wait for ``wait`` completions; ``argument`` has an address and a size. Raises
    OSError. Hot."""
    if _enter(_IO_URING_ENTER, ring, submit, wait, flags, *argument) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def address_of(buffer: memoryview) -> int:
    """Where a writable buffer lies in memory."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def file_system_type(path: str) -> int:
    """The magic number of the file system that holds ``path``; raises OSError."""
    result = (ctypes.c_long * 32)()
    if _libc.statfs(os.fsencode(path), ctypes.byref(result)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    return int(result[0])


def cached_bytes(descriptor: int) -> int:
    """Bytes of an open file in the page cache; raises OSError before Linux 6.5."""
    whole_file = (ctypes.c_uint64 * 2)(0, 0)
    pages = (ctypes.c_uint64 * 5)()
    syscall(CACHESTAT, ctypes.c_uint(descriptor), ctypes.byref(whole_file), ctypes.byref(pages), ctypes.c_uint(0))
    return int(pages[0]) * os.sysconf("SC_PAGE_SIZE")


def direct_alignment(descriptor: int) -> tuple[int, int] | None:
    """What O_DIRECT asks of an open file's reads: multiples of (memory address, offset and length) in bytes, both 0
    where it is not supported; None where the kernel does not tell (before Linux 6.1, and some file systems)."""
    answer = (ctypes.c_uint32 * _STATX_WORDS)()
    result = _libc.statx(descriptor, b"", _AT_EMPTY_PATH, ctypes.c_uint(_STATX_DIOALIGN), ctypes.byref(answer))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    if not answer[0] & _STATX_DIOALIGN:
        return None
    return int(answer[38]), int(answer[39])
