# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run will need and do, computed from the workload alone; nothing is read or written."""

from dataclasses import dataclass

from dl_driver.config import DatasetFormat, Workload
from dl_driver.config.demand import Demand, demand
from dl_driver.config.sections.dataset import element_bytes
from dl_driver.dataset.files import ComputedFiles, evaluation_files, training_files
from dl_driver.dataset.order import EpochOrder
from dl_driver.dataset.totals import file_bytes
from dl_driver.errors import StorageError
from dl_driver.formats import format_names
from dl_driver.loader.delivery import WindowDelivery
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.sizing import default_workers, make_plan
from dl_driver.loader.slab import RECORD, round_up
from dl_driver.run.feeds import chosen_depth, crop_bytes, workload_storage
from dl_driver.storage.base import StorageSettings

_MLPERF_STEPS = 500
_MLPERF_MEMORIES = 5
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """The training or the evaluation files."""

    num_files: int
    samples: int
    payload_bytes: int
    """Of the samples alone."""
    file_bytes: int | None
    """Containers included; None for a format that cannot tell yet."""
    batch_size: int
    steps: int
    """An epoch has so many, before total_training_steps."""


@dataclass(frozen=True, slots=True)
class FirstFile:
    """The first file of a data set of arrays."""

    key: str
    dims: tuple[int, ...]
    """Shape of one sample."""
    dtype: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the loader of one host takes, beside the processes themselves."""

    batches_bytes: int
    """Shared memory for the batches that are ready, in the making or in use."""
    buffers_bytes: int
    """Buffers of the readers."""
    workers: int

    @property
    def total_bytes(self) -> int:
        """Both."""
        return self.batches_bytes + self.buffers_bytes


@dataclass(frozen=True, slots=True)
class MlperfMinimum:
    """The smallest data set that MLPerf Storage's rules accept: 500 steps, and five times the hosts' memory."""

    num_files: int
    by_steps: int
    by_memory: int | None
    """None where the hosts' memory was not given."""
    bytes: int
    enough: bool
    """Whether the workload's num_files_train is as many."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything ``plan`` tells."""

    accelerators: int
    hosts: int
    train: SplitPlan
    evaluation: SplitPlan
    first_file: FirstFile | None
    epochs: int
    steps_per_epoch: int
    """Training steps, total_training_steps applied."""
    epoch_seconds: float
    """Computation alone, so an epoch at 100 % utilization."""
    demand: Demand | None
    """Of one accelerator at 100 %; None where a step takes no time."""
    au_threshold: float
    memory: Memory | None
    """Per host; None for a format or a storage that cannot be read yet."""
    mlperf: MlperfMinimum


def plan_run(workload: Workload, accelerators: int = 1, hosts: int = 1, host_memory: int | None = None) -> RunPlan:
    """``accelerators`` is the number over all hosts, ``host_memory`` the bytes of each."""
    training, evaluation = training_files(workload), evaluation_files(workload)
    reader, data = workload.reader, workload.dataset
    train = _split(workload, training, reader.batch_size, accelerators)
    limit = workload.train.total_training_steps
    steps = min(train.steps, limit) if limit else train.steps
    return RunPlan(
        accelerators=accelerators,
        hosts=hosts,
        train=train,
        evaluation=_split(workload, evaluation, reader.batch_size_eval, accelerators),
        first_file=_first_file(training) if data.num_files_train and not data.parquet.columns else None,
        epochs=workload.train.epochs,
        steps_per_epoch=steps,
        epoch_seconds=steps * workload.train.computation_time.mean_s,
        demand=demand(workload),
        au_threshold=workload.metric.au,
        memory=_memory(workload, training, -(-accelerators // hosts)),
        mlperf=mlperf_minimum(workload, accelerators, hosts, host_memory),
    )


def mlperf_minimum(workload: Workload, accelerators: int, hosts: int, host_memory: int | None) -> MlperfMinimum:
    """In whole files and by the nominal record length, as the rules' own tool computes it (rules 2.1)."""
    data = workload.dataset
    nominal = data.num_samples_per_file * data.record_length_bytes
    by_steps = _MLPERF_STEPS * accelerators * workload.reader.batch_size // data.num_samples_per_file
    by_memory = None if host_memory is None else int(_MLPERF_MEMORIES * hosts * host_memory // nominal)
    files = max(by_steps, by_memory or 0)
    return MlperfMinimum(files, by_steps, by_memory, int(files * nominal), data.num_files_train >= files)


def loader_memory(plan: LoaderPlan) -> Memory:
    """What a loader takes by its plan: the slab's slots, a buffer for each sample in flight that needs one, and a
    worker's memory for a file that it unpacks."""
    slot = round_up(plan.batch_size * RECORD.itemsize, _PAGE) + round_up(plan.batch_size * plan.stride, _PAGE)
    batches = round_up(plan.num_readers * 8, _PAGE) + plan.consumers * plan.slots * slot
    each = {
        Delivery.WHOLE: 0,
        Delivery.COPY: plan.file_bytes,
        Delivery.WINDOWS: WindowDelivery.WINDOWS * plan.window_bytes,
        Delivery.SPANS: 0,
        Delivery.UNPACK: max(plan.run_bytes, plan.sample_bytes),
    }[plan.delivery]
    unpacked = plan.workers * plan.options.most_unpacked
    return Memory(batches, plan.num_readers * plan.depth * each + unpacked, plan.workers)


def _split(workload: Workload, files: ComputedFiles, batch_size: int, accelerators: int) -> SplitPlan:
    order = EpochOrder(
        len(files), files.samples_per_file, accelerators, batch_size, drop_last=workload.reader.drop_last
    )
    return SplitPlan(
        num_files=len(files),
        samples=order.total,
        payload_bytes=_payload_bytes(workload, files),
        file_bytes=file_bytes(files),
        batch_size=batch_size,
        steps=order.steps,
    )


def _payload_bytes(workload: Workload, files: ComputedFiles) -> int:
    """Of a Parquet table, its columns' elements; of all other formats, the samples' squares or shapes."""
    columns = workload.dataset.parquet.columns
    if workload.dataset.format is not DatasetFormat.PARQUET or not columns:
        return files.payload_bytes
    row = sum(column.size * element_bytes(column.dtype) for column in columns)
    return files.count * files.samples_per_file * row


def _first_file(files: ComputedFiles) -> FirstFile:
    record = files.record(0)
    size = files.size(0) if files.format in format_names() else None
    return FirstFile(files.key(0), record.dims, record.dtype, size)


def _memory(workload: Workload, files: ComputedFiles, accelerators: int) -> Memory | None:
    if files.format not in format_names() or len(files) == 0:
        return None
    try:
        storage = workload_storage(workload)
    except StorageError:
        return None
    depth, _ = chosen_depth(workload)
    plan = make_plan(
        storage,
        StorageSettings(),
        format_name=files.format,
        files=files,
        samples_per_file=files.samples_per_file,
        batch_size=workload.reader.batch_size,
        depth=depth,
        consumers=accelerators,
        crop_bytes=crop_bytes(workload),
        window_bytes=workload.reader.window_bytes,
        workers=workload.reader.workers or default_workers(),
        options=files.options,
        record=files.largest_record,
        run_bytes=workload.reader.transfer_size,
    )
    return loader_memory(plan)
