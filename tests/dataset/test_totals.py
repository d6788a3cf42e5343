# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.config import load
from dl_driver.dataset.files import evaluation_files, training_files
from dl_driver.dataset.totals import file_bytes


@pytest.mark.parametrize("file_format", ["npz", "npy", "tfrecord", "hdf5", "png", "jpeg", "raw", "jsonl"])
@pytest.mark.parametrize(
    "changes",
    [
        ["dataset.record_length_bytes=40000", "dataset.record_length_bytes_stdev=30000"],
        ["dataset.record_length_bytes=120", "dataset.record_length_bytes_stdev=90", "dataset.num_samples_per_file=7"],
        ["dataset.record_length_bytes=4294967296", "dataset.record_length_bytes_stdev=100000"],
        ["dataset.record_length_bytes=4294967296", "dataset.record_length_bytes_stdev=3000000000"],
        ["dataset.record_dims=[10,20]", "dataset.record_element_type=float32"],
        [],
    ],
)
def test_the_sum_is_that_of_every_file(file_format, changes):
    counts = ["dataset.num_files_train=300", "dataset.num_files_eval=41"]
    if file_format in ("png", "jpeg") and any("samples_per_file" in change or "42949" in change for change in changes):
        pytest.skip("no such images")
    workload = load("demo", [f"dataset.format={file_format}", *counts, *changes]).workload
    for files in (training_files(workload), evaluation_files(workload)):
        assert file_bytes(files) == sum(files.size(index) for index in range(len(files)))


def test_lengths_at_which_a_record_grows():
    """16,384 is the first number of three groups of seven bits; what stands around the samples counts them too."""
    changes = ["dataset.record_length_bytes=16384", "dataset.record_length_bytes_stdev=300", "dataset.format=tfrecord"]
    files = training_files(load("demo", [*changes, "dataset.num_files_train=3000"]).workload)
    sizes = {files.record(index).sample_bytes < 16384 for index in range(len(files))}
    assert sizes == {True, False}
    assert file_bytes(files) == sum(files.size(index) for index in range(len(files)))


def test_no_files_and_formats_that_cannot_tell():
    assert file_bytes(evaluation_files(load("unet3d_h100").workload)) == 0
    compressed = load("cosmoflow_h100", ["dataset.compression=gzip"]).workload
    assert file_bytes(training_files(compressed)) is None
    for changes in (["dataset.compression=zip"], ["dataset.format=npy", "dataset.compression=zstd"]):
        assert file_bytes(training_files(load("unet3d_h100", changes).workload)) is None
    assert file_bytes(training_files(load("retinanet_b200").workload)) == 1_170_301 * 568 * 568
