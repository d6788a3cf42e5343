# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format in every compression, over a spread of shapes, element types and samples a file: others' libraries read
what is written here, and the loader reads what they write. TensorFlow's turn is in the integration tests."""

import bz2
import gzip
import io
import itertools
import json
import lzma
import zipfile
from collections.abc import Callable

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dl_driver import open_loader
from dl_driver.dataset.content import FileContent
from dl_driver.formats import file_suffix, get_format
from dl_driver.formats.base import FormatOptions, RecordSpec
from dl_driver.formats.jsonl import CHARACTERS
from dl_driver.storage.base import Piece, StorageSettings
from dl_driver.storage.memory import MemoryStorage

Values = np.ndarray
WHOLE = ("none", "gzip", "bz2", "xz", "zstd", "lz4", "zip")
COMPRESSIONS = {
    "npz": ("none", "zip"),
    "npy": WHOLE,
    "hdf5": ("none", "gzip", "lzf"),
    "parquet": ("none", "snappy", "gzip", "zstd", "lz4"),
    "raw": WHOLE,
    "csv": WHOLE,
    "jsonl": WHOLE,
    "png": ("none",),
    "jpeg": ("none",),
}
SPECS = (
    RecordSpec((13, 7), "uint8", 1),
    RecordSpec((9,), "int16", 4),
    RecordSpec((1, 6, 6), "float32", 3),
    RecordSpec((3, 4, 2, 5), "float64", 2),
    RecordSpec((40, 30), "int64", 5),
)
IMAGES = (RecordSpec((13, 7), "uint8", 1), RecordSpec((64, 129), "uint8", 1), RecordSpec((1, 300), "uint8", 1))
CASES = [
    pytest.param(name, compression, spec, id=f"{name}-{compression}-{spec.dims}-{spec.dtype}-{spec.num_samples}")
    for name, compressions in COMPRESSIONS.items()
    for compression in compressions
    for spec in (IMAGES if name in ("png", "jpeg") else SPECS)
]
_numbers = itertools.count()


def packed(data: bytes, compression: str) -> bytes:
    """By Python's libraries where they can, else by pyarrow's."""
    if compression == "zip":
        into = io.BytesIO()
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", data)
        return into.getvalue()
    simple: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    if compression in simple:
        return simple[compression](data)
    return data if compression == "none" else by_pyarrow(data, compression)


def by_pyarrow(data: bytes, compression: str) -> bytes:
    into = pa.BufferOutputStream()
    with pa.CompressedOutputStream(into, compression) as stream:
        stream.write(data)
    return into.getvalue().to_pybytes()


def unpacked(data: bytes, compression: str) -> bytes:
    if compression == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(archive.namelist()[0])
    simple: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress, "none": bytes,
    }  # fmt: skip
    if compression in simple:
        return simple[compression](data)
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), compression).read())


def samples_last(array: Values) -> Values:
    return np.moveaxis(array, -1, 0)


def judged(name: str, compression: str, data: bytes, spec: RecordSpec) -> Values:
    """What another library finds in a file: a row a sample."""
    if name == "npz":
        with np.load(io.BytesIO(data)) as arrays:
            return samples_last(arrays["x"])
    if name == "hdf5":
        with h5py.File(io.BytesIO(data)) as file:
            return file["records_0"][...]
    if name == "parquet":
        (column,) = pq.read_table(io.BytesIO(data)).columns
        rows = [row if isinstance(row, bytes) else np.asarray(row, spec.dtype).tobytes() for row in column.to_pylist()]
        return np.frombuffer(b"".join(rows), spec.dtype)
    if name in ("png", "jpeg"):
        return np.asarray(Image.open(io.BytesIO(data)))
    plain = unpacked(data, compression)
    if name == "npy":
        return samples_last(np.load(io.BytesIO(plain)))
    if name == "csv":
        return pd.read_csv(io.BytesIO(plain), header=None).to_numpy()
    if name == "jsonl":
        return np.frombuffer("".join(pd.read_json(io.BytesIO(plain), lines=True)["text"]).encode(), np.uint8)
    return np.frombuffer(plain, spec.dtype)


