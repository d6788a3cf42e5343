# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""CSV as dlio_benchmark writes it: a row a sample, the sample's elements in C order, no header and no index.

pandas.read_csv(path, header=None) reads it. Numbers have as many digits as they need, so only encoding tells a file's
size. A row's elements become the workload's element type; without a workload int64, or float64 where one is no integer,
as pandas has them.
"""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dl_driver.errors import ConfigError, DataError, FormatError, Problem
from dl_driver.formats.base import DEFAULTS, ArraySpec, ContentReader, FormatOptions, Layout, RecordSpec
from dl_driver.formats.expectation import Expectation
from dl_driver.formats.lines import LineFormat, content_parts
from dl_driver.formats.spans import Placed, too_large
from dl_driver.storage.base import Piece

_COMMA, _ZERO, _RETURN = 44, 48, 13
_CERTAIN = 10**18
"""Greater numbers may have been too great for int64."""
_FLOAT_CHARACTERS = 25
"""Of a float64 with its comma, at most, such as -2.2250738585072014e-308."""
_KINDS = "iufb"
_NUMBER = re.compile(rb"[ \t]*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|nan|infinity)[ \t]*", re.IGNORECASE)
_FRACTION = re.compile(rb"[^-+0-9 \t]")
"""What no whole number has."""


class Csv(LineFormat):
    """See Format."""

    name = "csv"
    suffix = "csv"

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._expected: int | None = None
        """Values of a row, where the workload says so."""

    def expect(self, expectation: Expectation) -> None:
        """See Format."""
        self._expected = expectation.num_elements

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        _check_type(spec.dtype)
        return super().encode(spec, fill)

    def max_file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        _check_type(spec.dtype)
        dtype = np.dtype(spec.dtype)
        width = _FLOAT_CHARACTERS if dtype.kind == "f" else _integer_characters(dtype)
        return spec.payload_bytes // dtype.itemsize * width + spec.num_samples

    def file_size(self, spec: RecordSpec) -> int | None:
        """See Format."""
        return None

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format: a digit and a comma are 8 bytes at most where no type is known."""
        if record is None:
            return 4 * -(-file_bytes // samples_per_file) + 64
        itemsize = np.dtype(self.options.element_type or "int64").itemsize
        return record.sample_bytes // np.dtype(record.dtype).itemsize * itemsize

    def _line(self, spec: RecordSpec, fill: ContentReader, start: int, content: memoryview) -> Iterator[bytes]:
        separator = b""
        for values in content_parts(spec, fill, start, content):
            yield separator + _text(values)
            separator = b","
        yield b"\n"

    def decode_line(self, line: memoryview, into: memoryview) -> Placed:
        """See LineFormat."""
        values = _numbers(line)
        if self._expected not in (None, values.size):
            raise DataError(
                f"a row of it has {values.size} values, {self._expected} by the workload; check"
                " dataset.record_length_bytes (or record_dims) against the data set"
            )
        wanted = np.dtype(self.options.element_type) if self.options.element_type else values.dtype
        if wanted.kind in "iub":
            _check_range(values, wanted)
        size = values.size * wanted.itemsize
        if size > len(into):
            raise too_large(size, len(into))
        np.frombuffer(into, wanted, values.size)[...] = values
        return Placed(0, size, self._layout(wanted, values.size))

    def _layout(self, dtype: "np.dtype[np.generic]", count: int) -> Layout:
        return (ArraySpec("x", dtype.str, (count,), 0),)


def _check_type(dtype: str) -> None:
    if np.dtype(dtype).kind not in _KINDS:
        message = f"the csv format holds numbers, but got {dtype}"
        raise ConfigError([Problem("dataset.record_element_type", message)])


def _integer_characters(dtype: "np.dtype[np.generic]") -> int:
    """Of a number with its comma, at most."""
    low, high = _limits(dtype)
    return max(len(str(low)), len(str(high))) + 1


def _limits(dtype: "np.dtype[np.generic]") -> tuple[int, int]:
    """The least and the greatest whole number of a type."""
    bits = 8 * dtype.itemsize
    if dtype.kind == "b":
        return 0, 1
    return (0, (1 << bits) - 1) if dtype.kind == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)


@cache
def _pairs() -> NDArray[np.uint64]:
    """Of each two bytes, as a little-endian number, their decimal digits, each with a comma, filled up with spaces."""
    texts = "".join(f"{value},".ljust(4) for value in range(256)).encode()
    single = np.frombuffer(texts, np.uint32)
    return np.stack([np.tile(single, 256), np.repeat(single, 256)], axis=1).reshape(-1).view(np.uint64)


def _text(values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    """Numbers and the commas between them."""
    if values.dtype.kind == "b" or values.dtype == np.uint8:
        numbers = values.view(np.uint8)
        even = numbers.size & ~1
        text: bytes = _pairs()[numbers[:even].view("<u2")].tobytes().translate(None, b" ")
        return text + str(numbers[-1]).encode() if numbers.size & 1 else text[:-1]
    return ",".join(map(repr, values.tolist())).encode()


def _numbers(line: memoryview) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """The numbers of a row: whole ones all at once, others one by one. Raises FormatError."""
    characters = np.frombuffer(line, np.uint8)
    if len(characters) and characters[-1] == _RETURN:
        characters = characters[:-1]
    commas = characters == _COMMA
    digits = characters - np.uint8(_ZERO) <= 9
    neighbours = commas[1:] & commas[:-1]
    if not len(characters) or commas[0] or commas[-1] or neighbours.any():
        before = 0 if not len(characters) or commas[0] else int(np.append(neighbours, True).argmax()) + 1
        raise FormatError(f"value {int(np.count_nonzero(commas[:before])) + 1} of the row is empty")
    if np.count_nonzero(digits) + np.count_nonzero(commas) == len(characters):
        values = np.fromstring(characters.tobytes(), np.int64, sep=",")
        if values.max() < _CERTAIN:
            return values
    return _any_numbers(characters.tobytes())


def _any_numbers(text: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """Signs, fractions, exponents, and whole numbers that only uint64 holds."""
    parts = text.split(b",")
    for number, part in enumerate(parts):
        if not _NUMBER.fullmatch(part):
            shown = part[:20].decode("ascii", "backslashreplace")
            raise FormatError(f"value {number + 1} of the row is {shown!r}, expected a number")
    if not any(_FRACTION.search(part) for part in parts):
        whole = [int(part) for part in parts]
        low, high = min(whole), max(whole)
        for dtype in (np.dtype(np.int64), np.dtype(np.uint64)):
            least, most = _limits(dtype)
            if least <= low and high <= most:
                return np.array(whole, dtype)
    return np.array([float(part) for part in parts])


def _check_range(values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", wanted: "np.dtype[np.generic]") -> None:
    least, most = _limits(wanted)
    low, high = values.min(), values.max()
    if low < least or high > most or (values.dtype.kind == "f" and (values != np.floor(values)).any()):
        raise FormatError(
            f"its numbers from {low} to {high} are not all {wanted.name}; check dataset.record_element_type"
        )
