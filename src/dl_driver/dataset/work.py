# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something done with every file of a data set, shared out among processes.

A process takes some files, sends one result for each, in their order, and asks for more. So all end together, however
long each file takes, and of a process that died it is known at which file.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, ClassVar, Generic, TypeVar

from dl_driver.dataset.content import INCOMPRESSIBLE, FileContent, Shape
from dl_driver.dataset.files import ComputedFiles
from dl_driver.errors import DlDriverError, WorkerError
from dl_driver.processes import WorkerProcess, describe_exit, explain_exit
from dl_driver.storage import open_storage
from dl_driver.storage.base import Storage, StorageSettings

Progress = Callable[[int, int, int], None]
"""(files done, files in all, bytes done)"""

Result = TypeVar("Result")
"""What comes back of each file; picklable."""

_MAX_BLOCK = 64


@dataclass(frozen=True, slots=True)
class FileWork(ABC, Generic[Result]):
    """The files that a workload generates, and what is done with them; a subclass says what. Picklable."""

    doing: ClassVar[str]
    """What a process does, such as ``generating``."""
    at_a_file: ClassVar[str]
    """The same of one file, such as ``writing``."""
    afterwards: ClassVar[str] = ""
    """What to do when a process died, to follow a message."""

    uri: str
    settings: StorageSettings
    splits: tuple[ComputedFiles, ...]
    seed: int
    shape: Shape = INCOMPRESSIBLE
    """What storage can make of the content."""

    @abstractmethod
    def begin(self, storage: Storage) -> AbstractContextManager[Callable[[Sequence[int]], Iterator[Result]]]:
        """For as long as a process works: what gives one result for each file of some numbers, in their order."""

    def clean_up(self, storage: Storage, key: str, pid: int) -> None:
        """Remove what a process that died left of a file."""

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


def share_out(task: FileWork[Result], workers: int | None) -> Generator[Result, None, None]:
    """One result for each file, in any order; raises what the first failing one met. Whoever needs no more of them
    closes the iterator, which ends the processes. ``workers``: processes, None for one a core."""
    storage = open_storage(task.uri, task.settings)
    if storage.in_process:
        with task.begin(storage) as do:
            yield from do(range(task.total))
        return
    blocks = _blocks(task.total)
    count = min(workers or len(os.sched_getaffinity(0)), max(1, len(blocks)))
    yield from _run_workers(task, blocks, count)


def _blocks(total: int) -> Sequence[range]:
    """Small enough that all workers end together."""
    size = max(1, min(_MAX_BLOCK, total // 64))
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


@dataclass(slots=True)
class _Worker:
    """A process and the files that it has still to do, the next one first."""

    process: WorkerProcess
    left: range = range(0)


def _run_workers(task: FileWork[Result], blocks: Sequence[range], count: int) -> Iterator[Result]:
    pending = iter(blocks)
    processes: list[WorkerProcess] = []
    try:
        while len(processes) < count:
            processes.append(WorkerProcess("dl_driver.dataset.work:work", task))
        workers = {process.channel: _Worker(process) for process in processes}
        for channel in list(workers):
            _give(channel, pending, workers)
        while workers:
            for ready in wait(list(workers)):
                yield from _take(task, ready, pending, workers)
    except BaseException:
        for process in processes:
            # Not killed: a worker that loses its parent ends after removing what it was writing.
            process.channel.close()
        for process in processes:
            process.wait(10.0)
        raise
    for process in processes:
        process.close()


def _give(channel: Any, pending: Iterator[range], workers: dict[Any, _Worker]) -> None:
    block = next(pending, None)
    if block is None:
        del workers[channel]
    else:
        workers[channel].left = block
        channel.send(block)


def _take(
    task: FileWork[Result], channel: Any, pending: Iterator[range], workers: dict[Any, _Worker]
) -> Iterator[Result]:
    """The result that a process sent, or the next files for it."""
    worker = workers[channel]
    try:
        message = channel.recv()
    except (EOFError, ConnectionResetError):
        raise _bury(task, worker) from None
    if isinstance(message, DlDriverError):
        raise message
    if message is None:
        _give(channel, pending, workers)
    else:
        worker.left = worker.left[1:]
        yield message[0]


def _bury(task: FileWork[Result], worker: _Worker) -> WorkerError:
    """Remove what a dead process left; the error to raise."""
    pid, status = worker.process.pid, worker.process.wait(5.0)
    died = f"{task.doing} process {pid} {describe_exit(status)}"
    if not worker.left:
        return WorkerError(died + explain_exit(status))
    files, index = task.locate(worker.left[0])
    storage, key = open_storage(task.uri, task.settings), files.key(index)
    task.clean_up(storage, key, pid)
    where = f"while {task.at_a_file} {storage.uri.rstrip('/')}/{key}"
    return WorkerError(f"{died} {where}{explain_exit(status)}{task.afterwards}")


def work(channel: "Connection[Any, Any]", task: FileWork[Any]) -> None:
    """A process's main: blocks of numbers come, for each a result goes, in a tuple; None asks for the next block."""
    with task.begin(open_storage(task.uri, task.settings)) as do:
        while True:
            block = channel.recv()
            try:
                for result in do(block):
                    channel.send((result,))
            except DlDriverError as error:
                channel.send(error)
                return
            channel.send(None)
