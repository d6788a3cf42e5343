# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON Lines, as text for language models comes: an object a line.

Written: ``{"text": "..."}`` with as many characters as the record has bytes, of 64 that JSON does not escape. Read:
every member of a line's object becomes an array: text as its UTF-8 bytes, numbers and lists of numbers as int64 or
float64, anything else as its JSON text. ``reader.decode: none`` passes the lines on.
"""

import json
import string
from collections.abc import Iterator

import numpy as np

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.base import DEFAULTS, ArraySpec, ContentReader, FormatOptions, RecordSpec
from dl_driver.formats.expectation import Expectation
from dl_driver.formats.lines import LineFormat, content_parts
from dl_driver.formats.spans import Placed, too_large

CHARACTERS = np.frombuffer((string.ascii_letters + string.digits + " .").encode(), np.uint8)
"""What stands for a byte of content, by its lower six bits."""
_BEFORE, _BEHIND = b'{"text": "', b'"}\n'
_ALIGN = 8


class JsonLines(LineFormat):
    """See Format."""

    name = "jsonl"
    suffix = "jsonl"

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._expected: int | None = None
        """Bytes of the member text, where the workload says."""

    def expect(self, expectation: Expectation) -> None:
        """See Format. Lines without a member ``text`` are another program's, of any length."""
        self._expected = expectation.sample_bytes

    def file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return spec.payload_bytes + spec.num_samples * len(_BEFORE + _BEHIND)

    def read_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return 2 * self.file_size(spec)

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format: a digit and a comma are 8 bytes at most where nothing is known."""
        per_sample = -(-file_bytes // samples_per_file)
        if not self.options.decode:
            return per_sample + 64
        return 4 * per_sample + 1024 if record is None else record.sample_bytes + 1024

    def _line(self, spec: RecordSpec, fill: ContentReader, start: int, content: memoryview) -> Iterator[bytes]:
        yield _BEFORE
        for values in content_parts(spec, fill, start, content):
            yield CHARACTERS[values.view(np.uint8) & np.uint8(63)].tobytes()
        yield _BEHIND

    def decode_line(self, line: memoryview, into: memoryview) -> Placed:
        """See LineFormat."""
        arrays = {"line": np.frombuffer(line, np.uint8)} if not self.options.decode else _arrays(bytes(line))
        text = arrays.get("text")
        if text is not None and self._expected not in (None, text.size):
            raise DataError(
                f"a line's text has {text.size} bytes, {self._expected} by the workload; check"
                " dataset.record_length_bytes, record_dims and record_element_type against the data set"
            )
        layout, offset = [], 0
        for name, array in arrays.items():
            offset = -(-offset // _ALIGN) * _ALIGN
            if offset + array.nbytes > len(into):
                raise too_large(offset + array.nbytes, len(into))
            np.frombuffer(into, np.uint8, array.nbytes, offset)[...] = array.reshape(-1).view(np.uint8)
            layout.append(ArraySpec(name, array.dtype.str, array.shape, offset))
            offset += array.nbytes
        return Placed(0, offset, tuple(layout))


def _arrays(line: bytes) -> "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]":
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"is no JSON: {error}") from error
    if not isinstance(value, dict) or not value:
        raise FormatError(f"is JSON of type {type(value).__name__}, expected an object with members")
    return {name: _array(member) for name, member in value.items()}


def _array(member: object) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """See the module."""
    if isinstance(member, str):
        return np.frombuffer(member.encode("utf-8", "surrogatepass"), np.uint8)
    numbers = member if isinstance(member, list) else [member]
    if numbers and all(type(number) is int and abs(number) < 1 << 63 for number in numbers):
        return np.array(member, np.int64)
    if numbers and all(type(number) in (int, float) for number in numbers):
        return np.array(member, np.float64)
    return np.frombuffer(json.dumps(member).encode(), np.uint8)
