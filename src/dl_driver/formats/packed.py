# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of any simple format, packed as a whole: ``img_0_of_8.csv.gz``.

The packed file is read whole and unpacked into memory, and from there it is read as its format is read from a storage,
so formats need not know of it. Never more is unpacked than a file of the workload can hold, whatever the stream
promises. Several samples of a file in one batch are unpacked once; the memory is used again for the next file.
"""

import mmap
from collections.abc import Iterator, Mapping, Sequence

from dl_driver.errors import DataError
from dl_driver.formats.base import ContentReader, Format, FormatOptions, Indexing, Reading, RecordSpec, views
from dl_driver.formats.expectation import Decoder, Expectation, expecting
from dl_driver.formats.inflate import USUAL_RATIO, deflated, most_packed, unpack, zipped
from dl_driver.formats.packing import WHOLE_FILES, packed_suffix
from dl_driver.formats.placing import aligned, place_arrays, place_copy
from dl_driver.formats.spans import WHOLE, FileIndex, Group, Landed, Placed, check_samples
from dl_driver.formats.unpacked_whole import UnpackedWhole
from dl_driver.storage.base import Piece

_TEXT = 4
"""Characters that a byte of a sample takes at most, as text, on average: 25 of a float64."""
_SLACK = 1024
_NO_LIMIT = 1 << 62


class Packed(UnpackedWhole):
    """See Format and the module."""

    compressions = WHOLE_FILES

    def __init__(self, plain: Format, options: FormatOptions) -> None:
        """``plain``: the format of what is packed."""
        self.name, self.suffix = plain.name, plain.suffix + packed_suffix(options.compression)
        self.other_suffixes = (plain.suffix,)
        self.any_name = plain.any_name
        super().__init__(options)
        self._plain: Format = plain
        self._decoder: Decoder = plain
        self._scratch = memoryview(b"")

    def expect(self, expectation: Expectation) -> None:
        """See Format."""
        self._plain.expect(expectation)
        self._decoder = expecting(self._plain, expectation)

    # Writing

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        pieces = self._plain.encode(spec, fill)
        if self.options.compression == "zip":
            member = (f"samples.{self._plain.suffix}", (piece.data for piece in pieces))
            return zipped((member,), self.options.compression_level)
        return deflated(pieces, self.options)

    def file_size(self, spec: RecordSpec) -> int | None:
        """See Format."""
        return None

    def max_file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return most_packed(self._plain.max_file_size(spec))

    # Reading

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format: a file of one sample is unpacked into the batch as it is where its format is read so."""
        if record is None:
            return self._plain.sample_bytes(None, file_bytes * USUAL_RATIO, samples_per_file) + _SLACK
        if self._plain.reading(samples_per_file) is not Reading.UNPACKED:
            return -(-self._plain.max_file_size(record) // samples_per_file) + _SLACK
        return self._plain.sample_bytes(record, file_bytes, samples_per_file)

    def read_size(self, spec: RecordSpec) -> int:
        """See Format."""
        return most_packed(self._plain.read_size(spec))

    def most_unpacked(self, record: RecordSpec | None, sample_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        if record is not None:
            return self._plain.read_size(record) + _SLACK
        as_text = _TEXT if self._plain.reading(samples_per_file) is Reading.UNPACKED else 1
        return (sample_bytes * as_text + _SLACK) * samples_per_file

    def report(self) -> Mapping[str, int]:
        """See Format."""
        return self._plain.report()

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        count, plain = index.num_samples, self._plain
        reading = plain.reading(count)
        in_place = count == 1 and reading is not Reading.UNPACKED
        room = self.options.most_unpacked + 1
        data = self._unpacked(landed.span(), into[:room] if in_place else self._scratch_memory(room))
        if reading is Reading.WHOLE:
            layout = self._decoder.decode(data)
            if in_place:
                return (Placed(0, len(data), layout),)
            arrays, placed, at = views(data, layout), [], 0
            for sample in group.samples:
                placed.append(place_arrays(arrays, sample, count, at, into))
                at = aligned(at + placed[-1].length)
            return placed
        return self._decode_spans(data, group.samples, count, data if in_place else into)

    def _decode_spans(self, data: memoryview, samples: Sequence[int], count: int, into: memoryview) -> Sequence[Placed]:
        """Samples found through an index of the unpacked file; ``into`` may be ``data`` itself."""
        plain = self._plain
        index = plain.index_of(len(data), count) if plain.indexed_by_size else _index(plain.index("", count), data)
        check_samples(index, samples)
        placed: list[Placed] = []
        for group in plain.locate(index, samples, _NO_LIMIT):
            span = group.spans[0]
            found = Landed(data, (span.offset,), (len(data) if span.length == WHOLE else span.length,))
            if plain.reading(count) is Reading.UNPACKED:
                at = aligned(placed[-1].start + placed[-1].length) if placed else 0
                made = plain.decode_group(index, group, found, into[at:])
                placed += [Placed(at + start, length, layout) for start, length, layout in made]
            elif into is data:
                placed += plain.decode_group(index, group, found, data)
            else:
                for sample in plain.decode_group(index, group, found, data):
                    at = aligned(placed[-1].start + placed[-1].length) if placed else 0
                    placed.append(place_copy(data, sample, at, into))
        return placed

    def _unpacked(self, packed: memoryview, into: memoryview) -> memoryview:
        """The file as its format has it, in ``into``, which is a byte longer than it may be."""
        length = unpack(packed, self.options.compression, into)
        if length == len(into):
            raise DataError(
                f"unpacks to {length} bytes or more, beyond the room for it; check dataset.record_length_bytes and"
                " num_samples_per_file (or the loader's max_sample_bytes)"
            )
        return into[:length]

    def _scratch_memory(self, size: int) -> memoryview:
        if not self._scratch:
            self._scratch = memoryview(mmap.mmap(-1, size))
        return self._scratch


def _index(steps: Indexing, data: memoryview) -> FileIndex:
    """An index of a file that is in memory."""
    try:
        needs = next(steps)
        while True:
            needs = steps.send([data[need.offset : need.offset + need.length] for need in needs])
    except StopIteration as done:
        index: FileIndex = done.value
        return index
