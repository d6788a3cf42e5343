# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are packed as a whole: before the eyes of numpy, pandas and pyarrow, and theirs before ours."""

import bz2
import gzip
import io
import json
import lzma
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from dl_driver import open_loader
from dl_driver.dataset.catalogue import locate_files
from dl_driver.dataset.content import FileContent
from dl_driver.dataset.files import ComputedFiles, Dimensions
from dl_driver.errors import ConfigError, DataError, FormatError
from dl_driver.formats import detect_format, get_format
from dl_driver.formats.base import FormatOptions
from dl_driver.storage import open_storage
from dl_driver.storage.base import Piece, StorageSettings
from dl_driver.storage.memory import MemoryStorage

SUFFIXES = {"gzip": "gz", "bz2": "bz2", "xz": "xz", "zstd": "zst", "lz4": "lz4", "zip": "zip"}
PLAIN_PYTHON = {"gzip": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}
PYARROW = ("gzip", "bz2", "zstd", "lz4")
SEED = 4


def files_of(name: str, compression: str, samples: int, dtype: str = "uint8", dims: tuple[int, ...] = (21, 17)):
    options = FormatOptions(compression=compression, element_type=dtype)
    return ComputedFiles("train", "img", name, 2, 0, 0, Dimensions(1, 0, 2), dims, dtype, samples, options)


def written(folder: Path, files: ComputedFiles) -> Path:
    """The first file, by its name."""
    path = folder / files.key(0)
    path.parent.mkdir()
    pieces = files.file_format.encode(files.record(0), FileContent(SEED, 0, files.dtype).fill)
    path.write_bytes(b"".join(bytes(piece.data) for piece in pieces))
    return path


def content(files: ComputedFiles) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """Of the first file: a row a sample."""
    spec = files.record(0)
    into = bytearray(spec.payload_bytes)
    FileContent(SEED, 0, files.dtype).fill(0, memoryview(into))
    return np.frombuffer(into, files.dtype).reshape(files.samples_per_file, -1)


def unpacked(path: Path, compression: str) -> bytes:
    """By Python's own libraries where they can, else by pyarrow's."""
    if compression == "zip":
        with zipfile.ZipFile(path) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    if compression in PLAIN_PYTHON:
        return PLAIN_PYTHON[compression](path.read_bytes())
    with pa.input_stream(path) as stream:  # by the name's suffix
        return bytes(stream.read())


@pytest.mark.parametrize("compression", SUFFIXES)
@pytest.mark.parametrize(("dtype", "samples"), [("uint8", 1), ("float32", 5), ("int64", 2)])
def test_others_unpack_npy(tmp_path: Path, compression: str, dtype: str, samples: int) -> None:
    files = files_of("npy", compression, samples, dtype)
    path = written(tmp_path, files)
    assert path.name == f"img_0_of_2.npy.{SUFFIXES[compression]}"
    array = np.load(io.BytesIO(unpacked(path, compression)))
    assert np.array_equal(array, content(files).reshape(21, 17, samples))


@pytest.mark.parametrize("compression", SUFFIXES)
def test_others_unpack_raw(tmp_path: Path, compression: str) -> None:
    files = files_of("raw", compression, 3)
    assert unpacked(written(tmp_path, files), compression) == content(files).tobytes()


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz", "zip"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_pandas_reads_csv_by_its_name(tmp_path: Path, compression: str, dtype: str) -> None:
    files = files_of("csv", compression, 4, dtype)
    assert np.array_equal(pd.read_csv(written(tmp_path, files), header=None).to_numpy(), content(files))


@pytest.mark.parametrize("compression", PYARROW)
def test_pyarrow_reads_csv_by_its_name(tmp_path: Path, compression: str) -> None:
    files = files_of("csv", compression, 4)
    read = pa_csv.ReadOptions(autogenerate_column_names=True)
    table = pa_csv.read_csv(written(tmp_path, files), read_options=read)
    assert np.array_equal(np.stack([column.to_numpy() for column in table.columns], axis=1), content(files))


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz", "zip"])
def test_pandas_reads_jsonl_by_its_name(tmp_path: Path, compression: str) -> None:
    files = files_of("jsonl", compression, 4)
    table = pd.read_json(written(tmp_path, files), lines=True)
    assert table["text"].str.len().tolist() == [21 * 17] * 4


def read(folder: Path, **options: object) -> "dict[tuple[str, int], dict[str, np.ndarray]]":
    """What a loader in this process makes of the folder's files."""
    storage = MemoryStorage(f"memory:/{folder}", StorageSettings())
    for path in folder.rglob("*.*"):
        storage.put(str(path.relative_to(folder)), [Piece(0, path.read_bytes())])
    with open_loader(storage.uri, batch_size=3, **options) as loader:
        return {
            (key, number): {name: array.copy() for name, array in arrays.items()}
            for batch in loader
            for key, number, arrays in zip(batch.keys, batch.sample_numbers, batch, strict=True)
        }


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz", "zip"])
def test_what_pandas_packed_is_read(tmp_path: Path, compression: str) -> None:
    values = np.random.default_rng(3).normal(size=(2, 5, 12))
    for number in range(2):
        name = f"{number}.csv.{SUFFIXES[compression]}"
        pd.DataFrame(values[number]).to_csv(tmp_path / name, index=False, header=False)
    found = read(tmp_path, samples_per_file=5)
    assert len(found) == 10
    assert all(np.array_equal(arrays["x"], values[int(key[0]), number]) for (key, number), arrays in found.items())


