# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dl-driver itself takes: memory with large samples, time and memory with many files. null:// answers instantly
and holds nothing, so that no storage is in the way."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import temporary_folder
from benchmarks.measurement import Case, Measurement, Target
from benchmarks.processes import OUR_COMMAND, Repeated, run

_REPEATS = 2
_PSS = (
    "peak_pss_bytes: all processes together, shared pages counted once (PSS), looked at from outside 10 times a second."
)


def unet3d(options: Options) -> Iterator[Case]:
    """Eight accelerators that train a 3D U-Net with 140 MB samples."""
    files = 16 if options.quick else 168
    arguments = [
        "unet3d_h100",
        f"--accelerators={2 if options.quick else 8}",
        "dataset.data_folder=null://unet3d",
        f"dataset.num_files_train={files}",
        "workflow.checkpoint=false",
        "train.computation_time=0.05",
    ]
    ours = Repeated("dl-driver", " ".join(arguments), lambda: _run(arguments, files * 5))
    yield compare(
        f"Memory: {arguments[0]}, {arguments[1][2:].replace('=', ' ')}, {files} files on null://, 5 epochs",
        "seconds",
        [Entrant("dl-driver", [lambda: ours], trial=False)],
        _few(options),
        notes=[_PSS, "pss_epoch_N_bytes is what the run itself saw at the end of epoch N."],
        targets=[
            Target("peak PSS, bytes", 2e9, lambda case: case.extra("dl-driver", "peak_pss_bytes"), at_least=False),
            Target("epoch 5's PSS over epoch 2's", 1.02, _growth, at_least=False),
        ],
    )


def ten_million_files(options: Options) -> Iterator[Case]:
    """The first steps of a run over ten million files, and the plan of it."""
    files = 100_000 if options.quick else 10_000_000
    workload = ["default", f"dataset.num_files_train={files}", "dataset.data_folder=null://many", "dataset.format=npz"]
    flow = ["workflow.generate_data=false", "workflow.evaluation=false", "train.computation_time=0"]
    yield _start_case(["run", *workload, *flow, "--max-steps=20"], files, options)
    yield _start_case(["plan", *workload, "--json"], files, options)


def _start_case(command: Sequence[str], files: int, options: Options) -> Case:
    name = f"dl-driver {command[0]}"
    ours = Repeated(name, " ".join(command[1:]), lambda: _start(command, files))
    return compare(
        f"Start: {name}, {files:,} files on null://",
        "seconds",
        [Entrant(name, [lambda: ours], trial=False)],
        _few(options),
        notes=[_PSS, "Seconds are of the whole command, so more than until the first step."],
        targets=[
            Target("seconds", 30, lambda case: case.median(name), at_least=False),
            Target("peak PSS, bytes", 1e9, lambda case: case.extra(name, "peak_pss_bytes"), at_least=False),
        ],
    )


def _few(options: Options) -> Options:
    """Without a rival and at half a minute a turn, two turns tell enough."""
    return replace(options, repeats=min(options.repeats, _REPEATS))


def _growth(case: Case) -> float | None:
    second, last = (case.extra("dl-driver", f"pss_epoch_{epoch}_bytes") for epoch in (2, 5))
    return last / second if second and last else None


def _run(arguments: Sequence[str], samples: int) -> Measurement:
    with temporary_folder() as results:
        measured = _watched(["run", *arguments], samples, results)
        seen = json.loads((results / "run.json").read_text())["clock"]["memory_by_epoch_bytes"]
    epochs = {f"pss_epoch_{epoch}_bytes": value for epoch, value in enumerate(seen, 1)}
    return replace(measured, extra={**measured.extra, **epochs})


def _start(arguments: Sequence[str], samples: int) -> Measurement:
    with temporary_folder() as results:
        return _watched(arguments, samples, results)


def _watched(arguments: Sequence[str], samples: int, results: Path) -> Measurement:
    more = [f"--results={results}", "--progress=none"] if arguments[0] == "run" else []
    done = run([OUR_COMMAND, *arguments, *more], may_miss=True, watch_memory=True)
    return Measurement(done.seconds, samples, 0, None, {"peak_pss_bytes": done.peak_pss_bytes})
