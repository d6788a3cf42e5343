# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TFRecord: framed records, here tf.train.Examples, found through an index beside the file or through their framing."""

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crc32c import crc32c

from dl_driver.errors import FormatError
from dl_driver.formats import inflate
from dl_driver.formats.base import (
    DEFAULTS,
    ArraySpec,
    ContentReader,
    Format,
    FormatOptions,
    Indexing,
    Layout,
    Reading,
    RecordSpec,
    SparseFile,
)
from dl_driver.formats.spans import (
    FileIndex,
    Group,
    Landed,
    Placed,
    RegularSpans,
    RepeatedPieces,
    SpanTable,
    WholeFile,
    coalesce,
    too_large,
)
from dl_driver.formats.tfrecord_example import Feature, example_around, parse_example, payload_in
from dl_driver.formats.tfrecord_framing import (
    FOOTER,
    FOOTER_BYTES,
    FRAME_BYTES,
    HEADER_BYTES,
    header,
    index_lines,
    masked,
    read_index,
    record_length,
    scan,
)
from dl_driver.formats.tfrecord_write import frame_bytes, write_records
from dl_driver.formats.walk import Pass, Structure, Take, Walker
from dl_driver.formats.windows import SpareBuffer, WindowWriter
from dl_driver.storage.base import Piece

