# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine that reads formats through an index, with a format made for the purpose and objects in memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import pytest

from dl_driver.dataset.files import ListedFiles
from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import DataError, FormatError, StorageError
from dl_driver.formats.base import ArraySpec, Format, Indexing, Reading
from dl_driver.formats.spans import (
    FileIndex,
    Group,
    Landed,
    Need,
    Placed,
    RegularSpans,
    Span,
    SpanTable,
    coalesce,
    span_index,
)
from dl_driver.loader import reading as reading_module
from dl_driver.loader import sizing as sizing_module
from dl_driver.loader.filling import divided
from dl_driver.loader.index_cache import IndexCache
from dl_driver.loader.limited_queue import LimitedQueue
from dl_driver.loader.loader import Loader
from dl_driver.loader.parts import Part, parts_of
from dl_driver.loader.sizing import Depth, make_plan
from dl_driver.storage.base import Completion, Piece, Read, StorageSettings
from dl_driver.storage.memory import MemoryQueue, MemoryStorage

_LAYOUT = (ArraySpec("x", "|u1", (5,), 0),)


class Fives(Format):
    """Samples of five bytes behind a header of one byte, the number of samples; an optional companion says 'ok'."""

    name = "fives"
    suffix = "fives"
    asked: ClassVar[list[str]] = []
    groups: ClassVar[list[tuple[int, ...]]] = []

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        return Reading.SPANS

    def sample_bytes(self, record: object, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        return 5

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        self.asked.append(key)
        head, tail, beside = yield [Need(key, 0, 1), Need(key, -1, 1), Need(key + ".ok", 0, 10, optional=True)]
        assert beside is None or bytes(beside) == b"ok"
        assert head is not None
        assert tail is not None
        if not head:
            raise FormatError("the file is empty")
        assert bytes(tail) == b"."
        (again,) = yield [Need(key, 0, 1)]
        assert again is not None
        return RegularSpans(again[0], 1, 5, 5)

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        assert isinstance(index, RegularSpans)
        found = coalesce(index, samples, limit)
        self.groups.extend(tuple(group.samples) for group in found)
        return found

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        return [Placed(landed.starts[0] + start, length, _LAYOUT) for start, length in group.places]


def content(file: int, sample: int) -> bytes:
    return bytes([file, sample, file ^ sample, 7, 9])


MakeLoader = Callable[..., Loader]


@pytest.fixture
def make_loader(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[MakeLoader]:
    """A loader over three files of Fives; offsets and lengths of reads are multiples of ``alignment``."""
    Fives.asked.clear()
    Fives.groups.clear()
    for module in (reading_module, sizing_module):
        monkeypatch.setattr(module, "get_format", lambda name, options: Fives(options))
    storage = MemoryStorage(f"memory://{request.node.name}", StorageSettings())
    keys = ["a.fives", "b.fives", "c.fives"]
    for file, key in enumerate(keys):
        data = bytes([12]) + b"".join(content(file, sample) for sample in range(12)) + b"."
        storage.put(key, [Piece(0, data)])
    storage.put("b.fives.ok", [Piece(0, b"ok")])
    opened: list[Loader] = []

    def make(
        *, alignment: int = 1, run_bytes: int = 1000, batch_size: int = 5, crop_bytes: int = 0, seed: int | None = None
    ) -> Loader:
        monkeypatch.setattr(MemoryStorage, "alignment", alignment)
        plan = make_plan(
            storage, storage.settings, format_name="fives", files=ListedFiles(keys, [62] * 3), samples_per_file=12,
            batch_size=batch_size, depth=Depth(2, 4, 4), run_bytes=run_bytes, crop_bytes=crop_bytes,
        )  # fmt: skip
        order = EpochOrder(3, 12, 1, batch_size, sample_shuffle=seed is not None, seed=seed or 0, drop_last=False)
        opened.append(Loader(plan, order, delivery_order="plan", reshuffle=False, timeout=None))
        return opened[-1]

    yield make
    for loader in opened:
        loader.close()


def samples_of(loader: Loader) -> list[tuple[int, int, bytes]]:
    return [
        ("abc".index(key[0]), number, sample["x"].tobytes())
        for batch in loader
        for key, number, sample in zip(batch.keys, batch.sample_numbers, batch, strict=True)
    ]


EVERY = [(file, sample, content(file, sample)) for file in range(3) for sample in range(12)]


@pytest.mark.parametrize("alignment", [1, 16, 512])
@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 5, 36])
def test_every_sample_is_what_its_file_holds(
    make_loader: MakeLoader, alignment: int, seed: int | None, batch_size: int
) -> None:
    loader = make_loader(alignment=alignment, seed=seed, batch_size=batch_size)
    for _ in range(2):
        seen = samples_of(loader)
        assert seen == EVERY if seed is None else sorted(seen) == EVERY


def test_an_index_is_made_once_for_all_epochs_and_batches(make_loader: MakeLoader) -> None:
    loader = make_loader()
    for _ in range(3):
        samples_of(loader)
    assert sorted(Fives.asked) == ["a.fives", "b.fives", "c.fives"]


def test_runs_are_read_together_up_to_the_limit(make_loader: MakeLoader) -> None:
    """Ten samples a batch, of five bytes each, with at most 15 bytes a read."""
    samples_of(make_loader(batch_size=10, run_bytes=15))
    assert Fives.groups[:5] == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9,), (10, 11)]


