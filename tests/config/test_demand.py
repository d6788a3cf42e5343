# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.config import load
from dl_driver.config.demand import demand
from dl_driver.config.sizes import parse_size, show_size

# Batch / computation time x record length, from the workloads MLPerf Storage publishes: samples/s, MiB/s, MiB/s at AU.
PUBLISHED = {
    "unet3d_v100": (2.94, 411, 370),
    "unet3d_a100": (11.01, 1538.8, 1384.9),
    "unet3d_h100": (21.67, 3029.9, 2726.9),
    "unet3d_b200": (43.21, 6041.1, 5437.0),
    "resnet50_a100": (919.5, 100.6, 90.5),
    "resnet50_h100": (1785.7, 195.3, 175.7),
    "cosmoflow_a100": (181.5, 489.6, 342.7),
    "cosmoflow_h100": (285.7, 770.7, 539.5),
    "retinanet_b200": (504.7, 155.5, 132.1),
    "retinanet_mi355": (504.7, 155.5, 132.1),
    "flux_b200": (35.6, 73.4, 66.1),
    "flux_mi355": (35.6, 73.4, 66.1),
    "dlrm_b200": (32.77e6, 5000, 3500),
    "dlrm_mi355": (32.77e6, 5000, 3500),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_demand_per_accelerator(name):
    workload = load(name).workload
    samples, mib, at_au = PUBLISHED[name]
    one = demand(workload)
    assert one.samples_per_second == pytest.approx(samples, rel=2e-3)
    assert one.mib_per_second == pytest.approx(mib, rel=2e-3)
    assert one.at(workload.metric.au).mib_per_second == pytest.approx(at_au, rel=2e-3)


def test_no_demand_where_nothing_is_trained_or_a_step_takes_no_time():
    assert demand(load("llama3_8b").workload) is None
    assert demand(load("demo", ["train.computation_time=0"]).workload) is None


def test_the_columns_of_dlrm_and_flux():
    columns = load("dlrm_b200").workload.dataset.parquet.columns
    assert len(columns) == 200
    assert sum(column.read for column in columns) == 40
    flux = load("flux_b200").workload.dataset
    assert sum(column.size * 4 for column in flux.parquet.columns) == flux.record_length_bytes == 2164832


def test_a_fixed_shape_counts_its_elements():
    changes = ["dataset.record_dims=[16,16]", "dataset.record_element_type=float32", "train.computation_time=0.5"]
    assert demand(load("demo", changes).workload).bytes_per_sample == 1024


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1024", 1024),
        ("4k", 4096),
        ("512GiB", 512 << 30),
        ("512 G", 512 << 30),
        ("1.5TB", 1_500_000_000_000),
        ("2 MB", 2_000_000),
        ("7B", 7),
    ],
)
def test_sizes_are_read(text, count):
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "5x", "-1", "1e3", "5 GiBs"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="such as 512GiB"):
        parse_size(text)


def test_sizes_are_shown():
    assert [show_size(n) for n in (0, 1023, 1536, 25285981919)] == ["0 B", "1023 B", "1.5 KiB", "23.55 GiB"]
