# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format here does what dl_driver.testing asks of all."""

import numpy as np

from dl_driver.formats.base import FormatOptions, RecordSpec
from dl_driver.formats.jsonl import CHARACTERS
from dl_driver.formats.options import Hdf5Options
from dl_driver.testing.formats import FormatConformance, Written


class SamplesLast(FormatConformance):
    """Formats of DLIO's that hold samples along an array's last axis."""

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """See FormatConformance."""
        whole = np.frombuffer(written.file_content(file), written.spec.dtype)
        return whole.reshape(*written.spec.dims, written.spec.num_samples)[..., sample].tobytes()


class TestNpz(SamplesLast):
    format_name = "npz"


class TestNpzDeflated(SamplesLast):
    format_name = "npz"
    options = FormatOptions(compression="zip")


class TestNpy(SamplesLast):
    format_name = "npy"
    finds_flips = False


class TestTfRecord(FormatConformance):
    format_name = "tfrecord"


class TestTfRecordGzip(FormatConformance):
    format_name = "tfrecord"
    options = FormatOptions(compression="gzip")


class TestTfRecordZlib(FormatConformance):
    format_name = "tfrecord"
    options = FormatOptions(compression="zlib")


class TestHdf5(FormatConformance):
    format_name = "hdf5"
    finds_flips = False


class TestHdf5Chunks(FormatConformance):
    format_name = "hdf5"
    options = FormatOptions(hdf5=Hdf5Options(chunk_dims=(2, 7, 5)))
    specs = (RecordSpec((13, 7), "uint8", 2), RecordSpec((40, 30), "uint8", 5), RecordSpec((9, 5), "float32", 3))
    finds_flips = False


class TestHdf5Gzip(FormatConformance):
    format_name = "hdf5"
    options = FormatOptions(compression="gzip")
    finds_flips = False


class TestHdf5Lzf(FormatConformance):
    format_name = "hdf5"
    options = FormatOptions(compression="lzf", hdf5=Hdf5Options(max_shape=(60, 60)))
    specs = (RecordSpec((13, 7), "uint8", 2), RecordSpec((40, 30), "int32", 5))
    finds_flips = False


class TestHdf5Shared(FormatConformance):
    """A record spread over two data sets; the first holds its first half."""

    format_name = "hdf5"
    options = FormatOptions(hdf5=Hdf5Options(num_dset_per_record=2))
    specs = (RecordSpec((14, 7), "uint8", 1), RecordSpec((40, 30), "uint8", 5))
    finds_flips = False

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """See FormatConformance."""
        half = written.spec.sample_bytes // 2
        return written.file_content(file)[sample * half : (sample + 1) * half]


class TestRaw(FormatConformance):
    format_name = "raw"
    finds_flips = False


class TestJsonLines(FormatConformance):
    format_name = "jsonl"
    finds_flips = False

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """See FormatConformance."""
        return CHARACTERS[np.frombuffer(written.content(file, sample), np.uint8) % 64].tobytes()

    def test_a_sparse_file_is_a_file_of_zeros(self, written: Written) -> None:
        assert written.format.sparse(written.spec) is None


class TestCsv(FormatConformance):
    """Without a workload's element type, numbers are as pandas has them."""

    format_name = "csv"
    finds_flips = False
    specs = (
        RecordSpec((13, 7), "uint8", 1),
        RecordSpec((40, 30), "uint8", 5),
        RecordSpec((3, 4, 5), "float32", 3),
        RecordSpec((9, 11), "int16", 2),
    )

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """See FormatConformance."""
        values = np.frombuffer(written.content(file, sample), written.spec.dtype)
        return values.astype(np.float64 if values.dtype.kind == "f" else np.int64).tobytes()


class TestCsvAsWritten(FormatConformance):
    """With it, they are what was written."""

    format_name = "csv"
    options = FormatOptions(element_type="uint16")
    finds_flips = False
    specs = (RecordSpec((13, 7), "uint16", 1), RecordSpec((40, 30), "uint16", 5))


class TestNpyGzip(SamplesLast):
    format_name = "npy"
    options = FormatOptions(compression="gzip")


class TestNpyZip(SamplesLast):
    format_name = "npy"
    options = FormatOptions(compression="zip")


class TestRawLz4(FormatConformance):
    format_name = "raw"
    options = FormatOptions(compression="lz4")


class TestCsvGzip(TestCsv):
    options = FormatOptions(compression="gzip")
    specs = TestCsv.specs[:3:2]
    finds_flips = True


class TestJsonLinesZstd(TestJsonLines):
    options = FormatOptions(compression="zstd")
    specs = TestJsonLines.specs[:2]
    finds_flips = True


del SamplesLast, FormatConformance