def test_records_say_where_a_sample_lies_and_what_was_read_for_it(make_loader: MakeLoader) -> None:
    batch = next(iter(make_loader(batch_size=4)))
    records = batch._records
    assert records["start"].tolist() == [0, 5, 10, 15]
    assert records["read_bytes"].sum() == batch.nbytes == 20
    assert (records["done_ns"] >= records["submitted_ns"]).all()


@pytest.mark.parametrize("alignment", [1, 512])
def test_a_crop_is_the_first_bytes(make_loader: MakeLoader, alignment: int) -> None:
    seen = samples_of(make_loader(crop_bytes=2, alignment=alignment, seed=3))
    assert sorted(seen) == [(file, sample, data[:2]) for file, sample, data in EVERY]


def test_an_abandoned_epoch_leaves_nothing_behind(make_loader: MakeLoader) -> None:
    loader = make_loader(seed=4)
    for _ in range(4):
        next(iter(loader))
    assert sorted(samples_of(loader)) == EVERY


def test_too_few_samples_are_an_error_that_names_the_file(make_loader: MakeLoader) -> None:
    loader = make_loader()
    MemoryStorage(loader._plan.uri, StorageSettings()).put("b.fives", [Piece(0, bytes([3]) + bytes(15) + b".")])
    with pytest.raises(DataError, match=r"b\.fives: holds 3 samples, number 7 was asked for"):
        samples_of(loader)


def test_a_short_read_is_an_error_that_names_the_file(make_loader: MakeLoader) -> None:
    loader = make_loader()
    MemoryStorage(loader._plan.uri, StorageSettings()).put("c.fives", [Piece(0, bytes([12]) + b"." * 20)])
    with pytest.raises(FormatError, match=r"c\.fives: the file has no more than 31 bytes.*to byte 56"):
        samples_of(loader)


def test_what_an_index_finds_wrong_names_the_file(make_loader: MakeLoader) -> None:
    loader = make_loader()
    MemoryStorage(loader._plan.uri, StorageSettings()).put("a.fives", [])
    with pytest.raises(FormatError, match=r"a\.fives: the file is empty"):
        samples_of(loader)


def test_a_missing_file_is_an_error(make_loader: MakeLoader) -> None:
    loader = make_loader()
    MemoryStorage(loader._plan.uri, StorageSettings()).delete(["b.fives"])
    with pytest.raises(StorageError, match=r"b\.fives: there is no such object"):
        samples_of(loader)


def test_never_more_reads_in_flight_than_the_queue_takes() -> None:
    class Counting(MemoryQueue):
        most = 0

        def submit(self, reads: Sequence[Read]) -> None:
            super().submit(reads)
            Counting.most = max(Counting.most, len(self._done))

        def wait(self, timeout_ns: int | None = None) -> Sequence[Completion]:
            finished, self._done = self._done[:1], self._done[1:]
            return finished

    storage = MemoryStorage("memory://limited", StorageSettings())
    storage.put("k", [Piece(0, b"abc")])
    queue = LimitedQueue(Counting(storage, None), 4)
    queue.submit([Read("k", 0, 3, memoryview(bytearray(3)), tag) for tag in range(10)])
    assert [completion.tag for _ in range(10) for completion in queue.wait(0)] == list(range(10))
    assert Counting.most == 4


def test_parts_are_a_batchs_files_in_the_order_of_its_samples() -> None:
    parts = parts_of(np.array([4, 2, 4, 2, 9]), np.array([7, 1, 3, 0, 5]))
    assert parts == [Part(4, [3, 7], [2, 0]), Part(2, [0, 1], [3, 1]), Part(9, [5], [4])]


def test_the_cache_keeps_the_indexes_used_last() -> None:
    cache = IndexCache(limit=100)
    table = [SpanTable(np.zeros(3, np.int64), np.zeros(3, np.int64)) for _ in range(4)]
    assert table[0].nbytes == 48
    cache.put(0, table[0])
    cache.put(1, table[1])
    assert cache.get(0) is table[0]
    cache.put(2, table[2])
    assert [cache.get(number) for number in range(3)] == [table[0], None, table[2]]
    cache.put(3, SpanTable(np.zeros(99, np.int64), np.zeros(99, np.int64)))
    assert [cache.get(number) is None for number in range(4)] == [True, True, True, False]


def test_regular_samples_take_no_table() -> None:
    assert span_index(np.array([8, 18, 28]), np.array([9, 9, 9])) == RegularSpans(3, 8, 10, 9)
    assert isinstance(span_index(np.array([8, 18, 29]), np.array([9, 9, 9])), SpanTable)
    assert span_index(np.array([4]), np.array([9])) == RegularSpans(1, 4, 9, 9)


def test_spans_touch_or_are_read_apart() -> None:
    """Samples at 0, 10 and 20 touch; the one at 31 does not; the limit is 20 bytes."""
    index = SpanTable(np.array([0, 10, 20, 31]), np.array([10, 10, 10, 4]))
    assert coalesce(index, [0, 1, 2, 3], 20) == [
        Group((Span(0, 20),), [0, 1], [(0, 10), (10, 10)]),
        Group((Span(20, 10),), [2], [(0, 10)]),
        Group((Span(31, 4),), [3], [(0, 4)]),
    ]
    assert coalesce(index, [2], 1) == [Group((Span(20, 10),), [2], [(0, 10)])]


def test_shares_add_up() -> None:
    assert divided(11, 4) == [5, 2, 2, 2]
