# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loader against files that NumPy wrote."""

import copy
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import dl_driver
from dl_driver.errors import ConfigError, DataError, DlDriverError, RunError, WorkerError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """23 files; y holds the file's number."""
    generator = np.random.default_rng(5)
    for number in range(23):
        x = generator.integers(0, 256, (7 + number, 5, 1), dtype=np.uint8)
        np.savez(tmp_path / f"img_{number:02d}.npz", x=x, y=np.array([number]))
    return tmp_path


def numbers(batch: dl_driver.Batch) -> list[int]:
    return [int(sample["y"][0]) for sample in batch]


@pytest.mark.parametrize("engine", ["ring", "threads"])
@pytest.mark.parametrize("workers", [1, 2])
def test_every_sample_comes_once_with_its_values(folder: Path, engine: str, workers: int) -> None:
    with dl_driver.open_loader(str(folder), batch_size=4, workers=workers, engine=engine) as loader:
        for _ in range(3):
            seen = []
            for batch in loader:
                for key, sample in zip(batch.keys, batch, strict=True):
                    with np.load(folder / key) as expected:
                        assert np.array_equal(sample["x"], expected["x"])
                        seen.append(int(expected["y"][0]))
            assert seen == list(range(23))
        assert len(loader) == 6


def test_shuffle_is_a_function_of_seed_and_epoch(folder: Path) -> None:
    def epochs(seed: int, workers: int) -> list[list[int]]:
        with dl_driver.open_loader(str(folder), batch_size=4, shuffle=True, seed=seed, workers=workers) as loader:
            return [[number for batch in loader for number in numbers(batch)] for _ in range(2)]

    first = epochs(1, 1)
    assert first == epochs(1, 2)
    assert first[0] != first[1]
    assert first != epochs(2, 1)
    assert all(sorted(epoch) == list(range(23)) for epoch in first)


def test_completion_order_delivers_the_same_batches(folder: Path) -> None:
    with dl_driver.open_loader(str(folder), batch_size=4, order="completion", readers=3) as loader:
        assert Counter(number for batch in loader for number in numbers(batch)) == Counter(range(23))


def test_ranks_share_the_samples(folder: Path) -> None:
    seen: list[int] = []
    for rank in range(3):
        with dl_driver.open_loader(str(folder), batch_size=4, rank=rank, ranks=3, shuffle=True) as loader:
            seen += [number for batch in loader for number in numbers(batch)]
    assert sorted(seen) == list(range(23))


def test_a_batch_that_is_kept_keeps_its_values(folder: Path) -> None:
    with dl_driver.open_loader(str(folder), batch_size=2, readers=1, readahead=1) as loader:
        first = next(iter(loader))
        before = [sample["x"].copy() for sample in first]
        for _ in loader:
            pass
    assert all(np.array_equal(a, sample["x"]) for a, sample in zip(before, first, strict=True))


def test_keeping_every_batch_is_an_error_and_not_a_hang(folder: Path) -> None:
    with dl_driver.open_loader(str(folder), batch_size=2, readers=1, readahead=1) as loader:
        kept: list[dl_driver.Batch] = []
        with pytest.raises(RunError, match="copy the arrays"):
            kept.extend(loader)


def test_an_epoch_may_be_abandoned(folder: Path) -> None:
    with dl_driver.open_loader(str(folder), batch_size=2) as loader:
        for _ in range(5):
            next(iter(loader))
        assert [number for batch in loader for number in numbers(batch)] == list(range(23))


def test_samples_along_the_last_axis(tmp_path: Path) -> None:
    x = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(4))
    with dl_driver.open_loader(str(tmp_path), batch_size=3, samples_per_file=4) as loader:
        samples = [(sample["x"].copy(), int(sample["y"])) for batch in loader for sample in batch]
    assert [label for _, label in samples] == [0, 1, 2, 3]
    assert all(np.array_equal(sample, x[..., label]) for sample, label in samples)


@pytest.mark.parametrize("side", [100, 3000])
def test_a_crop_is_the_first_bytes(tmp_path: Path, side: int) -> None:
    """The larger file passes by in windows, the smaller is copied."""
    x = np.random.default_rng(1).integers(0, 256, (side, side, 1), dtype=np.uint8)
    for name in "abc":
        np.savez(tmp_path / f"{name}.npz", x=x, y=np.zeros(1, np.int64))
    with dl_driver.open_loader(str(tmp_path), batch_size=2, crop_bytes=50 * 50) as loader:
        samples = [sample["x"].copy() for batch in loader for sample in batch]
    assert len(samples) == 3
    assert all(np.array_equal(sample, x.reshape(-1)[:2500].reshape(50, 50)) for sample in samples)


def test_truncated_file_is_named(folder: Path) -> None:
    bad = folder / "img_07.npz"
    bad.write_bytes(bad.read_bytes()[:-30])
    with (
        dl_driver.open_loader(str(folder), batch_size=4) as loader,
        pytest.raises(DlDriverError, match=r"img_07\.npz"),
    ):
        list(map(len, loader))


