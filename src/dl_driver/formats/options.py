# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload says of single file formats, as plain values.

The configuration's sections say the same, but come with pydantic, which takes longer to import than anything else that
a worker process needs. So formats, which workers use, know these, and the configuration is left behind at the edge
(dataset/files.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hdf5Options:
    """``dataset.hdf5``; the configuration says what each means."""

    chunk_dims: tuple[int, ...] = ()
    num_dset_per_record: int = 1
    max_shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ParquetColumn:
    """One of ``dataset.parquet.columns``."""

    name: str
    dtype: str = "float32"
    size: int = 1
    read: bool = True


@dataclass(frozen=True, slots=True)
class ParquetOptions:
    """``dataset.parquet``, but for what has no effect."""

    columns: tuple[ParquetColumn, ...] = ()
    row_group_size: int = 1024
    read_mode: str | None = None
    check_pages: bool | None = None
    partition_by: str | None = None