@pytest.mark.parametrize(("name", "compression", "spec"), [case for case in CASES if case.values[0] != "jpeg"])
def test_others_read_what_is_written(name: str, compression: str, spec: RecordSpec) -> None:
    options = FormatOptions(compression=compression)
    content = FileContent(3, 0, spec.dtype)
    end, file = 0, io.BytesIO()
    for offset, data in get_format(name, options).encode(spec, content.fill):
        file.seek(offset)
        end += file.write(data)
    into = bytearray(spec.payload_bytes)
    content.fill(0, memoryview(into))
    found = judged(name, compression, file.getvalue(), spec)
    if name == "jsonl":
        assert np.array_equal(found, CHARACTERS[np.frombuffer(into, np.uint8) % 64])
        return
    expected = np.frombuffer(into, spec.dtype)
    if name in ("npz", "npy"):
        expected = samples_last(expected.reshape(*spec.dims, spec.num_samples)).reshape(-1)
    assert found.dtype == spec.dtype or name == "csv"
    assert np.array_equal(found.reshape(-1), expected)


def written_by_others(name: str, compression: str, values: Values) -> bytes:
    """A file of samples, a row each."""
    into = io.BytesIO()
    last = np.moveaxis(values, 0, -1)
    if name == "npz":
        (np.savez_compressed if compression == "zip" else np.savez)(into, x=last)
    elif name == "hdf5":
        with h5py.File(into, "w") as file:
            file.create_dataset("records_0", data=values, compression=None if compression == "none" else compression)
    elif name == "parquet":
        flat = values.reshape(len(values), -1)
        rows = pa.array(flat.tolist(), pa.list_(pa.from_numpy_dtype(values.dtype), flat.shape[1]))
        pq.write_table(pa.table({"x": rows}), into, compression=compression)
    elif name in ("png", "jpeg"):
        Image.fromarray(values[0]).save(into, name)
    elif name == "npy":
        np.save(into, last)
    elif name == "csv":
        pd.DataFrame(values.reshape(len(values), -1)).to_csv(into, header=False, index=False)
    elif name == "jsonl":
        into.write("".join(json.dumps({"x": row.reshape(-1).tolist()}) + "\n" for row in values).encode())
    else:
        into.write(values.tobytes())
    whole = into.getvalue()
    return packed(whole, compression) if name in ("npy", "csv", "jsonl", "raw") else whole


@pytest.mark.parametrize(("name", "compression", "spec"), CASES)
def test_what_others_wrote_is_read(name: str, compression: str, spec: RecordSpec) -> None:
    generator = np.random.default_rng(5)
    storage = MemoryStorage(f"memory://others-{next(_numbers)}", StorageSettings())
    shape = (2, spec.num_samples, *spec.dims)
    values = generator.integers(0, 250, shape).astype(spec.dtype)
    if spec.dtype.startswith("float"):
        values += np.asarray(0.25, spec.dtype)
    suffix, files = file_suffix(name, compression), {}
    for number in range(2):
        files[number] = written_by_others(name, compression, values[number])
        storage.put(f"{number}.{suffix}", [Piece(0, files[number])])
    told = compression if name in ("npz", "hdf5", "parquet") else "none"
    seen = 0
    with open_loader(
        storage.uri, batch_size=3, samples_per_file=spec.num_samples, compression=told, max_sample_bytes=1 << 16
    ) as loader:
        for batch in loader:
            for key, number, sample in zip(batch.keys, batch.sample_numbers, batch, strict=True):
                first = next(iter(sample.values()))
                expected = values[int(key[0]), number]
                if name == "jpeg":
                    assert np.array_equal(first, np.asarray(Image.open(io.BytesIO(files[int(key[0])]))))
                elif name == "raw":
                    assert first.tobytes() == expected.tobytes()
                else:
                    assert np.array_equal(first.reshape(-1), expected.reshape(-1)), (first, expected)
                    assert first.dtype == spec.dtype or name in ("csv", "jsonl")
                seen += 1
    assert seen == 2 * spec.num_samples
