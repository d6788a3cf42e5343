# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tools/fuzz.py knows to try: for each target valid files, and a function that reads them as a worker does.

Of an input that is taken, every array must lie within the bytes that were read.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from random import Random

import numpy as np
from crc32c import crc32c
from fuzz import Parts, Target

from dl_driver.config.sections.dataset import Hdf5, Parquet, ParquetColumn
from dl_driver.dataset.content import FileContent
from dl_driver.errors import DataError, FormatError
from dl_driver.formats import get_format
from dl_driver.formats.base import DEFAULTS, Format, FormatOptions, Layout, RecordSpec, view
from dl_driver.formats.csv import Csv
from dl_driver.formats.hdf5 import Hdf5File
from dl_driver.formats.image_header import ImageHeader
from dl_driver.formats.images import check_image, read_image_header
from dl_driver.formats.indexed_binary import IndexedBinary
from dl_driver.formats.jpeg import Jpeg
from dl_driver.formats.jsonl import JsonLines
from dl_driver.formats.npy import Npy
from dl_driver.formats.npz import Npz
from dl_driver.formats.npz_deflated import DeflatedNpz
from dl_driver.formats.parquet import Parquet as ParquetFormat
from dl_driver.formats.parquet_index import parse_footer
from dl_driver.formats.spans import WHOLE, FileIndex, Group, Landed, Need, WholeFile
from dl_driver.formats.tfrecord import TfRecord
from dl_driver.formats.tfrecord_framing import masked
from dl_driver.formats.zip_records import Member, closing_records, local_header

_ROOM = 1 << 20
_LIMIT = 1 << 16


def written(name: str, options: FormatOptions, spec: RecordSpec, *, companions: bool = False) -> Parts:
    """What the format writes for these records: the file, and the objects beside it."""
    file_format = get_format(name, options)
    parts = [_joined(file_format.encode(spec, FileContent(1, 0, spec.dtype).fill))]
    if companions:
        parts += [_joined(file_format.encode_companion(spec, n)) for n in range(len(file_format.companions))]
    return parts


def _joined(pieces: object) -> bytes:
    out = bytearray()
    for offset, data in pieces:  # type: ignore[attr-defined]
        out[offset : offset + len(data)] = data
    return bytes(out)


# Reading as a worker does


def answered(objects: dict[str, bytes], need: Need) -> memoryview | None:
    """What a storage answers."""
    data = objects.get(need.key)
    if data is None:
        if not need.optional:
            raise DataError(f"{need.key} is not there")
        return None
    start = need.offset if need.offset >= 0 else max(0, len(data) + need.offset)
    return memoryview(data)[start : start + need.length]


def indexed(file_format: Format, objects: dict[str, bytes], key: str, samples: int) -> FileIndex:
    """The index, made from objects in memory."""
    steps = file_format.index(key, samples)
    try:
        needs = next(steps)
        for _ in range(1000):
            needs = steps.send([answered(objects, need) for need in needs])
    except StopIteration as done:
        index: FileIndex = done.value
        return index
    raise AssertionError("an index asks for more and more")


def read_all(file_format: Format, index: FileIndex, data: bytes, *, in_place: bool) -> None:
    """Every sample, decoded; each array must be where it can be."""
    count = index.num_samples
    assert count >= 0
    samples = range(min(count, 64))
    if not samples:
        return
    for group in file_format.locate(index, samples, _LIMIT):
        landed = _landed(data, group)
        into = landed.data if in_place else memoryview(bytearray(_ROOM))
        for start, length, layout in file_format.decode_group(index, group, landed, into):
            assert 0 <= start <= start + length <= len(into)
            touch(into[start : start + length], layout)


def _landed(data: bytes, group: Group) -> Landed:
    """Refuses, as the loader does, spans that are not within the file."""
    buffer, starts, lengths = bytearray(), [], []
    for offset, length in group.spans:
        taken = len(data) if length == WHOLE else length
        if offset < 0 or taken < 0 or offset + taken > len(data):
            raise FormatError("a span is not within the file")
        starts.append(len(buffer))
        lengths.append(taken)
        buffer += data[offset : offset + taken]
    return Landed(memoryview(buffer), starts, lengths)


