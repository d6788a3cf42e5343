# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format here does what dl_driver.testing asks of all."""

import numpy as np

from dl_driver.formats.base import FormatOptions
from dl_driver.testing.formats import FormatConformance, Written


class SamplesLast(FormatConformance):
    """Formats of DLIO's that hold samples along an array's last axis."""

    def expected(self, written: Written, file: int, sample: int) -> bytes:
        """See FormatConformance."""
        whole = np.frombuffer(written.file_content(file), written.spec.dtype)
        return whole.reshape(*written.spec.dims, written.spec.num_samples)[..., sample].tobytes()


class TestNpz(SamplesLast):
    format_name = "npz"


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


del SamplesLast, FormatConformance
