# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What samples take decoded, where no workload says: files are asked, by their first bytes.

An image's bytes in its file say little of its pixels. Batches must have room before anything is decoded, so some files'
headers are read first: all files' of a small data set, of others those of the largest files and of files spread evenly.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress

from dl_driver.dataset.files import FileSet
from dl_driver.errors import DataError, FormatError, StorageError
from dl_driver.formats.base import Format
from dl_driver.formats.magic import HEAD_BYTES, contradicts
from dl_driver.loader.slab import round_up
from dl_driver.storage.base import Read, Storage

_MOST_FILES = 1024
_LARGEST_FILES = 256
"""So many of them, where not all are asked."""
_MARGIN = 1.25
"""For the files that were not."""
_DEPTH = 32
_MEMORY = 8 << 20
_FURTHER = 16
"""So many times as much is read of a file whose header was not there."""
_LINE = 64


def probed_sample_bytes(storage: Storage, files: FileSet, file_format: Format, batch_size: int) -> int | None:
    """What a batch has to hold for each of its samples: the mean of its largest possible batch; with ``batch_size`` 1,
    the largest sample. None for a format whose files do not say it, or where none of those asked does."""
    if not file_format.head_bytes:
        return None
    chosen = _chosen(files)
    found = sorted(_decoded_bytes(storage, [files.key(index) for index in chosen], file_format), reverse=True)
    if not found:
        return None
    largest = found[:batch_size]
    mean = -(-sum(round_up(size, _LINE) for size in largest) // len(largest))
    return mean if len(chosen) == len(files) else int(mean * _MARGIN)


def first_bytes(storage: Storage, key: str) -> bytes:
    """An object's first bytes, as many as tell its format; fewer where it is shorter. Raises StorageError."""
    ((_, head),) = _heads(storage, (key,), round_up(HEAD_BYTES, storage.alignment))
    return bytes(head[:HEAD_BYTES])


def check_first_file(storage: Storage, files: FileSet, file_format: Format) -> None:
    """Raises DataError where the first file begins like one of another format; what else is wrong with it is said when
    it is read."""
    if not (len(files) and file_format.stored and file_format.options.compression == "none"):
        return
    key = files.key(0)
    with suppress(StorageError):
        kind = contradicts(first_bytes(storage, key), file_format.name)
        if kind is not None:
            raise DataError(
                f"{storage.uri.rstrip('/')}/{key}: starts like {kind.words} file, but is read as {file_format.name};"
                " check dataset.format (or the argument format) and dataset.compression"
            )


def _chosen(files: FileSet) -> Sequence[int]:
    count = len(files)
    if count <= _MOST_FILES:
        return range(count)
    spread = {index * count // _MOST_FILES for index in range(_MOST_FILES - _LARGEST_FILES)}
    by_size = sorted(range(count), key=lambda index: files.size(index) or 0, reverse=True)
    return sorted(spread | set(by_size[:_LARGEST_FILES]))


def _decoded_bytes(storage: Storage, keys: Sequence[str], file_format: Format) -> Iterator[int]:
    """Of those that say it. What is wrong with the others is said when they are read as samples."""
    length = round_up(file_format.head_bytes, storage.alignment)
    while keys:
        unknown = []
        for key, head in _heads(storage, keys, length):
            with suppress(FormatError):
                size = file_format.decoded_bytes(head)
                if size is not None:
                    yield size
                elif len(head) == length:
                    unknown.append(key)
        keys, length = unknown, length * _FURTHER


def _heads(storage: Storage, keys: Iterable[str], length: int) -> Iterator[tuple[str, memoryview]]:
    """Each object's first bytes, in any order, in memory that is used again."""
    depth = max(1, min(_DEPTH, _MEMORY // length))
    memory = memoryview(mmap.mmap(-1, depth * length))
    waiting, reading = iter(keys), dict[int, str]()
    with closing(storage.open_reader(depth)) as queue:
        free = list(range(depth))
        while True:
            begun = [(place, key) for place, key in zip(tuple(free), waiting, strict=False)]
            del free[: len(begun)]
            reading.update(begun)
            queue.submit([Read(key, 0, length, memory[p * length : (p + 1) * length], p) for p, key in begun])
            if not reading:
                return
            for completion in queue.wait():
                if completion.error is not None:
                    raise completion.error
                start = completion.tag * length
                yield reading.pop(completion.tag), memory[start : start + completion.length]
                free.append(completion.tag)
