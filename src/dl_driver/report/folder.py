# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results folder: all files of a run, each whole, or none."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dl_driver.errors import StorageError
from dl_driver.metrics.record import RunRecord
from dl_driver.report import dlio
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.run_json import run_json
from dl_driver.report.steps import write_steps
from dl_driver.report.summary import Summary


@contextmanager
def results_folder(folder: Path, *, alone: bool = False) -> Iterator[Path]:
    """The folder, made before a run starts, so that one that cannot be written to is found early; whoever fails and
    has written nothing leaves no empty folders. ``alone``: no other run's folder, so where the name is taken a number
    is added to it. Raises StorageError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        if alone:
            folder = _make_another(folder)
            missing = [folder, *missing[1:]]
        folder.mkdir(parents=True, exist_ok=True)
        _try_out(folder / "summary.json")
    except OSError as error:
        _remove_empty(missing)
        raise StorageError(
            f"cannot write results to {folder}: {error.strerror}; choose another folder with --results"
        ) from error
    try:
        yield folder
    except BaseException:
        _remove_empty(missing)
        raise


def _make_another(folder: Path) -> Path:
    """A folder that nobody else has: of two runs that begin in the same second each gets its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    names = itertools.chain([folder.name], (f"{folder.name}_{number}" for number in itertools.count(2)))
    for name in names:
        with contextlib.suppress(FileExistsError):
            folder.with_name(name).mkdir()
            break
    return folder.with_name(name)


def check_writable(path: Path) -> None:
    """Find out early whether a file can be written; raises StorageError."""
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder, expected a file")
        _try_out(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def write_results(folder: Path, record: RunRecord, summary: Summary, facts: WorkloadFacts, log_file: str) -> None:
    """Raises StorageError naming the file that cannot be written."""
    stats = dlio.per_epoch_stats_json(record)
    with _all_or_none() as add:
        for rank in range(record.accelerators):
            add(folder / f"{rank}_output.json", _text(dlio.output_json(record, facts, rank)))
            add(folder / f"{rank}_per_epoch_stats.json", _text([stats]))
        add(folder / log_file, _text(line + "\n" for line in dlio.log_lines(record, summary, facts)))
        add(folder / "steps.parquet", lambda path: write_steps(record, path))
        add(folder / "run.json", _text([run_json(record, summary, facts)]))
        add(folder / "summary.json", _text([dlio.summary_json(record, summary, facts)]))
    _remove_other_ranks(folder, record.accelerators)


def _remove_other_ranks(folder: Path, accelerators: int) -> None:
    """Files of an earlier run of more accelerators are no part of this one."""
    for name in ("output", "per_epoch_stats"):
        for path in folder.glob(f"*_{name}.json"):
            rank = path.name.partition("_")[0]
            if rank.isdecimal() and int(rank) >= accelerators:
                path.unlink(missing_ok=True)


def write_text(path: Path, parts: Iterable[str]) -> None:
    """Raises StorageError."""
    with _all_or_none() as add:
        add(path, _text(parts))


_Write = Callable[[Path], None]
"""Writes a file at this path."""


def _text(parts: Iterable[str]) -> _Write:
    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(parts)

    return write


@contextmanager
def _all_or_none() -> Iterator[Callable[[Path, _Write], None]]:
    """Takes files to write; they get their names when all are written, else none remains."""
    written: list[Path] = []

    def add(path: Path, write: _Write) -> None:
        written.append(path)
        try:
            write(_partial(path))
        except OSError as error:
            advice = "; choose another place for the results (--results, -o)"
            raise StorageError(f"cannot write {path}: {error.strerror or error}{advice}") from error

    try:
        yield add
        for path in written:
            os.replace(_partial(path), path)
    except BaseException:
        for path in written:
            _partial(path).unlink(missing_ok=True)
        raise


def _partial(path: Path) -> Path:
    """A name of this process's own, since another run may be given the same folder."""
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def _try_out(path: Path) -> None:
    _partial(path).touch()
    _partial(path).unlink()


def _remove_empty(folders: Iterable[Path]) -> None:
    """Innermost first."""
    for path in folders:
        with contextlib.suppress(OSError):
            path.rmdir()
