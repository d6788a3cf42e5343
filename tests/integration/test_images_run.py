# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images through the real commands, and before other programs' eyes: Pillow, simplejpeg, TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_command import dl_driver
from simplejpeg import decode_jpeg

from dl_driver import open_loader

FILES, BATCH, EPOCHS = 60, 24, 2
STEPS = FILES // BATCH  # 2 an epoch, as dlio_benchmark counts; 12 samples are left out
SIDE = 568  # the root of retinanet's 322957, cut
JPEG_BYTES = SIDE * SIDE
PNG_BYTES = 51 + 5 * (12 + 5) + SIDE * (SIDE + 1)


def retinanet(command: str, folder: str, name: str, *arguments: object) -> None:
    changes = [f"dataset.num_files_train={FILES}", f"dataset.data_folder={folder}", f"dataset.format={name}"]
    done = dl_driver(command, "retinanet_b200", *changes, *arguments)
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    ("name", "size", "library"), [("jpeg", JPEG_BYTES, "simplejpeg"), ("png", PNG_BYTES, "pyspng")]
)
@pytest.mark.parametrize("scheme", ["file", "direct", "null"])
def test_retinanet(tmp_path: Path, scheme: str, name: str, size: int, library: str) -> None:
    """Two epochs of two steps: 2 * 2 * 24 samples, each as many bytes as a file has."""
    folder = "null://" if scheme == "null" else f"{scheme}://{tmp_path}/data"
    if scheme != "null":
        retinanet("generate", folder, name)
        files = sorted((tmp_path / "data" / "train").iterdir())
        assert len(files) == FILES
        assert {file.stat().st_size for file in files} == {size}
        assert files[0].name == f"img_00_of_60.{name}"
    retinanet("run", folder, name, f"train.epochs={EPOCHS}", "metric.au=0", "--results", tmp_path / "results")
    run = json.loads((tmp_path / "results" / "run.json").read_text())
    output = json.loads((tmp_path / "results" / "0_output.json").read_text())
    assert run["samples"] == EPOCHS * STEPS * BATCH
    assert run["bytes"] == EPOCHS * STEPS * BATCH * size
    # Readers are ahead of the accelerators, but never beyond what an epoch needs.
    assert run["loader"]["decoding"] == {f"images decoded by {library}": EPOCHS * STEPS * BATCH}
    assert not [warning for warning in run["warnings"] if "decoded" in warning]
    assert [len(output[str(epoch)]["load"]["block1"]) for epoch in (1, 2)] == [STEPS, STEPS]


_TENSORFLOW_READS = """
import sys, numpy as np, tensorflow as tf
path, expected = sys.argv[1:]
data = tf.io.read_file(path)
if path.endswith(".png"):
    pixels = tf.io.decode_png(data)
else:
    pixels = tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE")
assert np.array_equal(pixels.numpy()[..., 0], np.load(expected)), path
"""


@pytest.mark.parametrize("name", ["jpeg", "png"])
def test_judges_see_the_pixels_that_the_loader_delivers(tmp_path: Path, name: str) -> None:
    retinanet("generate", f"file://{tmp_path}", name)
    with open_loader(str(tmp_path / "train"), format=name, batch_size=7) as loader:
        samples = {key: sample["x"].copy() for batch in loader for key, sample in zip(batch.keys, batch, strict=True)}
    assert len(samples) == FILES
    for key, pixels in samples.items():
        path = tmp_path / "train" / key
        assert np.array_equal(np.asarray(Image.open(path)), pixels)
        if name == "jpeg":
            assert np.array_equal(decode_jpeg(path.read_bytes(), "GRAY")[..., 0], pixels)
    pytest.importorskip("tensorflow", reason="the judge is not installed (extra dev)")
    key, pixels = next(iter(samples.items()))
    np.save(tmp_path / "expected.npy", pixels)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", _TENSORFLOW_READS, str(tmp_path / "train" / key), str(tmp_path / "expected.npy")]
    subprocess.run(command, check=True, timeout=100, env=environment)


@pytest.mark.parametrize("name", ["jpeg", "png"])
def test_a_run_on_what_dlio_benchmark_would_generate(tmp_path: Path, name: str) -> None:
    """It saves arrays of random bytes with Pillow."""
    folder = tmp_path / "train"
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(FILES):
        pixels = noise.integers(0, 255, (SIDE, SIDE), np.uint8)
        Image.fromarray(pixels).save(folder / f"img_{number:02d}_of_{FILES}.{name}")
    retinanet("run", f"file://{tmp_path}", name, "train.epochs=1", "metric.au=0", "--results", tmp_path / "results")
    run = json.loads((tmp_path / "results" / "run.json").read_text())
    assert run["samples"] == STEPS * BATCH


def test_a_run_on_anybodys_images(tmp_path: Path) -> None:
    """Names and sizes that no workload told: colour, and of sides that differ."""
    folder = tmp_path / "train"
    folder.mkdir()
    for number in range(FILES):
        Image.effect_noise((900 + number, 1000), 40).convert("RGB").save(folder / f"photo{number}.jpeg", quality=60)
    retinanet("run", f"file://{tmp_path}", "jpeg", "train.epochs=1", "metric.au=0", "--results", tmp_path / "results")
    run = json.loads((tmp_path / "results" / "run.json").read_text())
    assert run["samples"] == STEPS * BATCH
