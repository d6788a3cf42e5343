# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest

from dl_driver.config import Workload


def uri(folder, direct=False, **storage):
    return Workload.model_validate(
        {"dataset": {"data_folder": folder}, "storage": storage, "reader": {"odirect": direct}}
    ).data_uri


@pytest.mark.parametrize(
    ("folder", "storage", "expected"),
    [
        ("/data/", {}, "file:///data"),
        ("d", {"storage_root": "/mnt/x/"}, "file:///mnt/x/d"),
        ("/abs", {"storage_root": "/mnt"}, "file:///abs"),
        ("/a b/100%/c?d#e", {}, "file:///a b/100%25/c%3Fd%23e"),
        ("/d", {"storage_type": "direct_fs"}, "direct:///d"),
        ("/d", {"storage_type": "parallel_fs"}, "file:///d"),
        ("/d", {"storage_options": {"uri_scheme": "direct"}}, "direct:///d"),
        ("directio:///d/", {}, "direct:///d"),
        ("file:///d/../e", {}, "file:///e"),
        ("memory://x", {}, "memory://x"),
        ("null://?latency=5ms&bandwidth=2GB/s", {}, "null://?latency=5ms&bandwidth=2GB/s"),
        ("sub", {"storage_root": "direct:///mnt"}, "direct:///mnt/sub"),
        ("/mnt/sub", {"storage_root": "direct:///"}, "direct:///mnt/sub"),
        ("sub", {"storage_root": "null://?latency=5ms"}, "null:///sub?latency=5ms"),
        ("s3://bucket/prefix/", {}, "s3://bucket/prefix"),
        ("prefix", {"storage_type": "s3", "storage_root": "bucket"}, "s3://bucket/prefix"),
        ("prefix", {"storage_type": "s3", "storage_root": "s3://bucket/"}, "s3://bucket/prefix"),
        ("p", {"storage_type": "aistore", "storage_root": "b"}, "ais://b/p"),
    ],
)
def test_where_data_lie(folder, storage, expected):
    assert uri(folder, **storage) == expected


def test_a_relative_path_starts_here():
    assert uri("./data/") == f"file://{os.getcwd()}/data"


def test_odirect_turns_paths_alone():
    assert uri("/d", direct=True) == "direct:///d"
    assert uri("null://", direct=True) == "null://"
