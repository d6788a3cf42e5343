# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage times of runs of which it is known where the workers' time goes, and whether the summary names it.

Waits can only be longer than programmed, since a sleep on a busy machine ends late; CPU time is compared with that of
the same decoder on the same files, and does not count what others do on the machine.
"""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from real_command import dl_driver

STAGES = ("read_wait_s", "read_cpu_s", "decode_s", "copy_s", "preprocess_s", "full_s", "idle_s", "other_s")
LATE = 1.5
"""How many times its length a wait may last."""


class Ran:
    """A run of an unet3d workload without its other phases: what it said and what it measured."""

    def __init__(self, results: Path, folder: str, name: str, *changes: str) -> None:
        done = dl_driver(
            "run", "unet3d_h100", f"dataset.data_folder='{folder}'", f"dataset.format={name}",
            "dataset.record_length_bytes_stdev=0", "dataset.record_length_bytes_resize=0", "reader.batch_size=1",
            "reader.prefetch_size=2", "train.epochs=1", *changes, "--results", results,
        )  # fmt: skip
        assert done.status in (0, 1), done.err
        self.reached = done.status == 0
        self.said = " ".join(done.out.split())
        self.report: dict[str, Any] = json.loads((results / "run.json").read_text())
        self.times: dict[str, float] = self.report["stages"]["train"]
        assert self.report["stages"]["format"] == name
        assert self.report["stages"]["eval"] is None
        assert sum(self.times[stage] for stage in STAGES) == pytest.approx(self.times["worker_s"], rel=1e-6)


def small(files: int) -> tuple[str, ...]:
    return (f"dataset.num_files_train={files}", "dataset.record_length_bytes=16384")


@pytest.mark.parametrize(
    ("readers", "workers", "seconds"),
    [
        (1, 1, 2.0),  # 100 reads, one after another
        (2, 1, 1.0),  # 50 pairs of reads
        (2, 2, 2.0),  # each worker 50 reads, one after another
    ],
)
def test_a_storage_that_answers_late(tmp_path: Path, readers: int, workers: int, seconds: float) -> None:
    """Computing takes nothing, so readers read all the time, 20 ms each."""
    ran = Ran(
        tmp_path, "null://?latency=20ms", "npz", *small(100), "train.computation_time=0.0001",
        f"reader.read_threads={readers}", f"reader.workers={workers}",
    )  # fmt: skip
    assert ran.report["held_by"] == "storage"
    assert "The storage, read in this way, did not keep the accelerators busy. Waiting for it took" in ran.said
    # A read's last tenth of a millisecond is watched, which is work.
    assert seconds * 0.97 <= ran.times["read_wait_s"] <= seconds * LATE
    block = json.loads((tmp_path / "0_per_epoch_stats.json").read_text())["1"]["block1"]
    assert ran.times["worker_s"] == pytest.approx(workers * float(block["duration"]), rel=0.05)


def test_preprocessing(tmp_path: Path) -> None:
    """One reader preprocesses 100 samples, one after another, 20 ms each."""
    ran = Ran(
        tmp_path, "null://?latency=1ms", "npz", *small(100), "train.computation_time=0.0001", "reader.read_threads=1",
        "reader.preprocess_time=0.02",
    )  # fmt: skip
    assert ran.report["held_by"] == "preprocess"
    assert "Preprocessing, not the storage, held the accelerators." in ran.said
    assert 2.0 * 0.97 <= ran.times["preprocess_s"] <= 2.0 * LATE


def test_nothing_holds_accelerators_that_compute_long_enough(tmp_path: Path) -> None:
    """A sample takes 2 ms to come and 50 ms to compute: mostly, the one reader has no place for another."""
    ran = Ran(
        tmp_path, "null://?latency=2ms", "npz", *small(40), "train.computation_time=0.05", "reader.read_threads=1"
    )  # fmt: skip
    assert ran.reached
    assert ran.report["held_by"] is None
    assert ran.said.endswith("The storage kept the accelerators busy.")
    assert ran.times["full_s"] > 0.5 * ran.times["worker_s"]


SIDE, FILES = 1024, 80
SAYS = (f"dataset.num_files_train={FILES}", f"dataset.record_length_bytes={SIDE * SIDE}")


def pixels(number: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A picture that compresses as photographs do."""
    noise = np.random.default_rng(number).integers(0, 8, (SIDE, SIDE))
    slope = np.add.outer(np.arange(SIDE), np.arange(SIDE)) // 16
    return (slope + noise).astype(np.uint8)


def written_by_others(folder: Path, name: str) -> None:
    """A data set that Pillow or numpy wrote, in the page cache."""
    (folder / "train").mkdir(parents=True)
    for number in range(FILES):
        file = io.BytesIO()
        if name == "npz":
            np.savez_compressed(file, x=pixels(number)[..., np.newaxis], y=np.zeros(1, np.int64))
        else:
            Image.fromarray(pixels(number)).save(file, name, quality=90)
        (folder / "train" / f"img_{number:02d}_of_{FILES}.{name}").write_bytes(file.getvalue())


_DECODES_ALONE = """
import sys
from pathlib import Path
from time import process_time
from dl_driver.formats import get_format
from dl_driver.formats.spans import Landed, WholeFile

name, folder, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
decoder, index, into = get_format(name), WholeFile(1), memoryview(bytearray(size))
group = index.group([0])[0]
files = [memoryview(path.read_bytes()) for path in sorted(folder.iterdir())]
decoder.decode_group(index, group, Landed(files[0], [0], [len(files[0])]), into)
began = process_time()
for data in files:
    decoder.decode_group(index, group, Landed(data, [0], [len(data)]), into)
print(process_time() - began)
"""


def alone_s(name: str, folder: Path) -> float:
    """CPU time of decoding all files in a process that does nothing else, into the same memory again and again."""
    command = [sys.executable, "-c", _DECODES_ALONE, name, str(folder / "train"), str(SIDE * SIDE)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("name", ["png", "jpeg"])
def test_decoding(tmp_path: Path, name: str) -> None:
    """The same files are decoded by one worker of a run, and twice before and after it by a process of their own."""
    data = tmp_path / "data"
    written_by_others(data, name)
    alone = [alone_s(name, data), alone_s(name, data)]
    ran = Ran(tmp_path / "results", f"file://{data}", name, *SAYS, "train.computation_time=0.0001", "reader.workers=1")
    alone += [alone_s(name, data), alone_s(name, data)]
    assert ran.report["held_by"] == "decode"
    assert "Decoding in the workers, not the storage, held the accelerators. Decoding took" in ran.said
    # Beside other processes the caches are cold: more CPU time, but by far not the wall time of a busy machine.
    assert 0.7 * min(alone) <= ran.times["decode_cpu_s"] <= 2 * max(alone)
    assert ran.times["decode_s"] >= ran.times["decode_cpu_s"]


def test_inflating(tmp_path: Path) -> None:
    """Deflated NPZ; numpy inflates with another library, so only the verdict is known."""
    written_by_others(tmp_path / "data", "npz")
    ran = Ran(
        tmp_path / "results", f"file://{tmp_path}/data", "npz", *SAYS, "train.computation_time=0.0001",
        "dataset.compression=zip", "reader.workers=1",
    )  # fmt: skip
    assert ran.report["held_by"] == "decode"
    assert ran.times["decode_cpu_s"] > ran.times["read_cpu_s"]
