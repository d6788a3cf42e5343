# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of this machine: what ``file://`` and ``direct://`` share: all but the way files are opened."""

import errno
import os
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dl_driver.errors import NotFoundError, StorageError
from dl_driver.storage.base import PARTIAL, ObjectInfo, Piece, ReadQueue, StorageSettings, partial_key
from dl_driver.storage.engines.files import OpenMode
from dl_driver.storage.engines.ring import RingQueue
from dl_driver.storage.engines.threads import ThreadQueue


def path_of(uri: str) -> str:
    """The absolute path in a URI such as ``file:///data/set`` or ``file://relative/set``."""
    rest = uri.partition("://")[2].partition("?")[0]
    return os.path.abspath(urllib.parse.unquote(rest) or ".")


class LocalStorage:
    """Base of the backends over a folder."""

    alignment = 1
    remote = False
    in_process = False

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        self.uri = uri
        self.root = path_of(uri)
        self.settings = settings

    def open_mode(self) -> OpenMode:
        """How files are opened for reading."""
        return OpenMode(os.O_RDONLY | os.O_CLOEXEC)

    def open_reader(self, depth: int, watch: int | None = None, memory: memoryview | None = None) -> ReadQueue:
        """See Storage. The engine is io_uring where the kernel allows it, else threads."""
        mode = self.open_mode()
        if self.settings.engine != "threads":
            try:
                return RingQueue(self._open_root(), self.root, depth, mode, watch, memory=memory)
            except OSError as error:
                if self.settings.engine == "ring":
                    raise StorageError(
                        f"{self.uri}: io_uring cannot be used here ({error.strerror}); use storage.engine=threads"
                    ) from error
        return ThreadQueue(self._open_root(), self.root, depth, mode, watch)

    def stat(self, key: str) -> ObjectInfo:
        """See Storage."""
        with _naming(self.path(key), "find"):
            return ObjectInfo(key, os.stat(self.path(key)).st_size)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See Storage. Files in the making are left out."""
        folder = self.path(prefix)
        with _naming(folder, "list"), os.scandir(folder) as entries:
            for entry in entries:
                key = f"{prefix.rstrip('/')}/{entry.name}" if prefix else entry.name
                if entry.is_dir():
                    yield from self.list(key)
                elif not entry.name.endswith(PARTIAL):
                    yield ObjectInfo(key, entry.stat().st_size)

    def put(self, key: str, pieces: Iterable[Piece], *, durable: bool = False) -> int:
        """See Storage: written under a temporary name, then renamed."""
        path = self.path(key)
        temporary = partial_key(path, os.getpid())
        with _naming(path, "write"):
            descriptor = self._create(temporary)
            try:
                try:
                    size = self._write(descriptor, pieces)
                    if durable:
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
            if durable:
                _sync_folder(os.path.dirname(path))
        return size

    def delete(self, keys: Iterable[str]) -> None:
        """See Storage."""
        for key in keys:
            with _naming(self.path(key), "delete"):
                try:
                    os.unlink(self.path(key))
                except FileNotFoundError:
                    continue

    def path(self, key: str) -> str:
        """Where an object lies."""
        return os.path.join(self.root, key)

    def _open_root(self) -> int:
        with _naming(self.root, "open the folder"):
            return os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _create(self, path: str, extra_flags: int = 0) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | extra_flags
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return os.open(path, flags, 0o666)

    def _write(self, descriptor: int, pieces: Iterable[Piece]) -> int:
        size = 0
        for offset, data in pieces:
            write_fully(descriptor, memoryview(data), offset)
            size = max(size, offset + len(data))
        return size


def write_fully(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of it."""
    while data:
        count = os.pwrite(descriptor, data, offset)
        data, offset = data[count:], offset + count


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _naming(path: str, operation: str) -> Iterator[None]:
    """Turn an OSError into a StorageError that names the path and what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "")
        kind = NotFoundError if error.errno in (errno.ENOENT, errno.ENOTDIR) else StorageError
        raise kind(f"cannot {operation} {path}: {error.strerror}{advice}") from error


_ADVICE = {
    errno.ENOENT: "; generate the data set first, or check dataset.data_folder",
    errno.EACCES: "; give this user access, or choose another folder",
    errno.EPERM: "; give this user access, or choose another folder",
    errno.ENOTDIR: "; a part of the path is a file",
    errno.ENOSPC: "; free space on the file system, or write fewer or smaller files",
    errno.EROFS: "; choose a folder on a writable file system",
    errno.EDQUOT: "; the disk quota is used up",
}