def touch(data: memoryview, layout: Layout) -> None:
    """Every array is within the data."""
    for array in layout:
        values = view(data, array)
        if values.size:
            values.reshape(-1)[-1].tobytes()


def streamed(file_format: Format, data: bytes) -> Layout | None:
    """What windows of it come to; None where they are refused."""
    decoder, cut = file_format.stream(), len(data) // 2
    try:
        for window in (data[:cut], data[cut:]):
            decoder.feed(memoryview(window))
        return decoder.finish()
    except FormatError:
        return None


def whole_file(make: Callable[[], Format]) -> Callable[[Parts], None]:
    """Decoded at once and in windows, which must agree."""

    def parse(parts: Parts) -> None:
        file_format, data = make(), parts[0]
        try:
            layout = file_format.decode(memoryview(bytearray(data)))
        except FormatError:
            assert streamed(file_format, data) is None, "in windows it is taken, at once it is not"
            raise
        assert streamed(file_format, data) == layout, "in windows it is not what it is at once"
        touch(memoryview(data), layout)

    return parse


# NPY and NPZ

_NPY_SPECS = (RecordSpec((5, 3), "uint8", 1), RecordSpec((4,), "float32", 3), RecordSpec((), "complex128", 2))


@cache
def npy_seeds() -> Sequence[Parts]:
    """Ours, and numpy's of other versions and orders."""
    seeds = [written("npy", DEFAULTS, spec) for spec in _NPY_SPECS]
    for version in ((1, 0), (2, 0), (3, 0)):
        out = io.BytesIO()
        np.lib.format.write_array(out, np.asfortranarray(np.arange(12, dtype=">u4").reshape(3, 4)), version=version)
        seeds.append([out.getvalue()])
    return seeds


@cache
def npz_seeds() -> Sequence[Parts]:
    """Ours, and numpy's."""
    seeds = [written("npz", DEFAULTS, spec) for spec in _NPY_SPECS]
    out = io.BytesIO()
    np.savez(out, x=np.arange(9, dtype="<i2"), y=np.zeros(3), another=np.float64(3))
    return [*seeds, [out.getvalue()]]


def rewrap(parts: list[bytearray], random: Random) -> None:
    """An archive, sound as such, around a damaged array."""
    array = bytearray(random.choice(npy_seeds())[0])
    for _ in range(1 + random.randrange(2)):
        array[random.randrange(min(160, len(array)))] = random.randrange(256)
    crc = zlib.crc32(array)
    member = Member(b"x.npy", 0, 0, len(array), crc)
    start = local_header(member.name, member.size, crc) + array
    parts[0][:] = start + closing_records((member,), len(start))


# TFRecord


@cache
def tfrecord_seeds() -> Sequence[Parts]:
    """One record, several, several of several features; with and without an index."""
    seeds = [written("tfrecord", DEFAULTS, RecordSpec((n,), "uint8", s), companions=True) for n, s in ((40, 1), (9, 4))]
    return [*seeds, [_frame(_example()) * 3, b""], [_frame(_example()), b""]]


def _example() -> bytes:
    """Bytes, floats and integers, by TensorFlow's definition of an Example."""
    lists = (b"\x0a" + _sized(b"\x0a" + _sized(b"abc")), b"\x12" + _sized(b"\x0a" + _sized(struct.pack("<2f", 1, 2))),
             b"\x1a" + _sized(b"\x0a" + _sized(b"\x80\x01")))  # fmt: skip
    entries = [
        b"\x0a" + _sized(name) + b"\x12" + _sized(value)
        for name, value in zip((b"b", b"f", b"integer"), lists, strict=True)
    ]
    return b"\x0a" + _sized(b"".join(b"\x0a" + _sized(entry) for entry in entries))


