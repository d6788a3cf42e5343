# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verifying a data set: each file is encoded once more and compared with what the storage holds, as it is read.

Content is a function of (seed, file, offset), so there is nothing to compare with but the computation itself. Worker
processes take files as for the generation; of a file no more than some windows is in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, tee
from time import perf_counter
from typing import ClassVar, NamedTuple

from dl_driver.dataset.compare import Comparison, Kind, compare
from dl_driver.dataset.extra import extra_keys
from dl_driver.dataset.readahead import Glances, ReadAhead, Wanted, Window
from dl_driver.dataset.work import FileWork, Progress, share_out
from dl_driver.errors import NotFoundError, StorageError, UnreachableError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, Storage

MOST_KEPT = 10_000
"""Objects that a report names; beyond that it counts."""
_MOST_EXTRA = 100
_ANY_SIZE = 1 << 62


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An object that is not what it should be."""

    file: int
    """The number of the file that it is or accompanies, over all splits."""
    key: str
    kind: Kind
    offset: int | None = None
    """Of the first byte that differs, is missing or is too much."""
    expected: int | None = None
    """That byte, as it should be; of a different one."""
    found: int | None = None
    """That byte, as it is; of a different one."""
    expected_size: int | None = None
    """Bytes; None where only encoding tells and nothing was there to compare."""
    found_size: int | None = None
    """Bytes; None where the storage does not tell."""
    reason: str | None = None
    """The storage's error; of an unreadable one."""


class FileResult(NamedTuple):
    """What came of one file with its companions."""

    mismatches: tuple[Mismatch, ...]
    bytes: int
    """Compared."""
    fallbacks: int
    """Reads that went through the page cache although direct I/O was asked for."""


@dataclass(slots=True)
class VerificationReport:
    """What was found; filled as results come in."""

    total: int
    """Files of the data set."""
    files: int = 0
    """Looked at; fewer than all where the verification ended at a number of wrong ones."""
    wrong: int = 0
    """Files that, or whose companions, are not as they should be."""
    bytes: int = 0
    """Compared."""
    seconds: float = 0.0
    kinds: Counter[Kind] = field(default_factory=Counter)
    """How often which mismatch was found, counted by objects."""
    mismatches: list[Mismatch] = field(default_factory=list)
    """The first MOST_KEPT, in the files' order."""
    fallbacks: int = 0
    extra: int = 0
    """Objects in the data set's folders that do not belong to it."""
    extra_examples: Sequence[str] = ()
    not_listed: str | None = None
    """Why it is not known what does not belong."""

    def add(self, result: FileResult) -> None:
        """One more file."""
        self.files += 1
        self.wrong += bool(result.mismatches)
        self.bytes += result.bytes
        self.fallbacks += result.fallbacks
        self.kinds.update(mismatch.kind for mismatch in result.mismatches)
        self.mismatches += result.mismatches[: MOST_KEPT - len(self.mismatches)]


class _Target(NamedTuple):
    """An object to be compared."""

    file: int
    key: str
    encode: Callable[[], Iterator[Piece]]
    size: int | None
    """None where only encoding can tell."""
    at_most: int
    is_last: bool
    """Of its file and companions."""


