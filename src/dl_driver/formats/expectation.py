# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds files against what the workload says of them, around any format whose samples lie in one array.

A file may be whole and still not the workload's: of another element type or shape, or without the array that is trained
on. Reading it would measure something else, so it is an error.
"""

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from dl_driver.errors import DataError
from dl_driver.formats.base import ArraySpec, Format, Layout, StreamDecoder

SAMPLES_ARRAY = "x"
"""As dlio_benchmark calls it."""
_IN_ONE_ARRAY = {"npz": SAMPLES_ARRAY, "npy": SAMPLES_ARRAY}
"""The array that holds the samples, of the formats to which this applies."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the workload says of every file; picklable."""

    dtype: str
    """NumPy's name."""
    num_samples: int
    """Along the last axis."""
    dims: tuple[int, ...] | None
    """Shape of one sample; None where it differs from file to file."""

    @property
    def num_elements(self) -> int | None:
        """Of one sample; None where it differs from file to file."""
        return None if self.dims is None else prod(self.dims)

    @property
    def sample_bytes(self) -> int | None:
        """The same in bytes."""
        return None if self.num_elements is None else self.num_elements * np.dtype(self.dtype).itemsize


class Decoder(Protocol):
    """What a format does with files that were read."""

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        ...

    def stream(self) -> StreamDecoder:
        """See Format."""
        ...


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
            self._checked = check_layout(layout, self._array, self._expectation)
        return layout

    def stream(self) -> "_ExpectingStream":
        """See Format."""
        return _ExpectingStream(self._inner.stream(), self._array, self._expectation)


class _ExpectingStream:
    """See StreamDecoder."""

    def __init__(self, inner: StreamDecoder, array: str, expectation: Expectation) -> None:
        self._inner, self._array, self._expectation = inner, array, expectation

    @property
    def layout_so_far(self) -> Layout:
        """See StreamDecoder."""
        return self._inner.layout_so_far

    def feed(self, window: memoryview) -> None:
        """See StreamDecoder."""
        self._inner.feed(window)

    def finish(self) -> Layout:
        """See StreamDecoder."""
        return check_layout(self._inner.finish(), self._array, self._expectation)


def check_layout(layout: Layout, name: str, expected: Expectation) -> Layout:
    """The layout, or DataError."""
    found = next((array for array in layout if array.name == name), None)
    if found is None:
        names = ", ".join(array.name for array in layout) or "nothing"
        raise DataError(f"holds {names}, expected an array {name}")
    dims = found.shape[:-1] if expected.dims is None else expected.dims
    wanted = (*dims, expected.num_samples)
    dtype = np.dtype(expected.dtype)
    if found.shape != wanted or np.dtype(found.dtype) != dtype:
        raise DataError(
            f"its array {name} is {_describe(found)}, the workload says {dtype.name} {wanted}; check"
            " dataset.record_element_type, record_length_bytes, record_dims and num_samples_per_file against the"
            " data set"
        )
    return layout


def _describe(array: ArraySpec) -> str:
    return f"{np.dtype(array.dtype).name} {array.shape}"
