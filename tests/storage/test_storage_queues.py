# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every engine against files that Python wrote."""

import mmap
import os
from pathlib import Path

import pytest

from dl_driver.errors import StorageError
from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, Piece, Read, ReadQueue, StorageSettings
from dl_driver.storage.long_reads import LongReads


def finish(queue: ReadQueue, count: int) -> list[Completion]:
    done: list[Completion] = []
    while len(done) < count:
        done += queue.wait(5_000_000_000)
    return sorted(done)


@pytest.mark.parametrize("engine", ["ring", "threads"])
@pytest.mark.parametrize("scheme", ["file", "direct"])
def test_reads_of_all_kinds(tmp_path: Path, engine: str, scheme: str) -> None:
    content = os.urandom(10_000)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(content)
    storage = open_storage(f"{scheme}://{tmp_path}", StorageSettings(engine=engine))
    buffers = [memoryview(mmap.mmap(-1, 12288)) for _ in range(4)]
    queue = storage.open_reader(4)
    try:
        queue.submit(
            [
                Read("sub/a", 0, 12288, buffers[0], 0),
                Read("sub/a", 4096, 4096, buffers[1], 1, session=7),
                Read("sub/a", 8192, 4096, buffers[2], 2, session=7),
                Read("missing", 0, 4096, buffers[3], 3),
            ]
        )
        whole, middle, end, missing = finish(queue, 4)
    finally:
        queue.release(7)
        queue.close()
    assert whole.error is None
    assert bytes(buffers[0][: whole.length]) == content
    assert bytes(buffers[1][: middle.length]) == content[4096:8192]
    assert bytes(buffers[2][: end.length]) == content[8192:]
    assert "missing" in str(missing.error)
    assert whole.submitted_ns <= whole.done_ns


@pytest.mark.parametrize("engine", ["ring", "threads"])
@pytest.mark.parametrize("scheme", ["file", "direct"])
def test_reads_longer_than_the_kernel_takes_arrive_whole(tmp_path: Path, engine: str, scheme: str) -> None:
    content = os.urandom(10_000)
    (tmp_path / "a").write_bytes(content)
    buffers = [memoryview(mmap.mmap(-1, 16384)) for _ in range(4)]
    opened = open_storage(f"{scheme}://{tmp_path}", StorageSettings(engine=engine)).open_reader(4)
    queue = LongReads(opened, longest=4096, part_bytes=4096)
    queue.submit(
        [
            Read("a", 0, 16384, buffers[0], 0),
            Read("a", 0, 8192, buffers[1], 1, session=7),
            Read("a", 0, 4096, buffers[2], 2),
            Read("missing", 0, 8192, buffers[3], 3),
        ]
    )
    queue.release(7)
    try:
        beyond_the_end, in_session, short, missing = finish(queue, 4)
    finally:
        queue.close()
    assert bytes(buffers[0][: beyond_the_end.length]) == content
    assert bytes(buffers[1][: in_session.length]) == content[:8192]
    assert bytes(buffers[2][: short.length]) == content[:4096]
    assert missing.length == 0
    assert "missing" in str(missing.error)


def test_wait_returns_when_the_watched_descriptor_is_readable(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    queue = open_storage(f"file://{tmp_path}").open_reader(1, watch=reading)
    try:
        assert queue.wait(0) == []
        os.write(writing, b"x")
        assert queue.wait(5_000_000_000) == []
    finally:
        queue.close()
        os.close(reading)
        os.close(writing)


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        queue = open_storage(f"file://{tmp_path}").open_reader(8)
        queue.submit([Read("a", 0, 100, memoryview(bytearray(100)), 1)])
        finish(queue, 1)
        queue.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("uri", ["file://{}", "direct://{}", "memory://{}"])
def test_put_takes_pieces_and_patches(tmp_path: Path, uri: str) -> None:
    storage = open_storage(uri.format(tmp_path))
    first, second = os.urandom(5000), os.urandom(70_000)
    assert storage.put("x/y", [Piece(0, first), Piece(5000, second), Piece(14, b"CRC!")]) == 75_000
    assert storage.stat("x/y").size == 75_000
    assert [info.key for info in storage.list()] == ["x/y"]
    queue = storage.open_reader(1)
    into = memoryview(mmap.mmap(-1, 77_824))
    queue.submit([Read("x/y", 0, 77_824, into, 1)])
    (done,) = finish(queue, 1)
    queue.close()
    assert bytes(into[: done.length]) == first[:14] + b"CRC!" + first[18:] + second
    storage.delete(["x/y", "not there"])
    with pytest.raises(StorageError, match="x/y"):
        storage.stat("x/y")


def test_a_failed_put_leaves_nothing(tmp_path: Path) -> None:
    def pieces():  # type: ignore[no-untyped-def]
        yield Piece(0, b"half")
        raise StorageError("the source broke")

    with pytest.raises(StorageError, match="broke"):
        open_storage(f"file://{tmp_path}").put("a", pieces())
    assert os.listdir(tmp_path) == []


def test_direct_on_tmpfs_is_counted_or_refused() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder, "a").write_bytes(b"x" * 100)
        queue = open_storage(f"direct://{folder}").open_reader(1)
        queue.submit([Read("a", 0, 4096, memoryview(mmap.mmap(-1, 4096)), 1)])
        finish(queue, 1)
        assert queue.report().fallbacks == 1
        queue.close()
        strict = open_storage(f"direct://{folder}", StorageSettings(strict_direct=True))
        with pytest.raises(StorageError, match="strict-direct"):
            strict.open_reader(1)
        with pytest.raises(StorageError, match="strict-direct"):
            strict.put("b", [Piece(0, b"x")])
        assert [path.name for path in Path(folder).iterdir()] == ["a"]


def test_null_takes_its_latency_and_bandwidth() -> None:
    storage = open_storage("null://?latency=3ms&bandwidth=1MB/s", StorageSettings(objects=_one_object))
    queue = storage.open_reader(2)
    buffers = [memoryview(bytearray(b"z" * 1000)) for _ in range(2)]
    queue.submit([Read("a", 0, 1000, buffers[0], 1), Read("a", 0, 1000, buffers[1], 2)])
    first, second = finish(queue, 2)
    assert first.done_ns - first.submitted_ns >= 4_000_000
    # Its bytes follow those of the first over the same link.
    assert second.done_ns - first.submitted_ns >= 5_000_000
    assert bytes(buffers[0][:1000]) == b"head" + bytes(996)


def _one_object(key: str) -> tuple[int, list[Piece]]:
    return 1000, [Piece(0, b"head")]


@pytest.mark.parametrize("uri", ["null://?latency=fast", "null://?bandwidth=0", "null://?speed=1", "nope://x", "plain"])
def test_bad_uris_are_errors(uri: str) -> None:
    with pytest.raises(StorageError):
        open_storage(uri)