def _sized(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def _frame(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return b"".join(
        (length, struct.pack("<I", masked(crc32c(length))), content, struct.pack("<I", masked(crc32c(content))))
    )


def correct_frames(parts: list[bytearray], random: Random) -> None:
    """Both checksums of every frame, as far as frames can be followed."""
    data, at = parts[0], 0
    while at + 16 <= len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        data[at + 8 : at + 12] = struct.pack("<I", masked(crc32c(bytes(data[at : at + 8]))))
        end = at + 12 + length
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack("<I", masked(crc32c(bytes(data[at + 12 : end]))))
        at = end + 4


def parse_tfrecord(parts: Parts) -> None:
    """As a file of one record, and through an index: the one beside it, or one made up from it."""
    file, beside = parts
    taken = 0
    with suppress(FormatError):
        touch(memoryview(file), TfRecord().decode(memoryview(bytearray(file))))
        assert streamed(TfRecord(), file) is not None, "at once it is taken, in windows it is not"
        taken += 1
    objects = {"train/a": file, **({"index/train/a.idx": beside} if beside else {})}
    for given in (objects, {"train/a": file}):
        file_format = TfRecord()
        try:
            read_all(file_format, indexed(file_format, given, "train/a", 4), file, in_place=True)
            taken += 1
        except (FormatError, DataError):
            continue
    if not taken:
        raise FormatError("every way")


@cache
def packed_seeds() -> Sequence[Parts]:
    """gzip and zlib."""
    return [
        written("tfrecord", FormatOptions(compression=how), RecordSpec((40,), "uint8", 3)) for how in ("gzip", "zlib")
    ]


def parse_packed(parts: Parts) -> None:
    """Unpacked from the file's start."""
    taken = 0
    for how in ("gzip", "zlib"):
        file_format = TfRecord(FormatOptions(compression=how))
        try:
            read_all(file_format, indexed(file_format, {"a": parts[0]}, "a", 3), parts[0], in_place=False)
            taken += 1
        except (FormatError, DataError):
            continue
    if not taken:
        raise FormatError("both ways")


# HDF5

_HDF5 = (
    FormatOptions(),
    FormatOptions(hdf5=Hdf5(num_dset_per_record=2)),
    FormatOptions(hdf5=Hdf5(chunk_dims=(2, 3, 3))),
    FormatOptions(compression="gzip"),
    FormatOptions(compression="lzf"),
)


@cache
def hdf5_seeds() -> Sequence[Parts]:
    """Contiguous and in chunks, ours and h5py's newest layout; first a byte that says which."""
    import h5py

    seeds = [[bytes((kind,)), *written("hdf5", options, RecordSpec((4, 6), "uint8", 3))]
             for kind, options in enumerate(_HDF5)]  # fmt: skip
    for kind, more in ((0, {}), (3, {"compression": "gzip", "shuffle": True, "fletcher32": True})):
        out = io.BytesIO()
        with h5py.File(out, "w", libver="latest") as file:
            file.create_dataset("records_0", data=np.arange(24, dtype="<u2").reshape(4, 6), **more)
        seeds.append([bytes((kind,)), out.getvalue()])
    return seeds


def parse_hdf5(parts: Parts) -> None:
    """Indexed and decoded as the workload of the seed would have it."""
    file_format = Hdf5File(_HDF5[(parts[0] or b"\0")[0] % len(_HDF5)])
    index = indexed(file_format, {"a": parts[1]}, "a", 3)
    assert index.num_samples > 0
    read_all(file_format, index, parts[1], in_place=file_format.reading(3).value == "spans")


# Parquet


def _columns(*kinds: tuple[str, int]) -> tuple[ParquetColumn, ...]:
    return tuple(
        ParquetColumn.model_validate({"name": f"c{place}", "dtype": dtype, "size": size})
        for place, (dtype, size) in enumerate(kinds)
    )


_TABLE = Parquet(columns=_columns(("float32", 1), ("int8", 3), ("bool", 1)), row_group_size=4)


@cache
def parquet_seeds() -> Sequence[Parts]:
    """Ours, and pyarrow's; pages and what stands behind them apart."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = (FormatOptions(parquet=_TABLE, compression=compression) for compression in ("none", "zstd"))
    files = [written("parquet", options, RecordSpec((8,), "uint8", 6))[0] for options in kinds]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(18, dtype=np.int8)), 3)
    made = pa.table({"c0": np.arange(6, dtype=np.float32), "c1": lists, "c2": np.arange(6) % 2 == 0})
    for options in ({"compression": "none"}, {"compression": "snappy", "write_page_checksum": True}):
        out = io.BytesIO()
        pq.write_table(made, out, row_group_size=4, **options)
        files.append(out.getvalue())
    return [_cut_up(file) for file in files]


def _cut_up(file: bytes) -> Parts:
    length = int.from_bytes(file[-8:-4], "little")
    return [file[: -8 - length], file[-8 - length : -8], file[-8:]]


def _footer_length(parts: list[bytearray], random: Random) -> None:
    parts[2][:] = len(parts[1]).to_bytes(4, "little") + b"PAR1"


def parse_parquet(parts: Parts) -> None:
    """The footer, then the chunks as they are stored, and the values of regular pages."""
    file, taken = b"".join(parts), 0
    for decode, checked in ((True, True), (False, True), (False, False)):
        table = _TABLE.model_copy(update={"check_pages": checked})
        file_format = ParquetFormat(FormatOptions(parquet=table, decode=decode))
        try:
            index = indexed(file_format, {"a": file}, "a", 6)
            if not decode or index.regular:  # type: ignore[attr-defined]
                read_all(file_format, index, file, in_place=not decode)
            taken += 1
        except (FormatError, DataError):
            continue
    if not taken:
        raise FormatError("all ways")


def parse_parquet_footer(parts: Parts) -> None:
    """The footer alone, of a workload that names no columns."""
    parse_footer(parts[1], (), raw=bool(len(parts[1]) & 1))


# Indexed binary


@cache
def indexed_seeds() -> Sequence[Parts]:
    """Regular and not; the file, the offsets, the sizes."""
    sizes = np.array([3, 9, 1, 5], "<u8")
    offsets = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype("<u8")
    regular = written("indexed_binary", DEFAULTS, RecordSpec((8,), "uint8", 4), companions=True)
    return [regular, [bytes(18), offsets.tobytes(), sizes.tobytes()]]


def parse_indexed(parts: Parts) -> None:
    """Index, then all samples."""
    file_format = IndexedBinary()
    objects = {"a": parts[0], "a.off.idx": parts[1], "a.sz.idx": parts[2]}
    read_all(file_format, indexed(file_format, objects, "a", 4), parts[0], in_place=True)


# Images


@cache
def image_seeds() -> Sequence[Parts]:
    """Ours, and Pillow's of many kinds."""
    from PIL import Image

    def saved(image: Image.Image, kind: str, **options: object) -> Parts:
        out = io.BytesIO()
        image.save(out, kind, **options)  # type: ignore[arg-type]
        return [out.getvalue()]

    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "a description"
    seeds = [written(name, DEFAULTS, RecordSpec((24, 17), "uint8", 1)) for name in ("jpeg", "png")]
    seeds += [saved(noise.convert(mode), "JPEG", exif=exif, progressive=progressive)
              for mode in ("L", "RGB", "CMYK") for progressive in (False, True)]  # fmt: skip
    seeds += [saved(noise.convert(mode), "PNG") for mode in ("1", "L", "LA", "RGB", "RGBA", "I;16")]
    return [*seeds, saved(noise.quantize(7), "PNG")]


def correct_chunks(parts: list[bytearray], random: Random) -> None:
    """The CRCs of a PNG file, as far as its chunks can be followed."""
    data, at = parts[0], 8
    while data.startswith(b"\x89PNG") and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(bytes(data[at + 4 : end])))
        at = end + 4


def fuzz_image_header(data: bytes) -> ImageHeader:
    """The header by the file's beginning and by the whole file, which must agree."""
    header = check_image(memoryview(data))
    assert read_image_header(memoryview(data)) == header
    assert 0 < header.nbytes < 1 << 66
    return header


def parse_image_header(parts: Parts) -> None:
    """The parsers alone. What only begins like an image must be no more than that."""
    with suppress(FormatError):
        read_image_header(memoryview(parts[0]))
    fuzz_image_header(parts[0])


def parse_image(parts: Parts) -> None:
    """Header and pixels."""
    fuzz_image_header(parts[0])
    read_all(Jpeg(), WholeFile(1), parts[0], in_place=False)


# Text, and deflated NPZ

_ZIP = FormatOptions(compression="zip")


@cache
def csv_seeds() -> Sequence[Parts]:
    """Integers and fractions, one row and several."""
    specs = [RecordSpec((5,), dtype, rows) for dtype in ("uint8", "int64", "float32") for rows in (1, 3)]
    return [*[written("csv", DEFAULTS, spec) for spec in specs], [b"1,-2.5e3,inf\r\n"]]


@cache
def jsonl_seeds() -> Sequence[Parts]:
    """Text, numbers, lists, and what is passed on as it is."""
    others = b'{"a": [1, 2], "b": [1.5, 2], "c": "\\u00e9\\ud800", "d": {"e": null}, "f": true}\n'
    return [*[written("jsonl", DEFAULTS, RecordSpec((9,), "uint8", rows)) for rows in (1, 3)], [others]]


@cache
def deflated_seeds() -> Sequence[Parts]:
    """Ours, and numpy's."""
    out = io.BytesIO()
    np.savez_compressed(out, x=np.arange(9, dtype="<i2"), another=np.asfortranarray(np.ones((2, 3))))
    return [*[written("npz", _ZIP, RecordSpec((6, 4), "uint8", samples)) for samples in (1, 3)], [out.getvalue()]]


def unpacked(make: Callable[[], Format]) -> Callable[[Parts], None]:
    """Every sample of a file, taken for one sample and for three."""

    def parse(parts: Parts) -> None:
        taken = 0
        for samples in (1, 3):
            file_format = make()
            with suppress(FormatError, DataError):
                index = indexed(file_format, {"a": parts[0]}, "a", samples)
                read_all(file_format, index, parts[0], in_place=False)
                taken += 1
        if not taken:
            raise FormatError("both ways")

    return parse


# Files packed as a whole

_MOST = 4096
"""Bytes that such a file may have unpacked."""


def _packing(compression: str) -> FormatOptions:
    return FormatOptions(compression=compression, most_unpacked=_MOST)


def whole_stream(name: str, compression: str) -> Target:
    """Files of one sample and of three, in one stream."""

    @cache
    def seeds() -> Sequence[Parts]:
        return [written(name, _packing(compression), RecordSpec((6, 4), "uint8", samples)) for samples in (1, 3)]

    return Target(seeds, unpacked(lambda: get_format(name, _packing(compression))))


TARGETS = {
    "npy_gzip": whole_stream("npy", "gzip"),
    "raw_zstd": whole_stream("raw", "zstd"),
    "raw_lz4": whole_stream("raw", "lz4"),
    "csv_zip": whole_stream("csv", "zip"),
    "jsonl_xz": whole_stream("jsonl", "xz"),
    "raw_bz2": whole_stream("raw", "bz2"),
    "csv": Target(csv_seeds, unpacked(Csv)),
    "jsonl": Target(jsonl_seeds, unpacked(JsonLines)),
    "npz_deflated": Target(deflated_seeds, unpacked(lambda: DeflatedNpz(_ZIP))),
    "npy": Target(npy_seeds, whole_file(Npy)),
    "npz": Target(npz_seeds, whole_file(Npz), rewrap),
    "tfrecord": Target(tfrecord_seeds, parse_tfrecord, correct_frames),
    "tfrecord_packed": Target(packed_seeds, parse_packed),
    "hdf5": Target(hdf5_seeds, parse_hdf5),
    "parquet": Target(parquet_seeds, parse_parquet, _footer_length),
    "parquet_footer": Target(parquet_seeds, parse_parquet_footer),
    "indexed_binary": Target(indexed_seeds, parse_indexed),
    "image_header": Target(image_seeds, parse_image_header, correct_chunks),
    "image": Target(image_seeds, parse_image, correct_chunks),
}
"""By name on the command line."""
