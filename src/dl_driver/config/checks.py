# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Combinations of values that cannot work together, each one function.

A check yields what is wrong and the keys that it looked at; the first of them is the one to name.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dl_driver.config.locations import has_scheme
from dl_driver.config.schema import Workload
from dl_driver.config.sections.base import LARGEST
from dl_driver.config.sections.checkpoint import CheckpointMode
from dl_driver.config.sections.dataset import DatasetFormat
from dl_driver.config.sections.reader import DataLoader
from dl_driver.config.sections.workflow import Framework


class Conflict(NamedTuple):
    """Values that exclude each other."""

    keys: tuple[str, ...]
    message: str


Check = Callable[[Workload], Iterator[Conflict]]
_FRAMEWORK_LOADERS = {
    DataLoader.TENSORFLOW: Framework.TENSORFLOW,
    DataLoader.PYTORCH: Framework.PYTORCH,
    DataLoader.JAX: Framework.JAX,
}
_IMAGE_DIMENSIONS = 2


def _loader_of_another_framework(workload: Workload) -> Iterator[Conflict]:
    loader = workload.reader.data_loader
    owner = _FRAMEWORK_LOADERS.get(loader) if loader else None
    if owner and owner is not workload.framework:
        yield Conflict(
            ("reader.data_loader", "framework"),
            f"the {loader} loader does not serve {workload.framework}; make both the same",
        )


def _loader_that_reads_nothing(workload: Workload) -> Iterator[Conflict]:
    flow, data = workload.workflow, workload.dataset
    synthetic = workload.reader.data_loader is DataLoader.SYNTHETIC and data.format is not DatasetFormat.SYNTHETIC
    if synthetic and (flow.train or flow.evaluation):
        message = (
            f"dlio_benchmark's synthetic loader makes samples and reads no {data.format} file; set"
            " dataset.format=synthetic for that, or another loader"
        )
        yield Conflict(("reader.data_loader", "dataset.format"), message)


def _record_shape(workload: Workload) -> Iterator[Conflict]:
    dataset = workload.dataset
    dims = dataset.record_dims
    if dims and dataset.record_length_bytes_stdev > 0:
        keys = ("dataset.record_dims", "dataset.record_length_bytes_stdev")
        yield Conflict(keys, "a fixed shape excludes record_length_bytes_stdev > 0; give one of them")
    if dataset.format.is_image and len(dims) > _IMAGE_DIMENSIONS:
        message = f"{dataset.format} format does not support more than 2 dimensions, but got {len(dims)} dimensions."
        yield Conflict(("dataset.record_dims", "dataset.format"), message)
    if dataset.format.is_image and 0 < len(dims) < _IMAGE_DIMENSIONS:
        message = f"an image has 2 dimensions, rows and columns, but got {list(dims)}; [1, {dims[0]}] is one row"
        yield Conflict(("dataset.record_dims", "dataset.format"), message)
    if dataset.format.is_image and dataset.num_samples_per_file != 1:
        keys = ("dataset.num_samples_per_file", "dataset.format")
        message = f"a {dataset.format} file is one image, but got {dataset.num_samples_per_file} samples a file"
        yield Conflict(keys, f"{message}; set it to 1 and num_files_train to the number of samples")
    parts = dataset.hdf5.num_dset_per_record
    if dims and dims[0] % parts:
        keys = ("dataset.hdf5.num_dset_per_record", "dataset.record_dims")
        yield Conflict(keys, f"{parts} data sets cannot share a first dimension of {dims[0]} evenly")


def _countable(workload: Workload) -> Iterator[Conflict]:
    """Bytes are counted in 64 bits."""
    data = workload.dataset
    for count_key, files in (("num_files_train", data.num_files_train), ("num_files_eval", data.num_files_eval)):
        length_key = "dataset.record_dims" if data.record_dims else "dataset.record_length_bytes"
        record = math.prod(data.record_dims) if data.record_dims else int(data.record_length_bytes)
        size = files * data.num_samples_per_file * record
        if size > LARGEST:
            keys = (f"dataset.{count_key}", "dataset.num_samples_per_file", length_key)
            yield Conflict(
                keys, f"so many samples of this size are {size:.3g} bytes, at most {LARGEST:.3g} can be counted"
            )