@dataclass(frozen=True, slots=True)
class Verification(FileWork[FileResult]):
    """What to verify."""

    doing: ClassVar[str] = "verifying"
    at_a_file: ClassVar[str] = "comparing"

    @contextmanager
    def begin(self, storage: Storage) -> Iterator[Callable[[Sequence[int]], Iterator[FileResult]]]:
        """See FileWork."""
        try:
            ahead = ReadAhead(storage)
        except NotFoundError:
            # The data set's folder does not exist, and so none of its files.
            yield self._all_missing
            return
        with closing(ahead), closing(Glances(storage)) as glances:
            yield partial(self._compare_files, storage, ahead, glances)

    def _all_missing(self, numbers: Sequence[int]) -> Iterator[FileResult]:
        for number in numbers:
            targets = self._targets((number,))
            yield FileResult(tuple(_missing(target) for target in targets), 0, 0)

    def _compare_files(
        self, storage: Storage, ahead: ReadAhead, glances: Glances, numbers: Sequence[int]
    ) -> Iterator[FileResult]:
        to_read, to_compare = tee(self._targets(numbers))
        objects = ahead.objects(Wanted(target.key, target.size, target.at_most) for target in to_read)
        mismatches: list[Mismatch] = []
        compared, fallbacks = 0, ahead.fallbacks
        for target, windows in zip(to_compare, objects, strict=True):
            mismatch, count = _compare(storage, target, windows, glances)
            mismatches += [] if mismatch is None else [mismatch]
            compared += count
            if target.is_last:
                yield FileResult(tuple(mismatches), compared, ahead.fallbacks - fallbacks)
                mismatches, compared, fallbacks = [], 0, ahead.fallbacks

    def _targets(self, numbers: Sequence[int]) -> Iterator[_Target]:
        for number in numbers:
            files, index = self.locate(number)
            form, record, key = files.file_format, files.record(index), files.key(index)
            beside = [(each, companion.key(key)) for each, companion in enumerate(form.companions)]
            companions = [(each, name) for each, name in beside if name is not None]
            encode = partial(form.encode, record, self.content(files, index).fill)
            size, at_most = form.file_size(record), form.max_file_size(record)
            yield _Target(number, key, encode, size, at_most, not companions)
            for each, name in companions:
                make = partial(form.encode_companion, record, each)
                yield _Target(number, name, make, None, _ANY_SIZE, each == companions[-1][0])


def verify(
    verification: Verification, workers: int | None, progress: Progress, max_wrong: int | None = None
) -> VerificationReport:
    """Compare all files, or as many as bring ``max_wrong`` wrong ones. What is wrong with files is in the report;
    raises UnreachableError where a server does not answer, WorkerError where a process died."""
    started = perf_counter()
    report = VerificationReport(verification.total)
    with closing(share_out(verification, workers)) as results:
        for result in results:
            report.add(result)
            progress(report.files, report.total, report.bytes)
            if max_wrong is not None and report.wrong >= max_wrong:
                break
    report.seconds = perf_counter() - started
    report.mismatches.sort(key=lambda mismatch: (mismatch.file, mismatch.key))
    _find_extra(verification, report)
    return report


def _find_extra(verification: Verification, report: VerificationReport) -> None:
    storage = open_storage(verification.uri, verification.settings)
    found = extra_keys(storage, verification.splits)
    try:
        examples = list(islice(found, _MOST_EXTRA))
        report.extra = len(examples) + sum(1 for _ in found)
        report.extra_examples = sorted(examples)
    except StorageError as error:
        report.not_listed = str(error)


def _compare(
    storage: Storage, target: _Target, windows: Iterator[Window], glances: Glances
) -> tuple[Mismatch | None, int]:
    """What is wrong with an object, if anything is, and how many of its bytes were compared."""
    try:
        comparison = compare(target.encode, windows, partial(glances.bytes_at, target.key))
    except NotFoundError:
        return _missing(target), 0
    except UnreachableError:
        raise
    except StorageError as error:
        size = _found_size(storage, target.key)
        return Mismatch(target.file, target.key, Kind.UNREADABLE, None, None, None, target.size, size, str(error)), 0
    return _judged(storage, target, comparison), comparison.compared


def _judged(storage: Storage, target: _Target, comparison: Comparison) -> Mismatch | None:
    first = comparison.difference
    if first is None:
        return None
    sizes = comparison.size, _found_size(storage, target.key)
    return Mismatch(target.file, target.key, first.kind, first.offset, first.expected, first.found, *sizes)


def _missing(target: _Target) -> Mismatch:
    return Mismatch(target.file, target.key, Kind.MISSING, expected_size=target.size)


def _found_size(storage: Storage, key: str) -> int | None:
    try:
        return storage.stat(key).size
    except StorageError:
        return None


def counts(report: VerificationReport) -> Mapping[str, int]:
    """How many objects are wrong in which way, every way named."""
    return {kind.value: report.kinds[kind] for kind in Kind}
