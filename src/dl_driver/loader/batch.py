# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch as the library's users get it: views of the slab, which stay valid as long as they are kept."""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from dl_driver.dataset.files import FileSet
from dl_driver.formats.base import Layout
from dl_driver.loader.pool import ReadyBatch, WorkerPool
from dl_driver.loader.slab import RECORD, records_of

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
Sample = Mapping[str, Array]
"""A sample's arrays by name; read-only views."""


class Batch:
    """Samples in the order of the plan. Its place in memory is used again only when the batch and every array taken
    from it are gone; who keeps batches for long should copy them."""

    def __init__(
        self, pool: WorkerPool, ready: ReadyBatch, files: FileSet, release: Callable[[ReadyBatch], None]
    ) -> None:
        self.step = ready.step
        """Counted from 0 within the epoch."""
        self._count = ready.count
        self._runs = _ordered(pool.runs(ready)) if ready.runs else None
        self._known = np.frombuffer(pool.records(ready), RECORD) if self._runs is None else None
        """Records, where they are at hand."""
        told = self._known if self._runs is None else self._runs
        assert told is not None
        self._layouts = [_prepare(layout) for layout in _distinct(pool.layouts(ready, told))]
        self._files = files
        data = pool.slab.data(ready.slot)
        # Every array holds this object alive, through the memoryview; when the last is gone, so is the lease.
        weakref.finalize(data, release, ready).atexit = False
        self._view = memoryview(data).toreadonly()

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Batch {self.step} of {len(self)} samples>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Batch is a place in shared memory and cannot be copied or pickled; copy or pickle its arrays:"
            " [{name: array.copy() for name, array in sample.items()} for sample in batch]"
        )

    @property
    def _records(self) -> "NDArray[np.void]":
        if self._known is None:
            assert self._runs is not None
            self._known = records_of(self._runs)
        return self._known

    def __iter__(self) -> Iterator[Sample]:
        starts: list[int] = self._records["start"].tolist()
        distance = _even_distance(starts) if len(self._layouts) == 1 else 0
        if distance and all(shape for _, _, shape, _, _ in self._layouts[0]):
            yield from self._alike(starts[0], distance)
            return
        view = self._view
        layouts: Sequence[_Prepared] = self._layouts
        if len(layouts) == 1:
            layouts = self._layouts * len(self)
        elif self._runs is not None:
            pairs = zip(self._layouts, self._runs["count"].tolist(), strict=True)
            layouts = [layout for layout, count in pairs for _ in range(count)]
        for start, layout in zip(starts, layouts, strict=True):
            yield {
                name: np.ndarray(shape, dtype, view, start + offset, order=order)
                for name, dtype, shape, offset, order in layout
            }

    def _alike(self, first: int, distance: int) -> Iterator[Sample]:
        """The samples of a batch in which all have one layout and lie so many bytes apart: parts of one array a name,
        which come in a fraction of the time that an array of its own takes."""
        names, columns = [], []
        for name, dtype, shape, offset, order in self._layouts[0]:
            one = np.ndarray(shape, dtype, self._view, first + offset, order=order)
            names.append(name)
            columns.append(np.ndarray((len(self), *shape), dtype, self._view, first + offset, (distance, *one.strides)))
        for arrays in zip(*columns, strict=True):
            yield dict(zip(names, arrays, strict=True))

    def __getitem__(self, index: int) -> Sample:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"sample {index} of a batch of {count}")
        index %= count
        number, start = self._place(index)
        layout = self._layouts[number if len(self._layouts) > 1 else 0]
        return {name: np.ndarray(shape, dtype, self._view, start + offset, order=order)
                for name, dtype, shape, offset, order in layout}  # fmt: skip

    def _place(self, index: int) -> tuple[int, int]:
        """A sample's record or run, and where the sample begins."""
        if self._runs is None:
            return index, int(self._records["start"][index])
        number = int(np.searchsorted(self._runs["position"], index, side="right")) - 1
        run = self._runs[number]
        return number, int(run["start"]) + (index - int(run["position"])) * int(run["stride"])

    @property
    def keys(self) -> Sequence[str]:
        """The object that each sample came from, relative to the loader's URI."""
        return [self._files.key(file) for file in self._records["file"].tolist()]

    @property
    def sample_numbers(self) -> Sequence[int]:
        """Each sample's number within its object."""
        numbers: list[int] = self._records["sample"].tolist()
        return numbers

    @property
    def nbytes(self) -> int:
        """Bytes that storage delivered for this batch."""
        told = self._records if self._runs is None else self._runs
        return int(told["read_bytes"].sum())


def _ordered(runs: "NDArray[np.void]") -> "NDArray[np.void]":
    return runs[np.argsort(runs["position"])]


def _even_distance(starts: Sequence[int]) -> int:
    """Bytes from each start to the next one, where that is the same throughout; else 0."""
    if len(starts) < 2:
        return 0
    distance = starts[1] - starts[0]
    if distance <= 0 or starts != list(range(starts[0], starts[-1] + 1, distance)):
        return 0
    return distance


_Prepared = list[tuple[str, "np.dtype[np.generic]", tuple[int, ...], int, Literal["C", "F"]]]


def _distinct(layouts: Sequence[Layout]) -> Sequence[Layout]:
    """One layout where all samples share it, else one a sample."""
    return layouts[:1] if len(layouts) > 1 and all(layout is layouts[0] for layout in layouts) else layouts


def _prepare(layout: Layout) -> _Prepared:
    return [
        (array.name, np.dtype(array.dtype), array.shape, array.offset, "F" if array.fortran_order else "C")
        for array in layout
    ]
