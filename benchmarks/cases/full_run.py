# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same workload file run by dl-driver and by dlio_benchmark: one accelerator that computes nothing.

Both programs write the start and end of each epoch's training to per_epoch_stats.json. What counts here is the wall
time of the epochs after the first, because dlio_benchmark starts its reading processes within the first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import dlio
from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import NpzSet, npz_set, temporary_folder
from benchmarks.measurement import Case, Figure, Measurement, Target
from benchmarks.processes import OUR_COMMAND, Finished, Repeated, run

_OUR_EPOCHS = 12
"""More than dlio_benchmark's, so that what is measured takes seconds and not one tick of a busy machine."""

_SMALL_BATCHES = (4, 4)
"""Batch size and reader threads: every fourth sample costs a step and a hand-over."""
_RESNET50 = (375, 8)
"""MLPerf Storage's resnet50 has batches of 400 and 8 threads; 375 is what divides 3,000."""

_NOTES = (
    "The files are in the page cache: all were read once before the first turn.",
    "Figures are of every epoch's training but the first's, by wall time from per_epoch_stats.json;"
    " stated_samples_per_second is the mean in summary.json; command_seconds is the whole command.",
)


def hundred_kib(options: Options) -> Iterator[Case]:
    """3,000 files of 112 KiB, resnet50's record length, twice: see the two constants."""
    target = Target("times dlio_benchmark", 50, lambda case: case.ratio("dlio_benchmark"))
    for batch_size, read_threads in _SMALL_BATCHES, _RESNET50:
        wanted = NpzSet(120 if options.quick else 3_000, 114_660, batch_size, read_threads, epochs=2)
        if options.quick:
            wanted = replace(wanted, batch_size=min(batch_size, 15))
        yield _case("112 KiB NPZ, a full run", wanted, "samples_per_second", options, [target])


def eight_mb(options: Options) -> Iterator[Case]:
    """60 files of 8 MB."""
    wanted = NpzSet(8 if options.quick else 60, 8_000_000, batch_size=4, read_threads=4, epochs=8)
    target = Target("times dlio_benchmark", 4, lambda case: case.ratio("dlio_benchmark"))
    yield _case("8 MB NPZ, a full run", wanted, "bytes_per_second", options, [target])


def _case(title: str, wanted: NpzSet, figure: Figure, options: Options, targets: Sequence[Target]) -> Case:
    with npz_set(wanted) as (workload, files):
        epoch_bytes = sum(path.stat().st_size for path in files.iterdir())
        measure = partial(_measure, workload, wanted, epoch_bytes)
        how = f"batch_size {wanted.batch_size}, read_threads {wanted.read_threads}"
        ours = Repeated(
            "dl-driver",
            f"dl-driver run, {how}, {_OUR_EPOCHS} epochs",
            partial(measure, _run_ours, "0_per_epoch_stats.json"),
        )
        rival = Repeated(
            "dlio_benchmark",
            f"{how}, {wanted.epochs} epochs",
            partial(measure, partial(_run_dlio, wanted), "per_epoch_stats.json"),
        )
        return compare(
            f"{title}, {wanted.num_files:,} files",
            figure,
            [
                Entrant("dl-driver", [lambda: ours], trial=False),
                Entrant("dlio_benchmark", [lambda: rival], "dlio", trial=False),
            ],
            options,
            notes=_NOTES,
            targets=targets,
        )


def _measure(
    workload: Path, wanted: NpzSet, epoch_bytes: int, command: Callable[[Path, Path], Finished], stats: str
) -> Measurement:
    with temporary_folder() as results:
        done = command(workload, results)
        first, *epochs = dlio.training_seconds(results / stats)
        return Measurement(
            seconds=sum(epochs),
            samples=wanted.num_files * len(epochs),
            bytes=epoch_bytes * len(epochs),
            extra={
                "first_epoch_seconds": first,
                "stated_samples_per_second": dlio.stated_samples_per_second(results),
                "command_seconds": done.seconds,
                "command_cpu_seconds": done.cpu_seconds,
            },
        )


def _run_dlio(wanted: NpzSet, workload: Path, results: Path) -> Finished:
    return dlio.run_dlio(workload, results, [dlio.record_length(wanted.record_bytes)])


def _run_ours(workload: Path, results: Path) -> Finished:
    overrides = [f"train.epochs={_OUR_EPOCHS}"]
    return run([OUR_COMMAND, "run", workload, *overrides, "--results", results, "--progress", "none"], may_miss=True)
