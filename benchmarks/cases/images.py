# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decoding JPEG files in the page cache through open_loader by one worker process, beside simplejpeg alone on the same
files: what reading into shared memory and checking add to the decoder, for each core."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import temporary_folder
from benchmarks.measurement import Case, Target
from benchmarks.processes import OUR_COMMAND, OUR_PYTHON, Serving, run

_FRESH, _REUSED = "simplejpeg, fresh arrays", "simplejpeg, one array"
_PHOTOGRAPH = (600, 800)


def jpeg(options: Options) -> Iterator[Case]:
    """Generated files of retinanet's size, and colour images as cameras write them."""
    count = 24 if options.quick else 480
    with temporary_folder() as folder:
        sizes = [f"dataset.num_files_train={count}", f"dataset.data_folder={folder}"]
        run([OUR_COMMAND, "generate", "retinanet_datagen", *sizes, "--progress", "none"])
        yield _case(f"retinanet's files (568 x 568, grey noise), {count}", folder / "train", "GRAY", options)
    with temporary_folder() as folder:
        _write_photographs(folder, count // 2)
        yield _case(f"600 x 800 colour, 4:2:0, {count // 2} files", folder, "RGB", options)


def _case(title: str, files: Path, colour: str, options: Options) -> Case:
    os.sync()
    for path in files.iterdir():
        path.read_bytes()
    min_seconds = 0.1 if options.quick else 1.0
    alone = partial(_alone, files, [f"--colour={colour}", f"--min-seconds={min_seconds}"])
    ours = ["--format=jpeg", "--batch-size=24", "--workers=1", f"--min-seconds={min_seconds}"]
    return compare(
        f"JPEG decoding by one process: {title}",
        "samples_per_second",
        [
            Entrant("dl-driver", [lambda: _ours(files, ours)]),
            Entrant(_FRESH, [partial(alone, _FRESH, [])]),
            Entrant(_REUSED, [partial(alone, _REUSED, ["--reuse"])]),
        ],
        options,
        notes=[
            "The files are in the page cache. dl-driver has one worker process beside the one that takes the batches;"
            " CPU time is of both.",
            f"A turn is whole epochs of at least {min_seconds:g} s. Bytes are of files.",
        ],
        targets=[
            Target("times simplejpeg, fresh arrays", 0.9, lambda case: case.ratio(_FRESH)),
            Target("times simplejpeg, one array", 0.9, lambda case: case.ratio(_REUSED)),
            Target("times its CPU time, one array", 1.1, lambda case: case.cost_ratio(_REUSED), at_least=False),
        ],
    )


def _write_photographs(folder: Path, count: int) -> None:
    """Smooth shapes with a little noise, which compress about as photographs do."""
    rows, columns = np.mgrid[: _PHOTOGRAPH[0], : _PHOTOGRAPH[1]]
    random = np.random.default_rng(0)
    for number in range(count):
        waves = [np.sin(columns / random.uniform(10, 60)) * np.cos(rows / random.uniform(10, 60)) for _ in range(3)]
        pixels = np.stack(waves, axis=-1) * 90 + 128 + random.normal(0, 6, (*_PHOTOGRAPH, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:04d}.jpeg", quality=90)


def _ours(files: Path, arguments: list[str]) -> Serving:
    return Serving("dl-driver", "open_loader, one worker", OUR_PYTHON, "ours", [str(files), *arguments])


def _alone(files: Path, arguments: list[str], name: str, more: list[str]) -> Serving:
    how = "read() and decode_jpeg, one process"
    return Serving(name, how, OUR_PYTHON, "simplejpeg_reader", [str(files), *arguments, *more])
