# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a workload to what feeds its accelerators: storage, files found, loader plan, order of an epoch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from dl_driver.config import Shuffle, Workload
from dl_driver.dataset.catalogue import locate_files
from dl_driver.dataset.files import ComputedFiles, FileSet, evaluation_files, format_options, training_files
from dl_driver.dataset.objects import WorkloadObjects
from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import ConfigError, Problem
from dl_driver.formats import get_format
from dl_driver.formats.expectation import Expectation
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.probing import probed_sample_bytes
from dl_driver.loader.sizing import Depth, default_workers, dlio_depth, make_plan
from dl_driver.metrics.record import Phase
from dl_driver.storage import open_storage
from dl_driver.storage.base import Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions

_NOWHERE = "null://"
"""Where samples lie that come from memory."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What feeds one phase."""

    phase: Phase
    plan: LoaderPlan
    files: FileSet
    order: EpochOrder
    """The first epoch's."""
    deeper_than_dlio: bool
    warnings: Sequence[str]


def storage_settings(workload: Workload, workers: int) -> StorageSettings:
    """How the workload's storage is used by ``workers`` processes."""
    section = workload.storage
    splits = (training_files(workload), evaluation_files(workload))
    options = ObjectStoreOptions.of_workload(section)
    return StorageSettings(section.engine, section.strict_direct, WorkloadObjects(splits), 1 / workers, options)


def workload_storage(workload: Workload) -> Storage:
    """The workload's storage, for this process."""
    return open_storage(workload.data_uri, storage_settings(workload, 1))


def make_feed(workload: Workload, phase: Phase, accelerators: int, seed: int) -> Feed:
    """Raises DataError where files are missing or too few for one step, ConfigError where keys contradict."""
    reader = workload.reader
    depth, deeper = chosen_depth(workload)
    training = phase is Phase.TRAIN
    file_format = get_format(workload.dataset.format, format_options(workload))
    computed: ComputedFiles = training_files(workload) if training else evaluation_files(workload)
    batch_size = reader.batch_size if training else reader.batch_size_eval
    order = epoch_order(workload, len(computed), batch_size, accelerators, seed)
    _check_steps(order, workload, training)
    workers = min(reader.workers or default_workers(), accelerators * depth.readers)
    settings = storage_settings(workload, workers)
    storage = open_storage(workload.data_uri if file_format.stored else _NOWHERE, settings)
    files, warnings = locate_files(storage, computed)
    crop = crop_bytes(workload)
    # Files of other names than the workload's are somebody else's: what they hold, they say themselves.
    others = files is not computed
    sample_bytes = probed_sample_bytes(storage, files, file_format, 1 if crop else batch_size) if others else None
    plan = make_plan(
        storage,
        settings,
        format_name=workload.dataset.format,
        files=files,
        samples_per_file=workload.dataset.num_samples_per_file,
        batch_size=batch_size,
        depth=depth,
        consumers=accelerators,
        crop_bytes=crop,
        window_bytes=reader.window_bytes,
        preprocess=reader.preprocess_time,
        seed=seed,
        workers=workers,
        options=computed.options,
        record=computed.largest_record if len(computed) else None,
        run_bytes=reader.transfer_size,
        max_sample_bytes=sample_bytes,
        expected=_expectation(computed),
    )
    return Feed(phase, plan, files, order, deeper, warnings)


def _expectation(files: ComputedFiles) -> Expectation:
    """The shape only where all files have one: a data set of drawn sizes may come from another draw."""
    dims = files.record(0).dims if files.uniform else None
    return Expectation(files.dtype, files.samples_per_file, dims)


def chosen_depth(workload: Workload) -> tuple[Depth, bool]:
    """DLIO's concurrency, or deeper where the workload asks for it; and whether it does."""
    reader = workload.reader
    depth = dlio_depth(reader.read_threads, reader.prefetch_size)
    wanted = reader.pool_size or reader.max_inflight or depth.inflight
    inflight = min(wanted, reader.max_inflight or wanted)
    readers = min(depth.readers, inflight)
    batches = max(reader.readahead or depth.batches, readers)
    return Depth(readers, inflight, batches), inflight > depth.inflight or batches > depth.batches


def crop_bytes(workload: Workload) -> int:
    """Bytes of each sample that a batch carries: the square that DLIO's resize names, 0 for all."""
    side = int(workload.dataset.record_length_bytes_resize**0.5)
    return side * side


def epoch_order(workload: Workload, num_files: int, batch_size: int, accelerators: int, seed: int) -> EpochOrder:
    """The order of the first epoch."""
    reader = workload.reader
    samples_per_file = workload.dataset.num_samples_per_file
    unit = get_format(workload.dataset.format, format_options(workload)).shuffle_unit(samples_per_file)
    return EpochOrder(
        num_files=num_files,
        samples_per_file=samples_per_file,
        ranks=accelerators,
        batch_size=batch_size,
        file_shuffle=reader.file_shuffle is not Shuffle.OFF,
        sample_shuffle=reader.sample_shuffle is not Shuffle.OFF,
        seed=seed,
        drop_last=reader.drop_last,
        shuffle_unit=unit,
    )


def shuffle_seed(workload: Workload) -> int:
    """train.seed, or one from the operating system where an order is shuffled at random."""
    reader = workload.reader
    if Shuffle.RANDOM in (reader.file_shuffle, reader.sample_shuffle):
        return int.from_bytes(os.urandom(6), "little")
    return workload.train.seed


def _check_steps(order: EpochOrder, workload: Workload, training: bool) -> None:
    wanted = workload.train.total_training_steps if training else None
    if order.steps == 0:
        raise ConfigError(
            [
                Problem(
                    "reader.batch_size" if training else "reader.batch_size_eval",
                    f"{order.total} samples are too few for one step of {order.ranks} accelerators with batches of"
                    f" {order.batch_size}; use fewer accelerators, smaller batches or more files",
                )
            ]
        )
    if wanted and wanted > order.steps:
        raise ConfigError(
            [Problem("train.total_training_steps", f"is {wanted}, but the data set gives {order.steps} steps an epoch")]
        )
