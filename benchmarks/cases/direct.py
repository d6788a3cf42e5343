# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads past the page cache (O_DIRECT), beside fio.

dl-driver reads whole NPY files, each opened, read and closed. fio does so too with the same files, and in another turn
reads blocks of the same size of one big file that is opened once, in random order, each with as many under way. NPY,
because fio checks no sums either.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import fio
from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import temporary_folder, write_npy_files, write_random_file
from benchmarks.measurement import Case, Target
from benchmarks.processes import OUR_PYTHON, Repeated, Serving

_CACHE = "O_DIRECT, in the folder TMPDIR names; the files were pushed out of the page cache before the first turn."


def hundred_kib(options: Options) -> Iterator[Case]:
    """2 GiB in files of 128 KiB."""
    yield _beside_fio("128 KiB", 128 << 10, depth=32, batch_size=16, options=options)


def eight_mib(options: Options) -> Iterator[Case]:
    """2 GiB in files of 8 MiB."""
    yield _beside_fio("8 MiB", 8 << 20, depth=4, batch_size=2, options=options)


def many_files(options: Options) -> Iterator[Case]:
    """10,000 files of 4 KiB."""
    num_files, depth = 100 if options.quick else 10_000, 128
    with temporary_folder() as folder:
        files, big = folder / "data", folder / "big"
        write_npy_files(files, num_files, 4096)
        write_random_file(big, num_files * 4096)
        reads = partial(fio.random_reads, big, 4096, depth)
        arguments = _arguments(options, 64, depth)
        yield compare(
            f"4 KiB NPY on direct://, {num_files:,} files, each opened, read and closed",
            "samples_per_second",
            [
                Entrant("dl-driver", [partial(_ours, "dl-driver", files, arguments, "ring")]),
                Entrant("dl-driver, threads", [partial(_ours, "dl-driver, threads", files, arguments, "threads")]),
                Entrant("fio", [lambda: Repeated("fio", _fio_how(num_files * 4096, depth), reads)], "fio"),
            ],
            options,
            notes=[
                _CACHE,
                f"{depth} files under way.",
                "fio opens its one file once; it shows what the disk gave at that time, and is no rival here.",
            ],
            targets=[Target("dl-driver, files/s", 23_061, lambda case: case.median("dl-driver"))],
        )


def _beside_fio(size: str, file_bytes: int, depth: int, batch_size: int, options: Options) -> Case:
    num_files = ((32 << 20) if options.quick else (2 << 30)) // file_bytes
    with temporary_folder() as folder:
        files, big = folder / "data", folder / "big"
        write_npy_files(files, num_files, file_bytes)
        write_random_file(big, num_files * file_bytes)
        reads = partial(fio.random_reads, big, file_bytes, depth)
        same = partial(fio.whole_files, files, file_bytes, depth)
        how = f"the same files, each opened, read and closed, io_uring, iodepth {depth}, one job"
        arguments = [*_arguments(options, batch_size, depth), "--shuffle"]
        return compare(
            f"{size} on direct://, {num_files:,} files",
            "bytes_per_second",
            [
                Entrant("dl-driver", [partial(_ours, "dl-driver", files, arguments, "ring")]),
                Entrant("fio", [lambda: Repeated("fio", _fio_how(num_files * file_bytes, depth), reads)], "fio"),
                Entrant("fio, files", [lambda: Repeated("fio, files", how, same)], "fio"),
            ],
            options,
            notes=[_CACHE, f"{depth} reads of {file_bytes:,} bytes under way, in random order."],
            targets=[
                Target("times fio", 0.95, lambda case: case.ratio("fio")),
                Target("times fio of files", 0.95, lambda case: case.ratio("fio, files")),
                Target("CPU time for a GB, times fio's of files", 2, _cost("fio, files"), at_least=False),
                Target("CPU time for a GB, times fio's of one file", 2, _cost("fio"), at_least=False),
            ],
        )


def _cost(rival: str) -> Callable[[Case], float | None]:
    return lambda case: case.cost_ratio(rival)


def _fio_how(num_bytes: int, depth: int) -> str:
    return f"one file of {num_bytes:,} bytes, randread, io_uring, iodepth {depth}, one job"


def _arguments(options: Options, batch_size: int, depth: int) -> Sequence[str]:
    seconds = 0.1 if options.quick else 1.0
    return [f"--batch-size={batch_size}", f"--max-inflight={depth}", f"--min-seconds={seconds}"]


def _ours(name: str, files: Path, arguments: Sequence[str], engine: str) -> Serving:
    how = f"open_loader on direct://, NPY, engine {engine}, {arguments[1].removeprefix('--')}"
    return Serving(
        name, how, OUR_PYTHON, "ours", [f"direct://{files}", "--format=npy", f"--engine={engine}", *arguments]
    )
