# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reports need to know of a workload."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dl_driver.config import LoadedWorkload, Shuffle
from dl_driver.config.secrets import without_secrets


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """Plain values, from the composed workload."""

    name: str
    source: str
    framework: str
    format: str
    data_uri: str
    batch_size: int
    batch_size_eval: int
    read_threads: int
    num_files_train: int
    num_files_eval: int
    samples_per_file: int
    record_length_bytes: float
    epochs: int
    seed: int
    shuffle: bool
    au_threshold: float
    """A fraction."""
    exclude_start_steps: int
    exclude_end_steps: int
    computation_time: Mapping[str, Any]
    eval_time: Mapping[str, Any]
    composed: Mapping[str, Any]
    config_hash: str
    """SHA-256 of the composed configuration, without its secrets, as JSON with sorted keys."""


def workload_facts(loaded: LoadedWorkload) -> WorkloadFacts:
    """The facts of a loaded workload."""
    workload = loaded.workload
    data, reader = workload.dataset, workload.reader
    canonical = json.dumps(without_secrets(loaded.composed), sort_keys=True, default=str)
    return WorkloadFacts(
        name=workload.name,
        source=loaded.source,
        framework=str(getattr(workload.framework, "value", workload.framework)),
        format=str(getattr(data.format, "value", data.format)),
        data_uri=workload.data_uri,
        batch_size=reader.batch_size,
        batch_size_eval=reader.batch_size_eval,
        read_threads=reader.read_threads,
        num_files_train=data.num_files_train,
        num_files_eval=data.num_files_eval,
        samples_per_file=data.num_samples_per_file,
        record_length_bytes=data.record_length_bytes,
        epochs=workload.train.epochs,
        seed=workload.train.seed,
        shuffle=any(one is not Shuffle.OFF for one in (reader.file_shuffle, reader.sample_shuffle)),
        au_threshold=workload.metric.au,
        exclude_start_steps=workload.output.metric.exclude_start_steps,
        exclude_end_steps=workload.output.metric.exclude_end_steps,
        computation_time=workload.train.computation_time.as_dlio(),
        eval_time=workload.evaluation.eval_time.as_dlio(),
        composed=loaded.composed,
        config_hash=hashlib.sha256(canonical.encode()).hexdigest(),
    )
