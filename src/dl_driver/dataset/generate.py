# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generating a data set: worker processes take files one after another and write each whole or not at all."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from time import perf_counter
from typing import Any

from dl_driver.dataset.content import FileContent
from dl_driver.dataset.files import ComputedFiles
from dl_driver.errors import DlDriverError, NotFoundError, RunError, StorageError
from dl_driver.formats import get_format
from dl_driver.formats.base import Format
from dl_driver.processes import WorkerProcess, describe_exit
from dl_driver.storage import open_storage
from dl_driver.storage.base import ObjectInfo, Storage, StorageSettings

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


def generate(generation: Generation, workers: int | None, progress: Progress) -> GenerationReport:
    """Write all files; raises what the first failing one met. Nothing is left under a final name but whole files."""
    storage = open_storage(generation.uri, generation.settings)
    started = perf_counter()
    blocks = _blocks(generation.total)
    count = min(workers or len(os.sched_getaffinity(0)), max(1, len(blocks)))
    done = _Tally(generation.total, progress)
    if storage.in_process:
        for result in _write_files(generation, storage, range(generation.total)):
            done.add(*result)
    else:
        _run_workers(generation, blocks, count, done)
    return GenerationReport(done.files - done.skipped, done.skipped, done.bytes, perf_counter() - started)


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
        channels = {process.channel: process for process in processes}
        for channel in list(channels):
            _give(channel, pending, channels)
        while channels:
            for ready in wait(list(channels)):
                _take(ready, pending, channels, done)
    except BaseException:
        for process in processes:
            # Not killed: a worker that loses its parent ends after removing what it was writing.
            process.channel.close()
        for process in processes:
            process.wait(10.0)
        raise
    for process in processes:
        process.close()


def _give(channel: Any, pending: Iterator[range], channels: dict[Any, WorkerProcess]) -> None:
    block = next(pending, None)
    if block is None:
        del channels[channel]
    else:
        channel.send(block)


def _take(channel: Any, pending: Iterator[range], channels: dict[Any, WorkerProcess], done: _Tally) -> None:
    try:
        message = channel.recv()
    except (EOFError, ConnectionResetError):
        process = channels[channel]
        raise RunError(f"generating process {process.pid} {describe_exit(process.wait(5.0))}") from None
    if isinstance(message, DlDriverError):
        raise message
    if message == "next":
        _give(channel, pending, channels)
    else:
        done.add(*message)


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
        file_format = formats.setdefault(files.format, get_format(files.format))
        record, key = files.record(index), files.key(index)
        if generation.skip_existing and _there(storage, ObjectInfo(key, file_format.file_size(record))):
            yield (None,)
            continue
        content = FileContent(generation.seed, files.first + index, record.dtype)
        yield (storage.put(key, file_format.encode(record, content.fill)),)


def _there(storage: Storage, wanted: ObjectInfo) -> bool:
    try:
        return storage.stat(wanted.key) == wanted
    except NotFoundError:
        return False
