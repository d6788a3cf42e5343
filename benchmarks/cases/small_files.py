# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in the page cache through open_loader, beside a DataLoader of numpy.load and s3dlio: every sample once an
epoch, every array looked at."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import NpzSet, npz_set
from benchmarks.measurement import Case, Target
from benchmarks.processes import OUR_PYTHON, RIVALS_PYTHON, Serving

_TORCH_WORKERS = (0, 1, 2, 4)
_S3DLIO_WAYS = (("get_many", 8), ("get_many", 32), ("loader", 8), ("loader", 32))
_CACHE = "The files are in the page cache: all were read once before the first turn."


def one_kib(options: Options) -> Iterator[Case]:
    """10,000 files of 1 KiB."""
    yield _case(
        "1 KiB NPZ through open_loader",
        NpzSet(200 if options.quick else 10_000, 1024, batch_size=64),
        options,
        [
            Target("dl-driver, samples/s", 60_000, lambda case: case.median("dl-driver")),
            Target("times torch DataLoader", 7, lambda case: case.ratio("torch DataLoader")),
            Target("times s3dlio", 10, _times_s3dlio),
        ],
    )


def hundred_kib(options: Options) -> Iterator[Case]:
    """3,000 files of 112 KiB."""
    yield _case(
        "112 KiB NPZ through open_loader",
        NpzSet(60 if options.quick else 3_000, 114_660, batch_size=16),
        options,
        [
            Target("dl-driver, samples/s", 25_000, lambda case: case.median("dl-driver")),
            Target("times torch DataLoader", 4, lambda case: case.ratio("torch DataLoader")),
            Target("times s3dlio", 4, _times_s3dlio),
        ],
    )


def eight_mb(options: Options) -> Iterator[Case]:
    """60 files of 8 MB."""
    yield _case(
        "8 MB NPZ through open_loader",
        NpzSet(8 if options.quick else 60, 8_000_000, batch_size=4),
        options,
        [Target("times s3dlio", 1.5, _times_s3dlio)],
    )


def _case(title: str, wanted: NpzSet, options: Options, targets: Sequence[Target]) -> Case:
    with npz_set(wanted) as (_, files):
        min_seconds = 0.1 if options.quick else 1.0
        arguments = [f"--batch-size={wanted.batch_size}", f"--min-seconds={min_seconds}"]
        return compare(
            f"{title}, {wanted.num_files:,} files",
            "samples_per_second",
            [
                Entrant("dl-driver", [partial(_ours, files, arguments)]),
                Entrant("torch DataLoader", [partial(_torch, files, arguments, n) for n in _TORCH_WORKERS], "torch"),
                Entrant("s3dlio", [partial(_s3dlio, files, arguments, *way) for way in _S3DLIO_WAYS], "s3dlio"),
                Entrant(
                    "s3dlio, unopened", [partial(_s3dlio_bytes, files, arguments, *w) for w in _S3DLIO_WAYS], "s3dlio"
                ),
            ],
            options,
            notes=[_CACHE, f"Batches of {wanted.batch_size}. A turn is whole epochs of at least {min_seconds:g} s."],
            targets=targets,
        )


def _times_s3dlio(case: Case) -> float | None:
    """Against its faster way, which may be the one that leaves the files unopened."""
    ratios = [ratio for name in ("s3dlio", "s3dlio, unopened") if (ratio := case.ratio(name)) is not None]
    return min(ratios, default=None)


def _ours(files: Path, arguments: list[str]) -> Serving:
    return Serving("dl-driver", "open_loader as it comes", OUR_PYTHON, "ours", [str(files), *arguments])


def _torch(files: Path, arguments: list[str], workers: int) -> Serving:
    how = f"{workers} workers, numpy.load"
    more = [*arguments, f"--workers={workers}"]
    return Serving("torch DataLoader", how, RIVALS_PYTHON, "torch_dataloader", [str(files), *more])


def _s3dlio_bytes(files: Path, arguments: list[str], way: str, depth: int) -> Serving:
    how = f"{way}, {depth} objects under way, one byte of each looked at"
    more = [*arguments, f"--way={way}", f"--depth={depth}", "--bytes-only"]
    return Serving("s3dlio, unopened", how, RIVALS_PYTHON, "s3dlio_reader", [str(files), *more])


def _s3dlio(files: Path, arguments: list[str], way: str, depth: int) -> Serving:
    how = f"{way}, {depth} objects under way, numpy.load"
    more = [*arguments, f"--way={way}", f"--depth={depth}"]
    return Serving("s3dlio", how, RIVALS_PYTHON, "s3dlio_reader", [str(files), *more])
