# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TensorFlow and h5py read what was written here, and the loader reads what they wrote."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

import dl_driver
from dl_driver.dataset.content import FileContent
from dl_driver.dataset.files import ComputedFiles, Dimensions
from dl_driver.dataset.generate import Generation, generate
from dl_driver.formats.base import FormatOptions
from dl_driver.formats.options import Hdf5Options
from dl_driver.storage.base import StorageSettings

_SEED = 5


def written(
    folder: Path,
    name: str,
    samples: int,
    options: FormatOptions,
    *,
    dims: Sequence[int] = (31, 40),
    dtype: str = "uint8",
) -> Path:
    """The first of two files, in ``folder/train``."""
    files = ComputedFiles("train", "img", name, 2, 0, 0, Dimensions(1, 0, 2), tuple(dims), dtype, samples, options)
    generate(
        Generation(f"file://{folder}", StorageSettings(), (files,), _SEED, skip_existing=False), 1, lambda *_: None
    )
    return folder / files.key(0)


def content(samples: int, size: int = 31 * 40) -> "list[np.ndarray[tuple[int], np.dtype[np.uint8]]]":
    whole = np.empty(samples * size, np.uint8)
    FileContent(_SEED, 0).fill(0, whole.data)
    return list(whole.reshape(samples, size))


def in_tensorflow(program: str, *arguments: object) -> None:
    """TensorFlow in a process of its own: it takes a second to import, and threads with it."""
    pytest.importorskip("tensorflow", reason="the judge is not installed (extra dev)")
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    subprocess.run(command, check=True, timeout=100, env=environment)


_TF_READS = """
import sys, numpy as np, tensorflow as tf
compression, *pairs = sys.argv[1:]
features = {"image": tf.io.FixedLenFeature([], tf.string), "size": tf.io.FixedLenFeature([], tf.int64)}
for path, expected in zip(pairs[::2], pairs[1::2]):
    found = []
    for record in tf.data.TFRecordDataset(path, compression_type=compression):
        example = tf.io.parse_single_example(record, features)
        found.append(np.frombuffer(example["image"].numpy(), np.uint8))
        assert int(example["size"]) == found[-1].size
    assert np.array_equal(np.stack(found), np.load(expected)), path
"""
RECORDS = [((31, 40), "uint8", 7), ((5,), "float32", 1), ((3, 4, 2), "int64", 12), ((200, 200), "int16", 3)]


@pytest.mark.parametrize("compression", ["none", "gzip", "zlib"])
def test_tensorflow_reads_our_tfrecords(tmp_path: Path, compression: str) -> None:
    pairs: list[Path] = []
    for number, (dims, dtype, samples) in enumerate(RECORDS):
        options = FormatOptions(compression=compression)
        pairs.append(written(tmp_path / str(number), "tfrecord", samples, options, dims=dims, dtype=dtype))
        values = np.empty((samples, int(np.prod(dims)) * np.dtype(dtype).itemsize), np.uint8)
        FileContent(_SEED, 0, dtype).fill(0, values.reshape(-1).data)
        pairs.append(tmp_path / f"{number}.npy")
        np.save(pairs[-1], values)
    in_tensorflow(_TF_READS, "" if compression == "none" else compression.upper(), *pairs)


_TF_WRITES = """
import sys, numpy as np, tensorflow as tf
folder, compression = sys.argv[1:]
def bytes_feature(value): return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
for number in range(3):
    options = tf.io.TFRecordOptions(compression_type=compression)
    with tf.io.TFRecordWriter(f"{folder}/{number}.tfrecord", options) as writer:
        for sample in range(4):
            example = tf.train.Example(features=tf.train.Features(feature={
                "image": bytes_feature(bytes([number]) * (1000 + 100_000 * sample)),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[-sample])),
                "box": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, sample])),
            }))
            writer.write(example.SerializeToString())
"""


