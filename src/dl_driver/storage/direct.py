# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``direct://``: local files past the page cache (O_DIRECT), and the proof that it was so."""

import errno
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence

from dl_driver.errors import StorageError
from dl_driver.storage.base import Piece
from dl_driver.storage.engines.files import OpenMode
from dl_driver.storage.local import LocalStorage, write_fully
from dl_driver.storage.syscalls import RAMFS_MAGIC, TMPFS_MAGIC, cached_bytes, file_system_type

_BLOCK = 4096
_WRITE_BYTES = 4 << 20


class DirectStorage(LocalStorage):
    """Files read and written with O_DIRECT; where the file system cannot, through the page cache, and counted."""

    alignment = _BLOCK

    def open_mode(self) -> OpenMode:
        """See LocalStorage; raises StorageError under strict_direct where O_DIRECT is impossible."""
        if self._is_direct():
            return OpenMode(os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
        return OpenMode(os.O_RDONLY | os.O_CLOEXEC, fallback=True)

    def _is_direct(self) -> bool:
        """Whether O_DIRECT works here; raises StorageError under strict_direct where it does not."""
        reason = self.why_not_direct()
        if reason is not None and self.settings.strict_direct:
            raise StorageError(f"{self.uri}: {reason}; use file://, or leave out --strict-direct")
        return reason is None

    def why_not_direct(self) -> str | None:
        """Why files here cannot be read with O_DIRECT, or None where they can."""
        try:
            if file_system_type(self.root) in (TMPFS_MAGIC, RAMFS_MAGIC):
                return "O_DIRECT has no effect here, since the folder is in memory (tmpfs)"
            sample = next(_some_files(self.root), None)
            if sample is not None:
                os.close(os.open(sample, os.O_RDONLY | os.O_DIRECT))
        except OSError as error:
            if error.errno == errno.EINVAL:
                return "the file system does not support O_DIRECT"
        return None

    def cached_bytes(self, keys: Sequence[str]) -> int | None:
        """How much of these files the page cache holds; None where the kernel cannot tell (before Linux 6.5)."""
        total = 0
        try:
            for key in keys:
                descriptor = os.open(self.path(key), os.O_RDONLY)
                try:
                    total += cached_bytes(descriptor)
                finally:
                    os.close(descriptor)
        except OSError:
            return None
        return total

    def _write(self, descriptor: int, pieces: Iterable[Piece]) -> int:
        if not self._is_direct():
            return super()._write(descriptor, pieces)
        return _write_direct(descriptor, pieces)


def _some_files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _some_files(entry.path)
            else:
                yield entry.path


def _write_direct(descriptor: int, pieces: Iterable[Piece]) -> int:
    """Gather the pieces in an aligned buffer and write that with O_DIRECT; patches and the tail go buffered, then are
    pushed out of the page cache. Returns the size."""
    import fcntl

    with mmap.mmap(-1, _WRITE_BYTES) as memory, memoryview(memory) as buffer:
        start = filled = 0
        patches: list[tuple[int, bytes]] = []
        direct = fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_DIRECT
        fcntl.fcntl(descriptor, fcntl.F_SETFL, direct)
        for offset, data in pieces:
            rest = memoryview(data)
            if offset < start + filled:
                patches.append((offset, bytes(rest)))
                continue
            while rest:
                count = min(len(rest), _WRITE_BYTES - filled)
                buffer[filled : filled + count] = rest[:count]
                filled, rest = filled + count, rest[count:]
                if filled == _WRITE_BYTES:
                    write_fully(descriptor, buffer, start)
                    start, filled = start + filled, 0
        whole = filled - filled % _BLOCK
        write_fully(descriptor, buffer[:whole], start)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, direct & ~os.O_DIRECT)
        write_fully(descriptor, buffer[whole:filled], start + whole)
        for offset, patch in patches:
            write_fully(descriptor, memoryview(patch), offset)
    os.fdatasync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return start + filled