def _enough_to_train(workload: Workload) -> Iterator[Conflict]:
    if not workload.workflow.train:
        return
    keys = ("dataset.num_files_train", "dataset.num_samples_per_file", "reader.batch_size")
    samples = workload.dataset.num_files_train * workload.dataset.num_samples_per_file
    batch = workload.reader.batch_size
    if samples == 0:
        yield Conflict(keys, "there is nothing to train on: expected at least one file, or workflow.train=false")
    elif samples < batch and workload.reader.drop_last:
        yield Conflict(keys, f"{samples} samples do not fill one batch of {batch} (reader.batch_size)")
    limit = workload.train.total_training_steps
    steps = samples // batch
    if limit and 0 < steps < limit:
        message = f"{limit} steps are asked for, an epoch has {steps} (samples / batch) even on one accelerator"
        yield Conflict(("train.total_training_steps", *keys), message)


def _enough_to_evaluate(workload: Workload) -> Iterator[Conflict]:
    if not (workload.workflow.train and workload.workflow.evaluation):
        return
    keys = ("dataset.num_files_eval", "dataset.num_samples_per_file", "reader.batch_size_eval")
    samples = workload.dataset.num_files_eval * workload.dataset.num_samples_per_file
    batch = workload.reader.batch_size_eval
    if samples == 0:
        yield Conflict(keys, "there is nothing to evaluate: expected at least one file, or workflow.evaluation=false")
    elif samples < batch and workload.reader.drop_last:
        yield Conflict(keys, f"{samples} samples do not fill one batch of {batch} (reader.batch_size_eval)")


def _parallelism(workload: Workload) -> Iterator[Conflict]:
    model, spread = workload.model, workload.model.parallelism
    subset = workload.checkpoint.mode is CheckpointMode.SUBSET
    if model.num_layers and model.num_layers < spread.pipeline:
        keys = ("model.parallelism.pipeline", "model.num_layers")
        yield Conflict(keys, f"{spread.pipeline} stages cannot share {model.num_layers} layers")
    if spread.pipeline > 1 and spread.zero_stage == 3:
        keys = ("model.parallelism.zero_stage", "model.parallelism.pipeline")
        yield Conflict(keys, "stage 3 excludes a pipeline of more than one stage")
    if spread.data and not subset:
        keys = ("model.parallelism.data", "checkpoint.mode")
        yield Conflict(keys, "follows from the accelerators; it is for checkpoint.mode=subset alone")
    if subset and not spread.data:
        yield Conflict(("checkpoint.mode", "model.parallelism.data"), "subset needs model.parallelism.data")


def _checkpoints(workload: Workload) -> Iterator[Conflict]:
    checkpoint = workload.checkpoint
    write, read = checkpoint.num_checkpoints_write, checkpoint.num_checkpoints_read
    if write and read and read > write:
        keys = ("checkpoint.num_checkpoints_read", "checkpoint.num_checkpoints_write")
        yield Conflict(keys, f"{read} checkpoints cannot be read where {write} are written")
    if checkpoint.ksm and checkpoint.randomize_tensor:
        keys = ("checkpoint.ksm", "checkpoint.randomize_tensor")
        yield Conflict(keys, "equal pages need checkpoint.randomize_tensor=false")


def _direct_or_not(workload: Workload) -> Iterator[Conflict]:
    folder = workload.dataset.data_folder
    if workload.reader.odirect and has_scheme(folder) and folder.startswith("file:"):
        keys = ("reader.odirect", "dataset.data_folder")
        yield Conflict(keys, f"excludes {folder}, which asks for the page cache; write direct://")


CHECKS: tuple[Check, ...] = (
    _loader_of_another_framework,
    _loader_that_reads_nothing,
    _record_shape,
    _countable,
    _enough_to_train,
    _enough_to_evaluate,
    _parallelism,
    _checkpoints,
    _direct_or_not,
)


def conflicts(workload: Workload) -> list[Conflict]:
    """Every impossible combination."""
    return [conflict for check in CHECKS for conflict in check(workload)]
