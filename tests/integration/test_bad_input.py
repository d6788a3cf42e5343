# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong ends in one message that names the thing and the way out, the right status, and nothing left."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from real_command import COMMAND, dl_driver, without_override_of_permissions

FILES = 8
NAME = f"img_5_of_{FILES}.npz"

WORKLOAD = f"""
model: {{name: small}}
framework: pytorch
workflow: {{train: true}}
dataset: {{data_folder: DATA, format: npz, num_files_train: {FILES}, record_length_bytes: 4096}}
reader: {{data_loader: pytorch, batch_size: 2, read_threads: 2}}
train: {{epochs: 1, computation_time: 0.001}}
metric: {{au: 0.0}}
"""


def write_samples(path: Path, shape: tuple[int, ...] = (64, 64, 1), dtype: str = "uint8", name: str = "x") -> None:
    np.savez(path, **{name: np.ones(shape, dtype), "y": np.zeros(1, np.int64)})


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """A workload over eight files that NumPy wrote."""
    (tmp_path / "data" / "train").mkdir(parents=True)
    for number in range(FILES):
        write_samples(tmp_path / "data" / "train" / f"img_{number}_of_{FILES}.npz")
    path = tmp_path / "small.yaml"
    path.write_text(WORKLOAD.replace("DATA", str(tmp_path / "data")))
    return path


def nothing_left(folder: Path) -> bool:
    return not list(folder.rglob("*.partial")) and not (folder / "results").exists()


def test_the_data_set_as_it_is_can_be_run(workload: Path) -> None:
    done = dl_driver("run", workload, "--results", workload.parent / "results")
    assert done.status == 0, done.err


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(40))


def _grow_much(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(40_000))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _hold_float32(path: Path) -> None:
    write_samples(path, (32, 32, 1), "float32")


def _hold_int8(path: Path) -> None:
    write_samples(path, dtype="int8")


def _hold_another_shape(path: Path) -> None:
    write_samples(path, (32, 128, 1))


def _hold_two_samples(path: Path) -> None:
    write_samples(path, (64, 32, 2))


def _hold_another_array(path: Path) -> None:
    write_samples(path, name="z")


