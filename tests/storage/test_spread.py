# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several spans of a file as one read."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, Read, ReadQueue, Spread, StorageSettings

BLOCK = 4096


def spread_of(offsets: list[int], lengths: list[int]) -> Spread:
    """Places one behind the other."""
    made = np.array(lengths, np.int64)
    return Spread(np.array(offsets, np.int64), made, np.cumsum(made) - made)


def one(queue: ReadQueue, read: Read) -> Completion:
    queue.submit([read])
    done: list[Completion] = []
    while not done:
        done += queue.wait(5_000_000_000)
    queue.release(read.session)
    assert len(done) == 1
    return done[0]


def ring(scheme: str, folder: Path) -> ReadQueue:
    queue = open_storage(f"{scheme}://{folder}", StorageSettings(engine="ring")).open_reader(4)
    assert queue.spreads
    return queue


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize("count", [1, 3, 700])
def test_spans_land_in_their_places(tmp_path: Path, scheme: str, count: int) -> None:
    """Every second block of a file; 700 are more than the ring takes at once."""
    content = os.urandom(2 * BLOCK * count)
    (tmp_path / "a").write_bytes(content)
    spread = spread_of([2 * BLOCK * number for number in range(count)], [BLOCK] * count)
    into = memoryview(mmap.mmap(-1, count * BLOCK))
    queue = ring(scheme, tmp_path)
    try:
        for number in (5, 6):
            done = one(queue, Read("a", BLOCK, spread.length, into, 9, number, 0, spread))
            assert (done.tag, done.length, done.error) == (9, count * BLOCK, None)
            assert done.submitted_ns <= done.done_ns
            wanted = b"".join(content[at : at + BLOCK] for at in range(BLOCK, len(content), 2 * BLOCK))
            assert bytes(into) == wanted
            into[:] = bytes(len(into))
        assert queue.report().reads == 2 * count
    finally:
        queue.close()


def test_where_the_file_ends_fewer_bytes_arrive(tmp_path: Path) -> None:
    """Of spans at 0, 100 and 200 of 50 bytes each a file of 120 bytes has 50, 20 and none."""
    (tmp_path / "a").write_bytes(bytes(120))
    spread = spread_of([0, 100, 200], [50, 50, 50])
    queue = ring("file", tmp_path)
    try:
        assert one(queue, Read("a", 0, 150, memoryview(bytearray(150)), 1, 1, 0, spread)).length == 70
    finally:
        queue.close()


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    queue = ring("file", tmp_path)
    try:
        done = one(queue, Read("gone", 0, 2, memoryview(bytearray(2)), 1, 1, 0, spread_of([0, 9], [1, 1])))
        assert "gone" in str(done.error)
        assert queue.wait(0) == []
    finally:
        queue.close()


def test_a_folder_is_one_error(tmp_path: Path) -> None:
    """It can be opened, and no span of it can be read."""
    (tmp_path / "sub").mkdir()
    queue = ring("file", tmp_path)
    try:
        done = one(queue, Read("sub", 0, 2, memoryview(bytearray(2)), 1, 1, 0, spread_of([0, 9], [1, 1])))
        assert "it is a folder" in str(done.error)
    finally:
        queue.close()
