# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparisons, one subject a file. Each is a function from Options to its cases."""

from collections.abc import Callable, Iterator, Mapping

from benchmarks.cases import (
    direct,
    formats,
    full_run,
    generation,
    generation_formats,
    images,
    memory,
    object_stores,
    small_files,
)
from benchmarks.compare import Options
from benchmarks.measurement import Case

SUBJECTS: Mapping[str, Callable[[Options], Iterator[Case]]] = {
    "small_files_1k": small_files.one_kib,
    "small_files_112k": small_files.hundred_kib,
    "files_8mb": small_files.eight_mb,
    "run_112k": full_run.hundred_kib,
    "run_8mb": full_run.eight_mb,
    "direct_128k": direct.hundred_kib,
    "direct_8m": direct.eight_mib,
    "direct_4k_files": direct.many_files,
    "decode_jpeg": images.jpeg,
    "generate": generation.eight_mb,
    "s3_1k": object_stores.one_kib,
    "s3_nginx_1k": object_stores.one_kib_nginx,
    "s3_112k": object_stores.hundred_kib,
    "s3_8mb": object_stores.eight_mb,
    "s3_tls_8mb": object_stores.tls,
    "s3_seaweedfs_1k": object_stores.seaweed,
    "s3_faults": object_stores.faults,
    "azure_1k": object_stores.azure,
    "generate_formats": generation_formats.all_formats,
    "tfrecord_112k": formats.tfrecord,
    "hdf5_1m": formats.hdf5,
    "parquet_dlrm": formats.parquet,
    "memory_unet3d": memory.unet3d,
    "memory_ten_million_files": memory.ten_million_files,
}
