# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generating a data set: worker processes take files one after another and write each whole or not at all."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from time import perf_counter
from typing import Any

from dl_driver.dataset.content import INCOMPRESSIBLE, FileContent, Shape
from dl_driver.dataset.files import ComputedFiles
from dl_driver.dataset.listing import Listing
from dl_driver.errors import DlDriverError, NotFoundError, StorageError, WorkerError
from dl_driver.formats import get_format
from dl_driver.formats.base import Format, RecordSpec
from dl_driver.processes import WorkerProcess, describe_exit, explain_exit
from dl_driver.storage import open_storage
from dl_driver.storage.base import ObjectInfo, Piece, Storage, StorageSettings, partial_key

Progress = Callable[[int, int, int], None]
"""(files done, files in all, bytes written)"""

_MAX_BLOCK = 64


@dataclass(frozen=True, slots=True)
class GenerationReport:
    """What was generated."""

    files: int
    skipped: int
    """Files that were there already, of the right size."""
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Generation:
    """What to generate; picklable."""

    uri: str
    settings: StorageSettings
    splits: tuple[ComputedFiles, ...]
    seed: int
    skip_existing: bool
    present: Listing | None = None
    """What is there already, where one listing is cheaper than a look at each file."""
    shape: Shape = INCOMPRESSIBLE
    """What storage can make of the content."""

    @property
    def total(self) -> int:
        """Files of all splits."""
        return sum(len(split) for split in self.splits)

    def locate(self, number: int) -> tuple[ComputedFiles, int]:
        """The split of a file, counted over all, and its number within."""
        for split in self.splits:
            if number < len(split):
                return split, number
            number -= len(split)
        raise IndexError(number)

    def content(self, files: ComputedFiles, index: int) -> FileContent:
        """Of one of a split's files."""
        return FileContent(self.seed, files.first + index, files.record(index).dtype, self.shape)


def generate(generation: Generation, workers: int | None, progress: Progress) -> GenerationReport:
    """Write all files; raises what the first failing one met. Nothing is left under a final name but whole files."""
    storage = open_storage(generation.uri, generation.settings)
    started = perf_counter()
    if generation.skip_existing and storage.remote:
        generation = replace(generation, present=Listing(_listed(storage)))
    blocks = _blocks(generation.total)
    count = min(workers or len(os.sched_getaffinity(0)), max(1, len(blocks)))
    done = _Tally(generation.total, progress)
    if storage.in_process:
        for result in _write_files(generation, storage, range(generation.total)):
            done.add(*result)
    else:
        _run_workers(generation, blocks, count, done)
    return GenerationReport(done.files - done.skipped, done.skipped, done.bytes, perf_counter() - started)


def _listed(storage: Storage) -> Iterator[ObjectInfo]:
    try:
        yield from storage.list()
    except NotFoundError:
        return


class _Tally:
    """Counts as results come in."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self.files = self.skipped = self.bytes = 0

    def add(self, written: int | None) -> None:
        """One more file; None for one that was there."""
        self.files += 1
        self.skipped += written is None
        self.bytes += written or 0
        self._progress(self.files, self._total, self.bytes)


def _blocks(total: int) -> Sequence[range]:
    """Small enough that all workers end together."""
    size = max(1, min(_MAX_BLOCK, total // 64))
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def _run_workers(generation: Generation, blocks: Sequence[range], count: int, done: _Tally) -> None:
    pending = iter(blocks)
    processes: list[WorkerProcess] = []
    try:
        while len(processes) < count:
            processes.append(WorkerProcess("dl_driver.dataset.generate:work", generation))
        writers = {process.channel: _Writer(process) for process in processes}
        for channel in list(writers):
            _give(channel, pending, writers)
        while writers:
            for ready in wait(list(writers)):
                _take(generation, ready, pending, writers, done)
    except BaseException:
        for process in processes:
            # Not killed: a worker that loses its parent ends after removing what it was writing.
            process.channel.close()
        for process in processes:
            process.wait(10.0)
        raise
    for process in processes:
        process.close()


@dataclass(slots=True)
class _Writer:
    """A worker and the files that it has still to write, the next one first."""

    process: WorkerProcess
    left: range = range(0)


def _give(channel: Any, pending: Iterator[range], writers: dict[Any, _Writer]) -> None:
    block = next(pending, None)
    if block is None:
        del writers[channel]
    else:
        writers[channel].left = block
        channel.send(block)


def _take(
    generation: Generation, channel: Any, pending: Iterator[range], writers: dict[Any, _Writer], done: _Tally
) -> None:
    writer = writers[channel]
    try:
        message = channel.recv()
    except (EOFError, ConnectionResetError):
        raise _bury(generation, writer) from None
    if isinstance(message, DlDriverError):
        raise message
    if message == "next":
        _give(channel, pending, writers)
    else:
        writer.left = writer.left[1:]
        done.add(*message)


def _bury(generation: Generation, writer: _Writer) -> WorkerError:
    """Remove what a dead worker was writing; the error to raise."""
    pid, status = writer.process.pid, writer.process.wait(5.0)
    died = f"generating process {pid} {describe_exit(status)}"
    if not writer.left:
        return WorkerError(died + explain_exit(status))
    files, index = generation.locate(writer.left[0])
    storage, key = open_storage(generation.uri, generation.settings), files.key(index)
    storage.delete([partial_key(key, pid)])
    where = f"while writing {storage.uri.rstrip('/')}/{key}"
    return WorkerError(f"{died} {where}{explain_exit(status)}; `dl-driver generate --skip-existing` goes on from there")


def work(channel: "Connection[Any, Any]", generation: Generation) -> None:
    """A worker's main."""
    storage = open_storage(generation.uri, generation.settings)
    while True:
        block = channel.recv()
        try:
            for result in _write_files(generation, storage, block):
                channel.send(result)
        except StorageError as error:
            channel.send(error)
            return
        channel.send("next")


def _write_files(generation: Generation, storage: Storage, numbers: Sequence[int]) -> Iterator[tuple[int | None]]:
    formats: dict[str, Format] = {}
    for number in numbers:
        files, index = generation.locate(number)
        file_format = formats.get(files.format) or get_format(files.format, files.options)
        formats[files.format] = file_format
        record, key = files.record(index), files.key(index)
        if generation.skip_existing and _all_there(generation.present or storage, file_format, key, record):
            yield (None,)
            continue
        content = generation.content(files, index)
        yield (storage.put(key, _pieces(storage, file_format, key, record, content)),)


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