_MAX_TEMPLATES = 256
_ZEROS = memoryview(bytes(1 << 18))
_LINE = 64
_EXAMPLE_START = 64
"""Bytes within which an Example's payload begins."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """``index/train/NAME.idx`` for ``train/NAME``, subfolders left out, as DLIO has it; the same for ``valid``."""

    def key(self, main: str) -> str | None:
        """See Companion."""
        parts = main.split("/")
        return f"index/{parts[0]}/{parts[-1]}.idx" if parts[0] in ("train", "valid") and len(parts) > 1 else None

    def main(self, key: str) -> str | None:
        """See Companion."""
        if not (key.startswith(("index/train/", "index/valid/")) and key.endswith(".idx")):
            return None
        return key.removeprefix("index/").removesuffix(".idx")


class TfRecord(Format):
    """See Format. A file of one record is read whole, others through an index, compressed ones from their start."""

    name = "tfrecord"
    suffix = "tfrecord"
    other_suffixes = ("tfrecord.gz",)
    compressions: ClassVar[frozenset[str]] = frozenset({"none", "gzip", "zlib"})

    def __init__(self, options: FormatOptions = DEFAULTS) -> None:
        super().__init__(options)
        self._packed = options.compression != "none"
        self.companions = () if self._packed else (IndexFile(),)
        self._spare = SpareBuffer()
        self._templates: dict[int, _Template] = {}
        self._last: _Template | None = None
        self._scanned = 0

    # Writing

    def encode(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        """See Format."""
        plain = self._encode_plain(spec, fill)
        return inflate.deflated(plain, self.options) if self._packed else plain

    def _encode_plain(self, spec: RecordSpec, fill: ContentReader) -> Iterator[Piece]:
        buffer = self._spare.borrow()
        writer = WindowWriter(buffer)
        yield from write_records(spec, fill, writer)
        yield from writer.finish()
        self._spare.give_back(buffer)

    def encode_companion(self, spec: RecordSpec, number: int) -> Iterator[Piece]:
        """See Format."""
        return index_lines(frame_bytes(spec), spec.num_samples)

    def file_size(self, spec: RecordSpec) -> int | None:
        """See Format."""
        return None if self._packed else spec.num_samples * frame_bytes(spec)

    def max_file_size(self, spec: RecordSpec) -> int:
        """See Format."""
        plain = spec.num_samples * frame_bytes(spec)
        return inflate.most_deflated(plain) if self._packed else plain

    def sparse(self, spec: RecordSpec) -> SparseFile | None:
        """See Format."""
        if self._packed:
            return None
        size = spec.sample_bytes
        before, after = example_around(size)
        crc, left = crc32c(before), size
        while left:
            crc, left = crc32c(_ZEROS[: min(left, len(_ZEROS))], crc), left - min(left, len(_ZEROS))
        start = header(len(before) + size + len(after)) + before
        end = after + FOOTER.pack(masked(crc32c(after, crc)))
        frame, count = frame_bytes(spec), spec.num_samples
        first, last = len(start) + size, count * frame - len(end)
        pieces = RepeatedPieces(Piece(0, start), end + start, first, frame, count - 1, Piece(last, end))
        return SparseFile(count * frame, pieces)

    # Reading

    def reading(self, samples_per_file: int) -> Reading:
        """See Format."""
        if self._packed:
            return Reading.UNPACKED
        return Reading.WHOLE if samples_per_file == 1 else Reading.SPANS

    def sample_bytes(self, record: RecordSpec | None, file_bytes: int, samples_per_file: int) -> int:
        """See Format."""
        if record is not None:
            return frame_bytes(record)
        return super().sample_bytes(record, file_bytes * (inflate.USUAL_RATIO if self._packed else 1), samples_per_file)

    def report(self) -> Mapping[str, int]:
        """See Format."""
        return {"TFRecord files without an index, read through to find their records": self._scanned}

    def decode(self, data: memoryview) -> Layout:
        """See Format."""
        if len(data) < HEADER_BYTES:
            raise FormatError(f"the file ends at byte {len(data)}, within the header of its first record")
        length = record_length(data[:HEADER_BYTES], 0)
        if len(data) < length + FRAME_BYTES:
            raise FormatError(f"the file ends at byte {len(data)}, within its record, which reaches to byte"
                              f" {length + FRAME_BYTES}")  # fmt: skip
        if len(data) > length + FRAME_BYTES:
            raise FormatError(
                f"bytes follow its only record, which ends at byte {length + FRAME_BYTES}; check"
                " dataset.num_samples_per_file"
            )
        return self._record(data, 0, length + FRAME_BYTES)

    def stream(self) -> Walker:
        """See Format."""
        return Walker(_OneRecord(self.options.decode))

    def index(self, key: str, samples_per_file: int) -> Indexing:
        """See Format."""
        if self._packed:
            return WholeFile(samples_per_file)
            yield ()  # a generator that asks for nothing
        beside = self.companions[0].key(key)
        found = None if beside is None else (yield from read_index(beside))
        if found is not None:
            return found
        self._scanned += 1
        return (yield from scan(key))

    def locate(self, index: FileIndex, samples: Sequence[int], limit: int) -> Sequence[Group]:
        """See Format."""
        if isinstance(index, WholeFile):
            return index.group(samples)
        assert isinstance(index, RegularSpans | SpanTable)
        return coalesce(index, samples, limit)

    def decode_group(self, index: FileIndex, group: Group, landed: Landed, into: memoryview) -> Sequence[Placed]:
        """See Format."""
        if self._packed:
            return self._unpack(group, landed.span(), into)
        first, record = landed.starts[0], self._record
        return [Placed(first + start, length, record(into, first + start, length)) for start, length in group.places]

    def _unpack(self, group: Group, data: memoryview, into: memoryview) -> Sequence[Placed]:
        """Run through a compressed file and keep the records that are wanted."""
        source = inflate.Inflater(data, self.options.compression)
        wanted, placed, used, number = set(group.samples), [], 0, 0
        while not source.at_end():
            begun = source.position
            head = source.read(HEADER_BYTES, f"the header of record {number}")
            length = record_length(head, begun)
            if number in wanted:
                frame = length + FRAME_BYTES
                if used + frame > len(into):
                    raise too_large(frame, len(into) - used)
                into[used : used + HEADER_BYTES] = head
                source.read_into(into[used + HEADER_BYTES : used + frame], f"record {number}")
                placed.append(Placed(used, frame, self._record(into, used, frame)))
                used += -(-frame // _LINE) * _LINE
            else:
                source.skip(length + FOOTER_BYTES, f"record {number}")
            number += 1
        if len(placed) < len(wanted):
            raise FormatError(f"holds {number} records, number {max(wanted)} was asked for")
        return placed

    def _record(self, data: memoryview, start: int, frame: int) -> Layout:
        """Check one record and say where its arrays are, from its frame's first byte."""
        template = self._last
        if template is None or template.frame != frame:
            template = self._templates.get(frame)
        if template is not None and template.matches(data, start):
            self._last = template
            return template.layout
        template = self._new_template(data, start, frame)
        self._templates[frame] = self._last = template
        return template.layout

    def _new_template(self, data: memoryview, start: int, frame: int) -> "_Template":
        record = data[start : start + frame]
        length = record_length(record[:HEADER_BYTES], start)
        if length + FRAME_BYTES != frame:
            raise FormatError(
                f"the record found through the index has {length} bytes, expected {frame - FRAME_BYTES}: the index is"
                " not this file's; remove it to have it made up from the file"
            )
        content = record[HEADER_BYTES : frame - FOOTER_BYTES]
        if FOOTER.unpack_from(record, frame - FOOTER_BYTES)[0] != masked(crc32c(content)):
            raise FormatError("a record does not have the checksum that stands behind it")
        if len(self._templates) >= _MAX_TEMPLATES:
            self._templates.clear()
        features = parse_example(content) if self.options.decode else [Feature("record", "|u1", (length,), 0)]
        return _Template(record, features)