@pytest.mark.parametrize("compression", PYARROW)
def test_what_pyarrow_packed_is_read(tmp_path: Path, compression: str) -> None:
    """Its streams of Zstandard and LZ4 tell neither their size nor a checksum."""
    values = np.random.default_rng(3).integers(0, 1 << 40, (2, 40, 30))
    suffix = SUFFIXES[compression]
    for number in range(2):
        with pa.output_stream(tmp_path / f"{number}.npy.{suffix}") as stream:
            np.save(stream, values[number])
    (tmp_path / "lines").mkdir()
    for number in range(2):
        with pa.output_stream(tmp_path / "lines" / f"{number}.jsonl.{suffix}") as stream:
            for row in values[number]:
                stream.write(json.dumps({"row": row.tolist()}).encode() + b"\n")
    rows = read(tmp_path / "lines", samples_per_file=40)
    assert len(rows) == 80
    assert all(np.array_equal(arrays["row"], values[int(key[0]), number]) for (key, number), arrays in rows.items())
    shutil.rmtree(tmp_path / "lines")
    found = read(tmp_path)
    assert len(found) == 2
    assert all(np.array_equal(arrays["x"], values[int(key[0])]) for (key, _), arrays in found.items())


def test_streams_behind_one_another_are_one_file(tmp_path: Path) -> None:
    """As `cat a.gz b.gz` makes them; zeros behind them are what a tape's last block is filled with."""
    (tmp_path / "0.raw.gz").write_bytes(gzip.compress(b"a" * 600) + gzip.compress(b"b" * 400) + bytes(512))
    (tmp_path / "1.raw.gz").write_bytes(gzip.compress(b"c" * 1000))
    found = read(tmp_path)
    assert [arrays["x"].tobytes() for arrays in found.values()] == [b"a" * 600 + b"b" * 400, b"c" * 1000]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends before it is complete"),
        (gzip.compress(bytes(1000))[:-3], "ends before it is complete"),
        (
            gzip.compress(bytes(1000)) + b"more",
            "what follows the gzip stream, from byte 29 of the file on, ends before",
        ),
        (bytes(1000), "is damaged"),
        (pa.compress(bytes(range(256)) * 9, "zstd", asbytes=True), "starts like a Zstandard file: check"),
        (b"\x93NUMPY and so on", "starts like an NPY file: check"),
    ],
)
def test_what_is_no_sound_stream(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "0.raw.gz").write_bytes(data)
    with pytest.raises(FormatError, match=rf"0\.raw\.gz: .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("compression", SUFFIXES)
def test_no_more_is_unpacked_than_a_file_can_hold(tmp_path: Path, compression: str) -> None:
    """A bomb of 16 MiB, where a sample of 10 KB is expected."""
    files = files_of("raw", compression, 1, dims=(100, 100))
    bomb = get_format("raw", files.options).encode(files_of("raw", "none", 1, dims=(16, 1 << 20)).record(0), zeros)
    (tmp_path / files.key(0)).parent.mkdir()
    (tmp_path / files.key(0)).write_bytes(b"".join(bytes(piece.data) for piece in bomb))
    with pytest.raises(DataError, match=r"img_0_of_2\.raw\.\w+: (unpacks to 4\d+ bytes or more|holds at least)"):
        read(tmp_path, format="raw", compression=compression, max_sample_bytes=40_000)


def zeros(offset: int, into: memoryview) -> None:
    into[:] = bytes(len(into))


def test_names_of_dlio_are_found(tmp_path: Path) -> None:
    """dlio_benchmark packs CSV files and calls them csv all the same."""
    files = files_of("csv", "gzip", 2)
    (tmp_path / "train").mkdir()
    for number in range(2):
        pd.DataFrame(content(files)).to_csv(
            tmp_path / "train" / f"img_{number}_of_2.csv", compression="gzip", index=False, header=False
        )
    found, warnings = locate_files(open_storage(tmp_path.as_uri(), StorageSettings()), files)
    assert [found.key(number) for number in range(2)] == ["train/img_0_of_2.csv", "train/img_1_of_2.csv"]
    assert not warnings
    rows = read(tmp_path / "train", format="csv", compression="gzip", samples_per_file=2)
    assert all(np.array_equal(arrays["x"], content(files)[number]) for (_, number), arrays in rows.items())


def test_a_name_tells_format_and_compression() -> None:
    assert detect_format("s3://b/train/a.csv.gz").options.compression == "gzip"
    assert detect_format("a.b.JSONL.ZST").suffix == "jsonl.zst"
    with pytest.raises(ConfigError, match=r"tells gzip, but zstd was asked for"):
        detect_format("a.csv.gz", FormatOptions(compression="zstd"))
    with pytest.raises(ConfigError, match="tells no format"):
        detect_format("archive.gz")


@pytest.mark.parametrize(
    ("name", "compression", "known"),
    [
        ("npz", "gzip", "none, zip"),
        ("indexed_binary", "zstd", "none"),
        ("hdf5", "lz4", "gzip, lzf, none"),
        ("tfrecord", "zstd", "gzip, none, zlib"),
        ("jpeg", "gzip", "none"),
        ("png", "zip", "none"),
        ("parquet", "zip", "gzip, lz4, none, snappy, zstd"),
        ("synthetic", "gzip", "none"),
        ("csv", "lzf", "bz2, gzip, lz4, none, xz, zip, zstd"),
    ],
)
def test_what_a_format_cannot(name: str, compression: str, known: str) -> None:
    with pytest.raises(ConfigError, match=f"the {name} format knows no compression '{compression}'; .*one of {known}$"):
        get_format(name, FormatOptions(compression=compression))