@pytest.mark.parametrize("compression", ["none", "gzip", "zlib"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_loader_reads_tensorflows_records(tmp_path: Path, compression: str, shuffle: bool) -> None:
    """They have no index, three kinds of features, and different lengths."""
    in_tensorflow(_TF_WRITES, tmp_path, "" if compression == "none" else compression.upper())
    seen = []
    with dl_driver.open_loader(
        str(tmp_path), batch_size=5, samples_per_file=4, shuffle=shuffle, compression=compression,
        max_sample_bytes=310_000,
    ) as loader:  # fmt: skip
        for batch in loader:
            for key, number, sample in zip(batch.keys, batch.sample_numbers, batch, strict=True):
                assert sample["image"].tobytes() == bytes([int(key[0])]) * (1000 + 100_000 * number)
                assert sample["label"].tolist() == [-number]
                assert sample["box"].tolist() == [0.5, number]
                seen.append((key, number))
    assert len(set(seen)) == len(seen) == 12


HDF5_KINDS = [
    FormatOptions(),
    FormatOptions(hdf5=Hdf5Options(num_dset_per_record=1, chunk_dims=(1, 10, 13))),
    FormatOptions(compression="gzip"),
    FormatOptions(compression="lzf"),
    FormatOptions(hdf5=Hdf5Options(max_shape=(50, 60))),
]


@pytest.mark.parametrize("options", HDF5_KINDS, ids=str)
@pytest.mark.parametrize("samples", [1, 6])
def test_h5py_reads_our_files(tmp_path: Path, options: FormatOptions, samples: int) -> None:
    with h5py.File(written(tmp_path, "hdf5", samples, options)) as file:
        assert sorted(file) == ["labels", "records_0"]
        records, labels = file["records_0"], file["labels"]
        assert records.shape == (samples, 31, 40)
        assert records.dtype == np.uint8
        assert np.array_equal(records[...].reshape(samples, -1), np.stack(content(samples)))
        assert labels.dtype == np.int64
        assert labels[...].tolist() == [0] * samples
        assert records.chunks == (options.hdf5.chunk_dims or records.chunks)
        assert records.maxshape == (samples, *(options.hdf5.max_shape or (31, 40)))
        assert records.compression == (None if options.compression == "none" else options.compression)


def test_h5py_reads_records_that_data_sets_share(tmp_path: Path) -> None:
    """DLIO leaves out a leading dimension of one; each of four data sets has a fourth of the rest."""
    options = FormatOptions(hdf5=Hdf5Options(num_dset_per_record=4))
    with h5py.File(written(tmp_path, "hdf5", 3, options, dims=(1, 8, 5))) as file:
        assert sorted(file) == ["labels", "records_0", "records_1", "records_2", "records_3"]
        assert all(file[f"records_{number}"].shape == (3, 2, 5) for number in range(4))


WRITERS = [
    {},
    {"compression": "gzip", "shuffle": True},
    {"compression": "lzf"},
    {"compression": "gzip", "fletcher32": True},
    {"chunks": (2, 9, 7)},
    {"maxshape": (None, 31, 40)},
]


@pytest.mark.parametrize("keywords", WRITERS, ids=str)
@pytest.mark.parametrize("version", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", [">u2", "<f4"])
def test_the_loader_reads_h5pys_files(tmp_path: Path, keywords: dict[str, object], version: str, dtype: str) -> None:
    values = np.random.default_rng(1).integers(0, 999, (2, 5, 31, 40)).astype(dtype)
    for number in range(2):
        with h5py.File(tmp_path / f"{number}.hdf5", "w", libver=version) as file:
            file.create_dataset("records_0", data=values[number], **keywords)
            file.create_dataset("labels", data=np.arange(5))
    compression = "gzip" if keywords else "none"
    seen = 0
    with dl_driver.open_loader(
        str(tmp_path), batch_size=4, samples_per_file=5, compression=compression, shuffle=True, max_sample_bytes=9000
    ) as loader:
        for batch in loader:
            for key, number, sample in zip(batch.keys, batch.sample_numbers, batch, strict=True):
                assert np.array_equal(sample["records_0"], values[int(key[0]), number])
                assert sample["records_0"].dtype == dtype
                seen += 1
    assert seen == 10


def test_a_data_set_that_was_never_written_is_its_fill_value(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        records = file.create_dataset("records_0", (4, 6, 6), "i4", chunks=(1, 3, 6), fillvalue=7)
        records[2] = 5
    with dl_driver.open_loader(str(tmp_path), samples_per_file=4, compression="gzip") as loader:
        values = [set(sample["records_0"].ravel().tolist()) for batch in loader for sample in batch]
    assert values == [{7}, {7}, {5}, {7}]
