# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexed binary files: the index as NumPy reads and writes it."""

import numpy as np
import pytest

from dl_driver.errors import FormatError
from dl_driver.formats.base import DEFAULTS, RecordSpec
from dl_driver.formats.indexed_binary import IndexedBinary
from dl_driver.formats.spans import RegularSpans, SpanTable
from dl_driver.storage.base import Piece
from dl_driver.testing.formats import FormatConformance, Written

SPEC = RecordSpec((40, 30), "uint8", 5)
BLOCK = 1 << 17


class TestIndexedBinary(FormatConformance):
    format_name = "indexed_binary"
    finds_flips = False


class TestMmapIndexedBinary(FormatConformance):
    format_name = "mmap_indexed_binary"
    finds_flips = False


def index_of(offsets: "np.ndarray", sizes: "np.ndarray") -> object:  # type: ignore[type-arg]
    """The index made up from two arrays that NumPy wrote."""
    objects = {"f.off.idx": offsets.astype("<u8").tobytes(), "f.sz.idx": sizes.astype("<u8").tobytes()}
    steps = IndexedBinary().index("f", len(offsets))
    try:
        needs = next(steps)
        while True:
            needs = steps.send([memoryview(objects[n.key])[n.offset : n.offset + n.length] for n in needs])
    except StopIteration as done:
        return done.value


def test_numpy_reads_the_index() -> None:
    written = Written("indexed_binary", DEFAULTS, SPEC)
    key = written.files.key(0)
    offsets = np.frombuffer(written.storage.get(key + ".off.idx"), "<u8")
    sizes = np.frombuffer(written.storage.get(key + ".sz.idx"), "<u8")
    assert offsets.tolist() == [0, 1200, 2400, 3600, 4800]
    assert sizes.tolist() == [1200] * 5
    assert len(written.storage.get(key)) == 6000


@pytest.mark.parametrize("count", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3])
def test_an_index_of_equal_samples_takes_no_memory(count: int) -> None:
    index = index_of(np.arange(count) * 2048, np.full(count, 2048))
    assert index == RegularSpans(count, 0, 2048, 2048)


def test_277_million_samples_are_computed() -> None:
    spec = RecordSpec((45, 45), "uint8", 277_203_535)
    pieces = IndexedBinary().sparse_companion(spec, 0)
    assert pieces.size == 2_217_628_280
    last = pieces.pieces[len(pieces.pieces) - 1]
    assert int(np.frombuffer(last.data, "<u8")[-1]) == 277_203_534 * 2025


@pytest.mark.parametrize("count", [3, BLOCK + 7, 3 * BLOCK])
@pytest.mark.parametrize("change", [0, -1])
def test_an_index_of_unequal_samples(count: int, change: int) -> None:
    sizes = np.full(count, 10)
    sizes[change] = 11
    offsets = np.cumsum(sizes) - sizes
    index = index_of(offsets, sizes)
    assert isinstance(index, SpanTable)
    assert (index.offsets == offsets).all()
    assert (index.lengths == sizes).all()


@pytest.mark.parametrize(
    ("offsets", "sizes", "message"),
    [
        ([0, 5], [5], "does not fit together"),
        ([], [], "is empty"),
        ([0, 2**63], [5, 5], "sample 1 has 5 bytes from byte 9223372036854775808 on"),
        ([0, 2**63 - 1], [5, 5], "sample 1 has"),
        ([0, 5], [0, 5], "sample 0 has 0 bytes"),
    ],
)
def test_a_damaged_index(offsets: list[int], sizes: list[int], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        index_of(np.array(offsets, np.uint64), np.array(sizes, np.uint64))


def test_samples_of_several_sizes_written_by_numpy() -> None:
    written = Written("indexed_binary", DEFAULTS, SPEC)
    sizes = np.array([1, 1000, 1199, 7, 1200], np.uint64)
    offsets = np.cumsum(sizes) - sizes
    data = np.random.default_rng(1).bytes(int(sizes.sum()))
    for number in range(2):
        key = written.files.key(number)
        written.replace(data, number)
        for ending, array in ((".off.idx", offsets), (".sz.idx", sizes)):
            written.storage.put(key + ending, [Piece(0, array.tobytes())])
    for _, sample, arrays in written.samples(shuffle=True, strict=False):
        start = int(offsets[sample])
        assert arrays["x"].tobytes() == data[start : start + int(sizes[sample])]


def test_an_index_cut_short_names_the_file() -> None:
    written = Written("indexed_binary", DEFAULTS, SPEC)
    key = written.files.key(0)
    written.storage.put(key + ".sz.idx", [Piece(0, written.storage.get(key + ".sz.idx")[:-3])])
    with pytest.raises(FormatError, match=key):
        list(written.samples())


def test_the_workload_tells_what_an_index_cannot_say() -> None:
    """Sizes that differ, places between samples, and several samples at one place, as dlio_benchmark writes them of
    files longer than its buffer."""
    written = Written("indexed_binary", DEFAULTS, SPEC)
    key = written.files.key(0)
    for ending, entries, message in (
        (".sz.idx", [1200, 1200, 1199, 1200, 1200], "sample 2 has 1199 bytes"),
        (".off.idx", [0, 1200, 2401, 3600, 4800], "sample 2 has 1200 bytes from byte 2401 on"),
        (".off.idx", [0, 1200, 2400, 0, 1200], "several samples begin at one byte"),
    ):
        whole = written.storage.get(key + ending)
        written.storage.put(key + ending, [Piece(0, np.array(entries, "<u8").tobytes())])
        with pytest.raises(FormatError, match=f"{key}: .*{message}"):
            list(written.samples())
        written.storage.put(key + ending, [Piece(0, whole)])
