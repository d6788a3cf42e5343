# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.config import load
from dl_driver.loader.slab import Slab
from dl_driver.run import planning
from dl_driver.run.planning import mlperf_minimum, plan_run


def test_counts_of_a_small_workload():
    changes = ["reader.batch_size=3", "train.total_training_steps=5", "dataset.num_samples_per_file=2"]
    plan = plan_run(load("demo", changes).workload, accelerators=4)
    assert plan.train.samples == 128
    assert plan.train.payload_bytes == 128 * 1024 * 1024
    assert plan.train.steps == 128 // 3 // 4
    assert plan.steps_per_epoch == 5
    assert plan.epoch_seconds == pytest.approx(5 * 0.05)
    assert plan.evaluation.num_files == 8
    assert plan.first_file.dims == (1024, 1024)


def test_a_parquet_row_is_its_columns():
    plan = plan_run(load("dlrm_b200").workload)
    assert plan.train.payload_bytes == 1024 * 4718592 * 761
    assert plan.first_file is None
    # A row's 40 columns take 160 bytes, rounded up to 192; 12288 rows with records of 80 bytes; 5 slots and a page.
    assert plan.memory is not None
    assert plan.memory.batches_bytes == 5 * 12288 * (80 + 192) + 4096


@pytest.mark.parametrize(
    "changes",
    [
        ["dataset.record_length_bytes=65536"],
        ["dataset.record_length_bytes=65536", "dataset.num_samples_per_file=3"],
        ["dataset.record_length_bytes_resize=65536"],
        ["dataset.record_length_bytes=16777216", "dataset.record_length_bytes_resize=65536"],
    ],
)
def test_memory_is_what_the_loader_makes(changes, monkeypatch):
    made = []
    make_plan = planning.make_plan
    monkeypatch.setattr(planning, "make_plan", lambda *args, **named: made.append(make_plan(*args, **named)) or made[0])
    memory = plan_run(load("demo", changes).workload, accelerators=2).memory
    slab = Slab(made[0])
    assert memory.batches_bytes == slab.size
    slab.close()


def test_a_storage_without_a_backend_has_no_memory_figure():
    assert plan_run(load("unet3d_h100_s3", ["storage.storage_type=aistore"]).workload).memory is None


def test_mlperfs_smallest_data_set():
    # resnet50: 500 steps x 2 accelerators x 400 samples / 1251 a file; 5 x 64 GiB / (1251 x 114660.07 bytes).
    minimum = mlperf_minimum(load("resnet50_h100").workload, accelerators=2, hosts=1, host_memory=64 << 30)
    assert minimum.by_steps == 319
    assert minimum.by_memory == 2395
    assert minimum.num_files == 2395
    assert not minimum.enough
    assert mlperf_minimum(load("resnet50_h100").workload, 2, 1, None).enough