def test_flipped_bit_is_found(folder: Path) -> None:
    bad = folder / "img_03.npz"
    content = bytearray(bad.read_bytes())
    content[200] ^= 1
    bad.write_bytes(content)
    with dl_driver.open_loader(str(folder), batch_size=4) as loader, pytest.raises(DlDriverError, match=r"img_03\.npz"):
        list(map(len, loader))


def test_missing_file_is_named(folder: Path) -> None:
    with dl_driver.open_loader(str(folder), batch_size=4) as loader:
        (folder / "img_20.npz").unlink()
        with pytest.raises(DlDriverError, match=r"img_20\.npz"):
            list(map(len, loader))


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no objects"):
        dl_driver.open_loader(str(tmp_path))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"rank": 2, "ranks": 2}, "rank: 2 is out of range; of 2 ranks they are 0 to 1"),
        ({"rank": -1}, "rank: -1 is out of range; of 1 ranks they are 0 to 0"),
        ({"ranks": 0}, "ranks: 0 is out of range; expected a whole number of at least 1"),
        ({"engine": "uring"}, "engine: 'uring' is unknown; expected 'auto' or 'ring' or 'threads'"),
        ({"order": "any"}, "order: 'any' is unknown; expected 'plan' or 'completion'"),
        ({"timeout": -1}, "timeout: -1 is out of range; expected seconds, more than 0"),
        ({"timeout": float("nan")}, "timeout: nan is out of range; expected seconds, more than 0"),
        ({"readahead": 0}, "readahead: 0 is out of range; expected a whole number of at least 1"),
        ({"crop_bytes": -1}, "crop_bytes: -1 is out of range; expected a whole number, 0 for all"),
        ({"batch_size": 2.5}, "batch_size: 2.5 is out of range; expected a whole number of at least 1"),
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_told_before_anything_starts(folder: Path, argument: dict, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        dl_driver.open_loader(folder, **argument)
    assert str(told.value) == said


def test_all_wrong_arguments_at_once(folder: Path) -> None:
    with pytest.raises(ConfigError, match="engine") as told:
        dl_driver.open_loader(folder, engine="x", order="y", batch_size=0)
    assert len(told.value.problems) == 3


def test_unknown_storage_options_name_the_nearest(folder: Path) -> None:
    with pytest.raises(ConfigError) as told:
        dl_driver.open_loader(folder, storage_options={"endpoint": "http://a", "connections": "many"})
    assert "storage.storage_options.endpoint: unknown key; did you mean storage.storage_options.endpoint_url?" in str(
        told.value
    )
    assert "storage.storage_options.connections: expected a valid integer" in str(told.value)


def test_a_path_object_is_a_path(folder: Path) -> None:
    with dl_driver.open_loader(folder, batch_size=23) as loader:
        assert [numbers(batch) for batch in loader] == [list(range(23))]
        assert repr(loader) == f"<Loader of file://{folder}, 1 batches an epoch>"
    with pytest.raises(ConfigError, match="uri: expected a path or a URI, found ''"):
        dl_driver.open_loader("")


def test_a_closed_loader_says_so(folder: Path) -> None:
    loader = dl_driver.open_loader(folder, batch_size=4)
    epoch = iter(loader)
    batch = next(epoch)
    loader.close()
    with pytest.raises(RunError, match="the loader is closed"):
        next(epoch)
    with pytest.raises(RunError, match="the loader is closed"):
        next(iter(loader))
    assert numbers(batch) == [0, 1, 2, 3]


def test_a_second_iteration_ends_the_first(folder: Path) -> None:
    with dl_driver.open_loader(folder, batch_size=4, timeout=20) as loader:
        first, second = iter(loader), iter(loader)
        assert numbers(next(first)) == [0, 1, 2, 3]
        assert numbers(next(second)) == [0, 1, 2, 3]
        with pytest.raises(RunError, match="another one of the same loader has begun"):
            next(first)
        assert sum(len(batch) for batch in second) == 19


def test_a_batch_cannot_be_pickled_and_says_what_can(folder: Path) -> None:
    with dl_driver.open_loader(folder, batch_size=4) as loader:
        batch = next(iter(loader))
        with pytest.raises(TypeError, match="copy or pickle its arrays"):
            pickle.dumps(batch)
        with pytest.raises(TypeError, match="copy or pickle its arrays"):
            copy.deepcopy(batch)
        back = pickle.loads(pickle.dumps(batch[1]))
        assert np.array_equal(back["x"], batch[1]["x"])
        assert repr(batch) == "<Batch 0 of 4 samples>"


def test_arguments_out_of_range(folder: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size"):
        dl_driver.open_loader(str(folder), batch_size=0)


def test_a_killed_worker_is_an_error(folder: Path) -> None:
    import os
    import signal

    with dl_driver.open_loader(str(folder), batch_size=2, workers=1) as loader:
        for pid in loader._pool.pids:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="SIGKILL"):
            list(map(len, loader))
