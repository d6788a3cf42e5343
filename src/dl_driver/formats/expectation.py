# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds files against what the workload says of them, in any format whose samples lie in one array.

A file may be whole and still not the workload's: of another element type or shape, or without the array that is trained
on. Reading it would measure something else, so it is an error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dl_driver.errors import DataError
from dl_driver.formats.base import ArraySpec, Format, Layout, StreamDecoder
from dl_driver.formats.spans import Placed

_IN_ONE_ARRAY = {"npz": "x", "npy": "x"}
"""The array that holds the samples, of the formats to which this applies where files are read as they are."""
_UNPACKED = {"npz": "x", "csv": "x", "raw": "x", "jsonl": "text"}
"""The same where samples are found through an index or unpacked."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the workload says of every file; picklable."""

    dtype: str
    """NumPy's name."""
    num_samples: int
    """Along the last axis."""
    dims: tuple[int, ...] | None
    """Shape of one sample; None where it differs from file to file."""


class Decoder(Protocol):
    """What a format does with files that were read."""

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        ...

    def stream(self) -> StreamDecoder:
        """See Format."""
        ...


class SampleCheck:
    """Of samples that were unpacked, or found through an index; see ``sample_check``."""

    def __init__(self, array: str, wanted: ArraySpec) -> None:
        self._array, self._wanted = array, wanted
        self._checked: Layout = ()
        """The last layout found right."""

    def check(self, placed: Sequence[Placed]) -> None:
        """Raises DataError for the first that is not as expected."""
        for sample in placed:
            layout = sample.layout
            if layout is not self._checked and layout != self._checked:
                self._check(layout)
                self._checked = layout

    def _check(self, layout: Layout) -> None:
        found, wanted = _array_of(layout, self._array), self._wanted
        if found.shape != wanted.shape or np.dtype(found.dtype) != np.dtype(wanted.dtype):
            raise _unexpected(found, wanted)


def sample_check(file_format: Format, expectation: Expectation | None) -> SampleCheck | None:
    """Holds samples against what is expected of the file's; None where nothing is, or the format looks after that
    itself. A row of text has elements but no shape, opaque bytes and text have a length alone."""
    array = _UNPACKED.get(file_format.name)
    if array is None or expectation is None or expectation.dims is None:
        return None
    if file_format.name == "jsonl" and not file_format.options.decode:
        return None
    dtype = np.dtype(expectation.dtype)
    count = math.prod(expectation.dims)
    shapes = {
        # A file of one sample is delivered as it is, which is as dlio_benchmark's: the samples along its last axis.
        "npz": (*expectation.dims, 1) if expectation.num_samples == 1 else expectation.dims,
        "csv": (count,),
    }
    if file_format.name not in shapes:
        return SampleCheck(array, ArraySpec(array, "|u1", (count * dtype.itemsize,), 0))
    return SampleCheck(array, ArraySpec(array, dtype.str, shapes[file_format.name], 0))


def expecting(file_format: Format, expectation: Expectation | None) -> Decoder:
    """The format's decoder, refusing files that are not as expected; the format itself where nothing is expected or its
    samples do not lie in one array."""
    array = _IN_ONE_ARRAY.get(file_format.name)
    if expectation is None or array is None:
        return file_format
    return _ExpectingDecoder(file_format, array, expectation)


class _ExpectingDecoder:
    """See Decoder; raises DataError for what is not expected."""

    def __init__(self, inner: Format, array: str, expectation: Expectation) -> None:
        self._inner, self._array, self._expectation = inner, array, expectation
        self._checked: Layout = ()
        """The last layout found right; formats share layouts between files that are alike."""

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        layout = self._inner.decode(data)
        if layout is not self._checked:
            self._checked = self.check(layout)
        return layout

    def stream(self) -> "_ExpectingStream":
        """See Format."""
        return _ExpectingStream(self._inner.stream(), self)

    def check(self, layout: Layout) -> Layout:
        """The layout, or DataError."""
        expected = self._expectation
        found = _array_of(layout, self._array)
        dims = found.shape[:-1] if expected.dims is None else expected.dims
        wanted = (*dims, expected.num_samples)
        dtype = np.dtype(expected.dtype)
        if found.shape != wanted or np.dtype(found.dtype) != dtype:
            raise _unexpected(found, ArraySpec(self._array, dtype.str, wanted, 0))
        return layout


class _ExpectingStream:
    """See StreamDecoder."""

    def __init__(self, inner: StreamDecoder, owner: _ExpectingDecoder) -> None:
        self._inner, self._owner = inner, owner

    @property
    def layout_so_far(self) -> Layout:
        """See StreamDecoder."""
        return self._inner.layout_so_far

    def feed(self, window: memoryview) -> None:
        """See StreamDecoder."""
        self._inner.feed(window)

    def finish(self) -> Layout:
        """See StreamDecoder."""
        return self._owner.check(self._inner.finish())


def _array_of(layout: Layout, name: str) -> ArraySpec:
    found = next((array for array in layout if array.name == name), None)
    if found is None:
        names = ", ".join(array.name for array in layout) or "nothing"
        raise DataError(f"holds {names}, expected an array {name}")
    return found


def _unexpected(found: ArraySpec, wanted: ArraySpec) -> DataError:
    return DataError(
        f"its array {found.name} is {_describe(found)}, the workload says {_describe(wanted)}; check"
        " dataset.record_element_type, record_length_bytes, record_dims and num_samples_per_file against the data set"
    )


def _describe(array: ArraySpec) -> str:
    return f"{np.dtype(array.dtype).name} {array.shape}"
