# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generating a data set: worker processes take files one after another and write each whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import ClassVar

from dl_driver.dataset.content import FileContent
from dl_driver.dataset.listing import Listing
from dl_driver.dataset.work import FileWork, Progress, share_out
from dl_driver.errors import NotFoundError
from dl_driver.formats.base import Format, RecordSpec
from dl_driver.storage import open_storage
from dl_driver.storage.base import ObjectInfo, Piece, Storage, partial_key


@dataclass(frozen=True, slots=True)
class GenerationReport:
    """What was generated."""

    files: int
    skipped: int
    """Files that were there already, of the right size."""
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Generation(FileWork[int | None]):
    """What to generate; the result of a file is its size, None where it was there already."""

    doing: ClassVar[str] = "generating"
    at_a_file: ClassVar[str] = "writing"
    afterwards: ClassVar[str] = "; `dl-driver generate --skip-existing` goes on from there"

    skip_existing: bool = False
    present: Listing | None = None
    """What is there already, where one listing is cheaper than a look at each file."""

    @contextmanager
    def begin(self, storage: Storage) -> Iterator[Callable[[Sequence[int]], Iterator[int | None]]]:
        """See FileWork."""
        yield partial(self._write_files, storage)

    def clean_up(self, storage: Storage, key: str, pid: int) -> None:
        """See FileWork."""
        storage.delete([partial_key(key, pid)])

    def _write_files(self, storage: Storage, numbers: Sequence[int]) -> Iterator[int | None]:
        for number in numbers:
            files, index = self.locate(number)
            file_format, record, key = files.file_format, files.record(index), files.key(index)
            if self.skip_existing and _all_there(self.present or storage, file_format, key, record):
                yield None
                continue
            yield storage.put(key, _pieces(storage, file_format, key, record, self.content(files, index)))


def generate(generation: Generation, workers: int | None, progress: Progress) -> GenerationReport:
    """Write all files; raises what the first failing one met. Nothing is left under a final name but whole files."""
    storage = open_storage(generation.uri, generation.settings)
    started = perf_counter()
    if generation.skip_existing and storage.remote:
        generation = replace(generation, present=Listing(_listed(storage)))
    done = skipped = size = 0
    with closing(share_out(generation, workers)) as results:
        for written in results:
            done, skipped, size = done + 1, skipped + (written is None), size + (written or 0)
            progress(done, generation.total, size)
    return GenerationReport(done - skipped, skipped, size, perf_counter() - started)


def _listed(storage: Storage) -> Iterator[ObjectInfo]:
    try:
        yield from storage.list()
    except NotFoundError:
        return


def _pieces(
    storage: Storage, file_format: Format, key: str, record: RecordSpec, content: FileContent
) -> Iterator[Piece]:
    """A file's bytes; its companions are written before the storage learns that the file is complete."""
    yield from file_format.encode(record, content.fill)
    for number, companion in enumerate(file_format.companions):
        beside = companion.key(key)
        if beside is not None:
            storage.put(beside, file_format.encode_companion(record, number))


def _all_there(storage: Storage | Listing, file_format: Format, key: str, record: RecordSpec) -> bool:
    """Whether a file is there with its companions; of the right size where that is known before it is written."""
    beside = (companion.key(key) for companion in file_format.companions)
    return _there(storage, key, file_format.file_size(record)) and all(
        _there(storage, name, None) for name in beside if name is not None
    )


def _there(storage: Storage | Listing, key: str, size: int | None) -> bool:
    try:
        found = storage.stat(key).size
    except NotFoundError:
        return False
    return size is None or found == size
