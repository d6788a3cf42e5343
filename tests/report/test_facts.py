# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from dl_driver.config import load
from dl_driver.report.facts import workload_facts


@pytest.mark.parametrize(
    ("file_shuffle", "sample_shuffle", "shuffles"),
    [("off", "off", False), ("seed", "off", True), ("off", "random", True), ("seed", "seed", True)],
)
def test_either_shuffle_is_a_shuffle(file_shuffle: str, sample_shuffle: str, shuffles: bool) -> None:
    loaded = load("demo", [f"reader.file_shuffle={file_shuffle}", f"reader.sample_shuffle={sample_shuffle}"])
    assert workload_facts(loaded).shuffle is shuffles
