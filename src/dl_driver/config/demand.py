# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one accelerator asks of storage: a batch in each computation time.

Bytes are the configured length of a sample, as dlio_benchmark and MLPerf Storage count them; of a Parquet row, those
columns that training reads.
"""

import math
from dataclasses import dataclass

from dl_driver.config.schema import Workload
from dl_driver.config.sections.dataset import Dataset, element_bytes

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Demand:
    """Of one accelerator that never waits."""

    samples_per_second: float
    bytes_per_sample: float

    @property
    def mib_per_second(self) -> float:
        """MiB/s at 100 % utilization."""
        return self.samples_per_second * self.bytes_per_sample / MIB

    def at(self, utilization: float, accelerators: int = 1) -> "Demand":
        """Of several, at a utilization between 0 and 1."""
        return Demand(self.samples_per_second * utilization * accelerators, self.bytes_per_sample)


def demand(workload: Workload) -> Demand | None:
    """None where nothing is trained, or where a step takes no time, so that no storage is fast enough."""
    step_s = workload.train.computation_time.mean_s
    if not workload.workflow.train or step_s == 0:
        return None
    return Demand(workload.reader.batch_size / step_s, bytes_per_sample(workload.dataset))


def bytes_per_sample(dataset: Dataset) -> float:
    """Bytes that training reads of a sample, by the configuration."""
    read = [column for column in dataset.parquet.columns if column.read]
    if read and len(read) < len(dataset.parquet.columns):
        return float(sum(element_bytes(column.dtype) * column.size for column in read))
    if dataset.record_dims:
        return float(math.prod(dataset.record_dims) * element_bytes(dataset.sample_dtype))
    return dataset.record_length_bytes
