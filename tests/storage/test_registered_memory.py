# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads into memory that the ring knows, into other memory, and where the kernel refuses to know any."""

import errno
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, Read, ReadQueue, Spread, StorageSettings
from dl_driver.storage.engines import registered
from dl_driver.storage.engines.registered import NOT_REGISTERED, RegisteredMemory
from dl_driver.storage.engines.uring import SQE_SIZE, Ring
from dl_driver.storage.syscalls import address_of

BLOCK = 4096
READ_FIXED, READ = 4, 22
"""IORING_OP_READ_FIXED and IORING_OP_READ of io_uring.h."""


def finish(queue: ReadQueue, reads: list[Read]) -> list[Completion]:
    queue.submit(reads)
    done: list[Completion] = []
    while len(done) < len(reads):
        done += queue.wait(5_000_000_000)
    return sorted(done)


@pytest.mark.parametrize("scheme", ["file", "direct"])
@pytest.mark.parametrize("piece_blocks", [1 << 18, 3])
def test_bytes_land_in_their_places(
    tmp_path: Path, scheme: str, piece_blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pieces of three blocks, some reads lie in one piece and some across two."""
    monkeypatch.setattr(registered, "PIECE_BYTES", piece_blocks * BLOCK)
    content = os.urandom(4 * BLOCK)
    (tmp_path / "a").write_bytes(content)
    memory, other = memoryview(mmap.mmap(-1, 16 * BLOCK)), memoryview(mmap.mmap(-1, 4 * BLOCK))
    places = [memory[: 4 * BLOCK], memory[4 * BLOCK : 6 * BLOCK], memory[6 * BLOCK : 8 * BLOCK], other]
    spread = Spread(np.array([0, 2 * BLOCK]), np.array([BLOCK, BLOCK]), np.array([BLOCK, 0]))
    queue = open_storage(f"{scheme}://{tmp_path}", StorageSettings(engine="ring")).open_reader(8, memory=memory)
    try:
        done = finish(
            queue,
            [
                Read("a", 0, 4 * BLOCK, places[0], 0),
                Read("a", BLOCK, 2 * BLOCK, places[1], 1),
                Read("a", 2 * BLOCK, 2 * BLOCK, places[2], 2, session=7),
                Read("a", 0, 4 * BLOCK, places[3], 3),
                Read("a", 0, spread.length, memory[8 * BLOCK : 10 * BLOCK], 4, session=7, spread=spread),
            ],
        )
        queue.release(7)
        # The operations of the two whole reads and of those in the session: of memory that is known, and that is not.
        operations = {queue._sqes[place] for place in range(0, len(queue._sqes), SQE_SIZE)}
    finally:
        queue.close()
    assert {READ_FIXED, READ} <= operations
    assert [completion.error for completion in done] == [None] * 5
    assert [completion.length // BLOCK for completion in done] == [4, 2, 2, 4, 2]
    assert bytes(places[0]) == content
    assert bytes(places[1]) == content[BLOCK : 3 * BLOCK]
    assert bytes(places[2]) == content[2 * BLOCK :]
    assert bytes(places[3]) == content
    assert bytes(memory[8 * BLOCK : 10 * BLOCK]) == content[2 * BLOCK : 3 * BLOCK] + content[:BLOCK]
    assert not any(memory[10 * BLOCK :])


def test_pieces_are_numbered_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "PIECE_BYTES", 2 * BLOCK)
    memory = memoryview(mmap.mmap(-1, 5 * BLOCK))
    ring, start = Ring(fixed=1, others=1, file_slots=1), address_of(memory)
    known = RegisteredMemory(ring, memory)
    assert known.number(start, BLOCK) == 0
    assert known.number(start + BLOCK, BLOCK) == 0
    assert known.number(start + BLOCK, BLOCK + 1) == NOT_REGISTERED
    assert known.number(start + 4 * BLOCK, BLOCK) == 2
    assert known.number(start + 4 * BLOCK, BLOCK + 1) == NOT_REGISTERED
    assert known.number(start - 1, 1) == NOT_REGISTERED
    ring.close()


def test_where_memory_may_not_be_held_reads_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(ring: Ring, pieces: object) -> None:
        raise OSError(errno.ENOMEM, "RLIMIT_MEMLOCK")

    monkeypatch.setattr(Ring, "register_memory", refused)
    (tmp_path / "a").write_bytes(b"content")
    memory = memoryview(mmap.mmap(-1, BLOCK))
    queue = open_storage(f"file://{tmp_path}", StorageSettings(engine="ring")).open_reader(1, memory=memory)
    try:
        assert finish(queue, [Read("a", 0, BLOCK, memory, 0)])[0].length == 7
    finally:
        queue.close()
    assert bytes(memory[:7]) == b"content"
