# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing a data set into memory (tmpfs), so that the program is the limit and not the disk."""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import dlio
from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import MEMORY_FOLDER, NpzSet, temporary_folder
from benchmarks.measurement import Case, ContestantFailed, Measurement, Target
from benchmarks.processes import OUR_COMMAND, Finished, Repeated, run

_RATE = re.compile(r"generated [\d,]+ files, .* in ([\d.]+) s ")
_NOTES = (
    "Into tmpfs, an empty folder every turn. Times are the programs' own, of writing the files alone: what dl-driver"
    " says at its end, and dlio.log's lines where generation starts and is done; command_seconds is the whole command.",
    "dlio_benchmark generates in one process; dl-driver does in one a core unless told otherwise.",
)


def eight_mb(options: Options) -> Iterator[Case]:
    """400 files of 8 MB."""
    wanted = NpzSet(8 if options.quick else 400, 8_000_000)
    measure = partial(_measure, wanted)
    ours = Repeated("dl-driver", f"one process a core ({os.cpu_count()})", partial(measure, _ours))
    single = Repeated("dl-driver, one process", "--workers 1", partial(measure, partial(_ours, workers=1)))
    rival = Repeated(
        "dlio_benchmark", "generate_data, no training", partial(measure, partial(_dlio, wanted.record_bytes))
    )
    yield compare(
        f"Generation of 8 MB NPZ, {wanted.num_files} files",
        "bytes_per_second",
        [
            Entrant("dl-driver", [lambda: ours], trial=False),
            Entrant("dl-driver, one process", [lambda: single], trial=False),
            Entrant("dlio_benchmark", [lambda: rival], "dlio", trial=False),
        ],
        options,
        notes=_NOTES,
        targets=[
            Target("dl-driver, one process, bytes/s", 1.5e9, lambda case: case.median("dl-driver, one process")),
            Target("times dlio_benchmark", 15, lambda case: case.ratio("dlio_benchmark")),
        ],
    )


def _measure(wanted: NpzSet, generate: Callable[[Path, Path], tuple[float, Finished]]) -> Measurement:
    with temporary_folder(MEMORY_FOLDER) as folder, temporary_folder() as results:
        seconds, done = generate(wanted.write_workload(folder), results)
        sizes = [path.stat().st_size for path in (folder / "data" / "train").iterdir()]
        if len(sizes) != wanted.num_files or min(sizes) < 0.99 * wanted.record_bytes:
            raise ContestantFailed(f"{len(sizes)} files of {min(sizes, default=0)} bytes and more were written")
        extra = {"command_seconds": done.seconds, "command_cpu_seconds": done.cpu_seconds}
        return Measurement(seconds, len(sizes), sum(sizes), extra=extra)


def _ours(workload: Path, results: Path, workers: int | None = None) -> tuple[float, Finished]:
    chosen = [] if workers is None else [f"--workers={workers}"]
    done = run([OUR_COMMAND, "generate", workload, "--progress", "none", *chosen])
    return stated_seconds(done), done


def stated_seconds(done: Finished) -> float:
    """What dl-driver generate said that writing took."""
    found = _RATE.search(done.stderr)
    if found is None:
        raise ContestantFailed(f"dl-driver generate did not say how long it took: {done.stderr[-300:]}")
    return float(found[1])


def _dlio(record_bytes: int, workload: Path, results: Path) -> tuple[float, Finished]:
    overrides = ["workflow.generate_data=True", "workflow.train=False", dlio.record_length(record_bytes)]
    done = dlio.run_dlio(workload, results, overrides)
    return dlio.generation_seconds(results), done