@pytest.mark.parametrize(
    ("spoil", "status", "words"),
    [
        (_truncate, 1, "the file ends at byte 3000"),
        (_empty, 1, "the file ends at byte 0"),
        (_grow, 1, "bytes follow the file's end"),
        (_grow_much, 2, "dataset.record_length_bytes"),
        (_flip, 1, "the data are damaged"),
        (Path.unlink, 2, f"holds 7 .npz files, 8 are needed (train/{NAME} is missing)"),
        (_become_folder, 2, "it is a folder, expected a file"),
        (_hold_float32, 2, "is float32 (32, 32, 1), the workload says uint8 (64, 64, 1)"),
        (_hold_int8, 2, "is int8 (64, 64, 1), the workload says uint8 (64, 64, 1)"),
        (_hold_another_shape, 2, "is uint8 (32, 128, 1), the workload says uint8 (64, 64, 1)"),
        (_hold_two_samples, 2, "is uint8 (64, 32, 2), the workload says uint8 (64, 64, 1)"),
        (_hold_another_array, 2, "holds z, y, expected an array x"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_spoiled_file(workload: Path, spoil: Callable[[Path], None], status: int, words: str) -> None:
    spoil(workload.parent / "data" / "train" / NAME)
    done = dl_driver("run", workload, "--results", workload.parent / "results")
    assert done.status == status
    assert words in done.message()
    assert NAME in done.message()
    assert nothing_left(workload.parent)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["dataset.num_files_train=100"], 2, "holds 8 .npz files, 100 are needed"),
        (["--accelerators", "100"], 2, "8 samples are too few for one step of 100 accelerators"),
        (["reader.batch_size=0"], 2, "reader.batch_size: expected greater than or equal to 1, found 0"),
        (["reader.batchsize=4"], 2, "did you mean reader.batch_size?"),
        (["dataset.data_folder=foo://x"], 2, "no storage backend for foo://"),
        (["dataset.data_folder='null://?latency=abc'"], 2, "latency='abc' is no time; write it as 5ms"),
        (["dataset.data_folder='null://'", "dataset.compression=zip"], 2, "null:// cannot make up npz files with"),
        (["dataset.data_folder='null://'", "dataset.format=csv"], 2, "null:// cannot make up csv files: only encoding"),
        (["dataset.data_folder='null://?latncy=5ms'"], 2, "null:// knows latency and bandwidth"),
        (["dataset.data_folder='null://?latency=10s'", "--timeout", "0.5"], 1, "no batch within 0.5 s (--timeout)"),
        (["dataset.record_length_bytes=1e12", "dataset.data_folder='null://'"], 2, "are available: use a smaller"),
        (["--env-file", "/nonexistent/env"], 2, "/nonexistent/env: cannot be read"),
        (["-o", "/nonexistent/report.json"], 2, "cannot write /nonexistent/report.json"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_wish(workload: Path, arguments: list[str], status: int, words: str) -> None:
    done = dl_driver("run", workload, *arguments, "--results", workload.parent / "results")
    assert done.status == status, done.err
    assert words in done.message()
    assert nothing_left(workload.parent)


def test_all_wrong_keys_are_named_at_once(workload: Path) -> None:
    wrong = ["reader.batchsize=4", "train.epochs=-1", "dataset.num_files_train=few"]
    done = dl_driver("run", workload, *wrong, "--results", workload.parent / "results")
    assert done.status == 2
    assert sorted(line.split(": ")[2] for line in done.err.splitlines()) == [
        "dataset.num_files_train",
        "reader.batchsize",
        "train.epochs",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"- a\n- b\n", "expected sections such as dataset and reader, found a list"),
        (b"\x00\x01\x02", "is not valid YAML"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        (b"reader: {batch_size: 1}\nreader: {batch_size: 2}\n", ":2: is not valid YAML: the key 'reader' stands twice"),
    ],
)
def test_a_workload_that_is_none(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "w.yaml").write_bytes(content)
    done = dl_driver("run", tmp_path / "w.yaml", cwd=tmp_path)
    assert done.status == 2
    assert words in done.message()
    assert [path.name for path in tmp_path.iterdir()] == ["w.yaml"]


def test_an_unreadable_file(workload: Path) -> None:
    (workload.parent / "data" / "train" / NAME).chmod(0)
    prefix = without_override_of_permissions()
    done = dl_driver("run", workload, "--results", workload.parent / "results", prefix=prefix)
    assert done.status == 2
    assert f"{NAME}: permission denied; make the file readable" in done.message()
    assert nothing_left(workload.parent)


def test_an_unreadable_folder(workload: Path) -> None:
    folder = workload.parent / "data" / "train"
    folder.chmod(0)
    try:
        prefix = without_override_of_permissions()
        done = dl_driver("run", workload, "--results", workload.parent / "results", prefix=prefix)
    finally:
        folder.chmod(0o755)
    assert done.status == 2
    assert "Permission denied; give this user access" in done.message()
    assert nothing_left(workload.parent)


@pytest.mark.parametrize("command", ["generate", "run"])
def test_a_folder_that_may_not_be_written(workload: Path, command: str) -> None:
    closed = workload.parent / "closed"
    closed.mkdir(mode=0o555)
    place = [f"dataset.data_folder={closed}"] if command == "generate" else ["--results", closed / "results"]
    done = dl_driver(command, workload, *place, prefix=without_override_of_permissions())
    assert done.status == 2
    assert "ermission denied" in done.message()
    assert "choose another folder" in done.message()
    assert not list(closed.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_and_generation_that_resumes(workload: Path, small_disk: Path) -> None:
    """64 files of 64 KiB need 4 MiB; 1 MiB holds at most 15 (each has 498 bytes of container)."""
    wishes = [f"dataset.data_folder={small_disk}", "dataset.num_files_train=64", "dataset.record_length_bytes=65536"]
    done = dl_driver("generate", workload, *wishes)
    assert done.status == 2
    assert "No space left on device; free space" in done.message()
    whole = [path for path in small_disk.rglob("*") if path.is_file()]
    assert 0 < len(whole) <= 15
    assert {path.stat().st_size for path in whole} == {65536 + 498}
    assert not list(small_disk.rglob("*.partial"))
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    _truncate(whole[0])
    done = dl_driver("generate", workload, *wishes, "--skip-existing")
    assert done.status == 0
    assert f"{len(whole) - 1} were there" in done.err
    assert {path.stat().st_size for path in small_disk.rglob("*.npz")} == {65536 + 498}
    assert len(list(small_disk.rglob("*.npz"))) == 64


def test_results_that_find_no_room_are_shown_all_the_same(workload: Path, small_disk: Path) -> None:
    (small_disk / "fill").write_bytes(bytes((1 << 20) - 4096))
    done = dl_driver("run", workload, "--results", small_disk / "results")
    assert done.status == 2
    assert "No space left on device; choose another place for the results" in done.message()
    assert "Training: AU" in done.out
    assert [path.name for path in small_disk.iterdir()] == ["fill"]


def test_a_read_only_file_system(workload: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = dl_driver("generate", workload, f"dataset.data_folder={small_disk}/data")
    assert done.status == 2
    assert "Read-only file system; choose a folder on a writable file system" in done.message()
    done = dl_driver("run", workload, "--results", small_disk / "results")
    assert done.status == 2
    assert "Read-only file system; choose another folder with --results" in done.message()


def test_direct_on_a_file_system_in_memory(workload: Path, small_disk: Path) -> None:
    where = f"dataset.data_folder=direct://{small_disk}"
    assert dl_driver("generate", workload, where).status == 0
    results = workload.parent / "results"
    done = dl_driver("run", workload, where, "--strict-direct", "--results", results)
    assert done.status == 2
    assert "O_DIRECT has no effect here" in done.message()
    assert nothing_left(workload.parent)
    done = dl_driver("run", workload, where, "--results", results)
    assert done.status == 0
    assert "8 of 8 reads went through the page cache" in " ".join(done.out.split())


def test_no_more_processes(workload: Path) -> None:
    """A limit on open files stands for one on processes, which does not bind root."""
    limited = ("bash", "-c", 'ulimit -n 8; exec "$@"', "bash")
    done = dl_driver("run", workload, "--results", workload.parent / "results", prefix=limited)
    assert done.status in (1, 2)
    assert "Too many open files" in done.message() or "too many open files" in done.message()


@pytest.mark.parametrize(
    ("redirection", "status", "words"),
    [
        (">&-", 0, ""),
        (">/dev/full", 2, "dl-driver: the system refused: No space left on device\n"),
        ("| true", 0, ""),
        ("2>&-", 0, ""),
    ],
)
def test_streams_that_take_nothing(redirection: str, status: int, words: str) -> None:
    line = f'"$@" plan demo {redirection}'
    done = subprocess.run(["bash", "-c", line, "bash", *COMMAND], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, words)


_PLUGIN = """
class Plugin:
    def {hook}(self, value):
        raise ValueError("no luck")
"""


@pytest.mark.parametrize("hook", ["initialize", "after_step", "after_epoch", "finalize"])
def test_a_plugin_that_fails_ends_the_run(workload: Path, hook: str) -> None:
    place = workload.parent / "site"
    (place / "luckless-1.dist-info").mkdir(parents=True)
    (place / "luckless-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: luckless\nVersion: 1\n")
    (place / "luckless-1.dist-info" / "entry_points.txt").write_text(
        "[dl_driver.plugins]\nluckless = luckless:Plugin\n"
    )
    (place / "luckless.py").write_text(_PLUGIN.format(hook=hook))
    done = dl_driver("run", workload, "--results", workload.parent / "results", env={"PYTHONPATH": str(place)})
    assert done.status == 1
    assert done.message() == f"dl-driver: plugin 'luckless' failed in {hook}: ValueError: no luck"


def test_a_results_folder_of_an_earlier_run(workload: Path) -> None:
    """Three accelerators, then two: what is there in the end are the second run's results alone."""
    results = workload.parent / "results"
    for accelerators in (3, 2):
        done = dl_driver("run", workload, "reader.batch_size=1", f"--accelerators={accelerators}", "--results", results)
        assert done.status == 0, done.err
    assert sorted(path.name for path in results.glob("?_*.json")) == [
        "0_output.json",
        "0_per_epoch_stats.json",
        "1_output.json",
        "1_per_epoch_stats.json",
    ]
