# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results folder: every file whole or not at all."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from dl_driver.errors import StorageError
from dl_driver.metrics.record import RunRecord
from dl_driver.report import dlio
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.run_json import run_json
from dl_driver.report.steps import write_steps
from dl_driver.report.summary import Summary


def write_results(folder: Path, record: RunRecord, summary: Summary, facts: WorkloadFacts, log_file: str) -> None:
    """Raises StorageError naming the file that cannot be written."""
    prepare(folder)
    stats = dlio.per_epoch_stats_json(record)
    for rank in range(record.accelerators):
        write_text(folder / f"{rank}_output.json", dlio.output_json(record, facts, rank))
        write_text(folder / f"{rank}_per_epoch_stats.json", [stats])
    write_text(folder / log_file, (line + "\n" for line in dlio.log_lines(record, summary, facts)))
    _whole(folder / "steps.parquet", lambda path: write_steps(record, path))
    write_text(folder / "run.json", [run_json(record, summary, facts)])
    write_text(folder / "summary.json", [dlio.summary_json(record, summary, facts)])


def prepare(folder: Path) -> None:
    """Make the folder, and find out early whether it can be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe.partial"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(
            f"cannot write results to {folder}: {error.strerror}; choose another folder with --results"
        ) from error


def write_text(path: Path, parts: Iterable[str]) -> None:
    """Raises StorageError."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(parts)

    _whole(path, write)


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    temporary = path.with_name(path.name + ".partial")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
