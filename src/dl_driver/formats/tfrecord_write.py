# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records of a generated TFRecord file, one after another into a writer's windows."""

from collections.abc import Iterator

from crc32c import crc32c

from dl_driver.formats.base import ContentReader, RecordSpec
from dl_driver.formats.tfrecord_example import example_around
from dl_driver.formats.tfrecord_framing import FOOTER, FOOTER_BYTES, FRAME_BYTES, HEADER_BYTES, header, masked
from dl_driver.formats.windows import WINDOW_BYTES, WindowWriter
from dl_driver.storage.base import Piece


def frame_bytes(spec: RecordSpec) -> int:
    """Bytes of a record with what frames it."""
    before, after = example_around(spec.sample_bytes)
    return FRAME_BYTES + len(before) + spec.sample_bytes + len(after)


def write_records(spec: RecordSpec, fill: ContentReader, writer: WindowWriter) -> Iterator[Piece]:
    """All of a file's."""
    small = frame_bytes(spec) <= WINDOW_BYTES
    return _small_records(spec, fill, writer) if small else _large_records(spec, fill, writer)


def _small_records(spec: RecordSpec, fill: ContentReader, writer: WindowWriter) -> Iterator[Piece]:
    """Each frame in one stretch: there are many of them, so every call counts."""
    size, frame = spec.sample_bytes, frame_bytes(spec)
    before, after = example_around(size)
    start = header(len(before) + size + len(after)) + before
    content, end, footer = len(start), len(start) + size, frame - FOOTER_BYTES
    for number in range(spec.num_samples):
        into = yield from writer.stretch(frame)
        into[:content] = start
        fill(number * size, into[content:end])
        into[end:footer] = after
        FOOTER.pack_into(into, footer, masked(crc32c(into[HEADER_BYTES:footer])))


def _large_records(spec: RecordSpec, fill: ContentReader, writer: WindowWriter) -> Iterator[Piece]:
    """Frames that are longer than a window."""
    size = spec.sample_bytes
    before, after = example_around(size)
    start = header(len(before) + size + len(after)) + before
    crc_before = crc32c(before)
    for number in range(spec.num_samples):
        yield from writer.text(start)
        crc = yield from writer.content(fill, size, crc_before, start=number * size, checksum=crc32c)
        yield from writer.text(after + FOOTER.pack(masked(crc32c(after, crc))))
