# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An object as it is put together before it is sent.

Formats patch the beginning of a file when its end is known (a ZIP's checksums), and a store cannot change what it was
sent. So the pieces are laid out first, in memory up to a limit and in an unnamed temporary file beyond it.
"""

import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dl_driver.errors import StorageError
from dl_driver.storage.base import Piece

_MEMORY_BYTES = 256 << 20


class Spool:
    """The bytes of one object; can be read by several threads."""

    def __init__(self, pieces: Iterable[Piece], memory_bytes: int = _MEMORY_BYTES) -> None:
        """Raises StorageError where the temporary folder cannot take them."""
        self._lock = threading.Lock()  # guards the file's position
        self._file = tempfile.SpooledTemporaryFile(memory_bytes)  # noqa: SIM115 (close() closes it)
        self.size = 0
        """Bytes."""
        try:
            for offset, data in pieces:
                self._file.seek(offset)
                self._file.write(data)
                self.size = max(self.size, offset + len(data))
        except OSError as error:
            self.close()
            raise StorageError(
                f"cannot lay out an object of more than {memory_bytes >> 20} MiB in the temporary folder"
                f" {tempfile.gettempdir()}: {error.strerror}; set TMPDIR to a folder with room"
            ) from error
        except BaseException:
            self.close()
            raise

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from ``offset`` on, fewer only where the object ends."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)

    def close(self) -> None:
        """Give the memory or the file back."""
        self._file.close()


@contextmanager
def spooled(pieces: Iterable[Piece]) -> Iterator[Spool]:
    """The pieces' object, for as long as it is being sent."""
    spool = Spool(pieces)
    try:
        yield spool
    finally:
        spool.close()
