# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads: what the YAML says, checked, in one frozen value.

``load`` takes a file or the name of a bundled workload, and overrides, and tells everything that is wrong at once.
"""

from dl_driver.config.bundled import bundled_names
from dl_driver.config.duration import Distribution, Duration
from dl_driver.config.loading import LoadedWorkload, load
from dl_driver.config.schema import Workload
from dl_driver.config.sections.dataset import Compression, Dataset, DatasetFormat
from dl_driver.config.sections.output import Metric, Output
from dl_driver.config.sections.reader import DataLoader, Reader, Shuffle
from dl_driver.config.sections.storage import Storage, StorageType
from dl_driver.config.sections.train import Evaluation, Train
from dl_driver.config.sections.workflow import Framework, Workflow

__all__ = [
    "Compression",
    "DataLoader",
    "Dataset",
    "DatasetFormat",
    "Distribution",
    "Duration",
    "Evaluation",
    "Framework",
    "LoadedWorkload",
    "Metric",
    "Output",
    "Reader",
    "Shuffle",
    "Storage",
    "StorageType",
    "Train",
    "Workflow",
    "Workload",
    "bundled_names",
    "load",
]