class _Template:
    """A record's bytes but for its largest array, and what is in them: most records of a file are alike."""

    __slots__ = ("_after", "_before", "_content", "_pick", "_unpacked", "frame", "layout")

    def __init__(self, record: memoryview, features: Sequence[Feature]) -> None:
        """Unpacks the record's integers in place."""
        self.frame = len(record)
        arrays = [feature for feature in features if not feature.unpacked]
        largest = max(arrays, key=lambda feature: feature.shape[0], default=Feature("", "|u1", (0,), 0))
        start = HEADER_BYTES + largest.offset
        size = largest.shape[0] * (4 if largest.dtype == "<f4" else 1)
        self._content = HEADER_BYTES, self.frame - FOOTER_BYTES
        after = self.frame - FOOTER_BYTES - start - size
        self._pick = struct.Struct(f"<{start}s{size}x{after}sI")
        self._before, self._after, _ = self._pick.unpack_from(record)
        self._unpacked = [(HEADER_BYTES + feature.offset, feature.unpacked) for feature in features if feature.unpacked]
        self.layout: Layout = tuple(
            ArraySpec(name, dtype, shape, HEADER_BYTES + offset) for name, dtype, shape, offset, _ in features
        )
        self._unpack(record, 0)

    def matches(self, data: memoryview, start: int) -> bool:
        """Whether a record is sound and like this one; if so, its integers are unpacked in place."""
        before, after, stored = self._pick.unpack_from(data, start)
        if before != self._before or after != self._after:
            return False
        first, last = self._content
        crc = crc32c(data[start + first : start + last])
        if stored != (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF:
            return False
        self._unpack(data, start)
        return True

    def _unpack(self, data: memoryview, start: int) -> None:
        for at, content in self._unpacked:
            data[start + at : start + at + len(content)] = content


class _OneRecord(Structure):
    """A file of one record that passes by. Its first array is DLIO's payload; of other records, their bytes."""

    checksum = staticmethod(crc32c)

    def __init__(self, decode: bool) -> None:
        super().__init__()
        self._decode = decode

    def steps(self) -> Generator[Take | Pass, Any, None]:
        """See Structure."""
        head = yield from self.take(HEADER_BYTES, "the header of its record")
        length = record_length(head, 0)
        start = yield from self.take(min(length, _EXAMPLE_START), "its record")
        offset, size = payload_in(start, length) if self._decode else (0, length)
        name = "image" if size < length else "record"
        self.arrays.append(ArraySpec(name, "|u1", (size,), HEADER_BYTES + offset))
        crc = yield from self.skip(length - len(start), "its record", crc32c(start))
        stored = yield from self.take(FOOTER_BYTES, "the checksum of its record")
        if FOOTER.unpack(stored)[0] != masked(crc or 0):
            raise FormatError("its record does not have the checksum that stands behind it")
