# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loader for users of the library: an iterable of batches from any storage and format."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from dl_driver.dataset.files import ListedFiles
from dl_driver.dataset.order import EpochOrder
from dl_driver.errors import ConfigError, DataError, RunError
from dl_driver.formats import detect_format, get_format, named_format
from dl_driver.formats.base import Format, FormatOptions
from dl_driver.formats.magic import kind_of
from dl_driver.loader.arguments import check, uri_of
from dl_driver.loader.batch import Batch
from dl_driver.loader.plan import LoaderPlan
from dl_driver.loader.pool import ReadyBatch, WorkerPool
from dl_driver.loader.probing import check_first_file, first_bytes, probed_sample_bytes
from dl_driver.loader.sizing import Depth, default_workers, make_plan
from dl_driver.storage import open_storage
from dl_driver.storage.base import Storage, StorageSettings
from dl_driver.storage.options import ObjectStoreOptions

Order = Literal["plan", "completion"]
_INFLIGHT_A_WORKER = 32
_HELD_BATCHES = 2


class Loader:
    """Batches of one consumer. Iterating runs the next epoch. Close it, or use it in a ``with`` statement."""

    def __init__(
        self, plan: LoaderPlan, order: EpochOrder, *, delivery_order: Order, reshuffle: bool, timeout: float | None
    ) -> None:
        self._plan, self._order, self._reshuffle = plan, order, reshuffle
        self._delivery_order = delivery_order
        self._timeout_ns = None if timeout is None else int(timeout * 1e9)
        self._pool = WorkerPool(plan)
        # Batches that the garbage collector found gone, from whichever thread; deque's append and popleft are atomic.
        self._gone: deque[ReadyBatch] = deque()
        self._running = False
        self._epochs_begun = 0
        self._closed = False
        self.epoch = 0
        """The epoch that the next iteration runs, counted from 0; may be set."""

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._order.steps

    def __repr__(self) -> str:
        return f"<Loader of {self._plan.uri}, {len(self)} batches an epoch>"

    def __iter__(self) -> Iterator[Batch]:
        self._check_open()
        if self._running:
            self._pool.stop()
        self._release_gone()
        self._pool.start(self._order.reseeded(self.epoch) if self._reshuffle else self._order)
        self.epoch += 1
        self._epochs_begun += 1
        self._running, mine = True, self._epochs_begun
        for step in range(self._order.steps):
            self._check_open()
            if mine != self._epochs_begun:
                raise RunError("this iteration is over, since another one of the same loader has begun; open one each")
            ready = self._next(step)
            self._pool.took([ready], ())
            yield Batch(self._pool, ready, self._plan.files, self._gone.append)
        self._running = False

    def close(self) -> None:
        """End the workers. Batches that are still kept stay readable."""
        self._closed = True
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._pool.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RunError(f"{self._plan.uri}: the loader is closed; open another one")

    def _next(self, step: int) -> ReadyBatch:
        ready = self._pool.ready(0)
        while True:
            self._release_gone()
            if self._delivery_order == "plan":
                if step in ready:
                    return self._pool.take(0, step)
            elif ready:
                return self._pool.take(0, next(iter(ready)))
            if self._pool.starved(0):
                raise RunError(
                    f"all {self._plan.slots} places for batches are held by batches that the program keeps: copy the"
                    " arrays that are needed for longer, or open the loader with a larger readahead"
                )
            if not self._pool.pump(self._timeout_ns) and self._timeout_ns is not None and not self._pool.inline:
                raise RunError(
                    f"{self._plan.uri}: no batch within {self._timeout_ns / 1e9:g} s{self._pool.describe_reading()}"
                )

    def _release_gone(self) -> None:
        if self._gone:
            self._pool.took((), [self._gone.popleft() for _ in range(len(self._gone))])


def open_loader(
    uri: str | os.PathLike[str],
    *,
    format: str | None = None,
    batch_size: int = 1,
    shuffle: bool = False,
    seed: int = 0,
    workers: int | None = None,
    readers: int | None = None,
    max_inflight: int | None = None,
    readahead: int | None = None,
    order: Order = "plan",
    drop_last: bool = False,
    samples_per_file: int = 1,
    crop_bytes: int = 0,
    rank: int = 0,
    ranks: int = 1,
    engine: Literal["auto", "ring", "threads"] = "auto",
    strict_direct: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    compression: str = "none",
    decode: bool = True,
    max_sample_bytes: int | None = None,
) -> Loader:
    """A loader over all objects below ``uri`` (a path, or a URI such as ``direct:///data/train``), by name.

    format: ``npz``, ``npy``, ``tfrecord``, ...; by default what the objects' suffix says.
    batch_size: samples.
    shuffle: another order of all samples each epoch, a function of ``seed`` and the epoch alone.
    workers: processes that read and decode, by default one a core.
    readers: batches being filled at the same time, by default two a worker.
    max_inflight: samples being read at the same time, by default 32 a worker.
    readahead: batches ready or in the making, by default two a reader.
    order: ``plan``, or ``completion`` for whichever batch is ready first.
    drop_last: leave out a last batch that is not full.
    samples_per_file: in every file; of NPZ and NPY, along the arrays' last axis.
    crop_bytes: carry only so many bytes of each sample's first array; the rest is read and checked all the same.
    rank, ranks: this loader's share of the samples.
    storage_options: for object stores, the keys of a workload's ``storage.storage_options``, such as endpoint_url.
    timeout: seconds without any batch that are an error.
    compression: of the files, as ``dataset.compression``.
    decode: False to be given samples as they are stored.
    max_sample_bytes: what a sample takes, decoded, at most; by default what headers of images say, or a guess from the
        files' sizes.

    Raises ConfigError for an argument out of range, DataError where there is nothing to load, StorageError.
    """
    uri = uri_of(uri)
    check(locals())
    options = FormatOptions(compression=compression, decode=decode)
    reached = ObjectStoreOptions.of_mapping(storage_options or {})
    settings = StorageSettings(engine=engine, strict_direct=strict_direct, options=reached)
    storage = open_storage(uri, settings)
    files, chosen = _list_files(storage, format, options)
    format_name, options = chosen.name, chosen.options
    workers = workers or default_workers()
    readers = readers or 2 * workers
    depth = Depth(readers, max_inflight or max(readers, _INFLIGHT_A_WORKER * workers), readahead or 2 * readers)
    if max_sample_bytes is None:
        asked = get_format(format_name, options)
        max_sample_bytes = probed_sample_bytes(storage, files, asked, 1 if crop_bytes else batch_size)
    plan = make_plan(
        storage,
        settings,
        format_name=format_name,
        files=files,
        samples_per_file=samples_per_file,
        batch_size=batch_size,
        depth=depth,
        first_rank=rank,
        held_batches=_HELD_BATCHES,
        crop_bytes=crop_bytes,
        seed=seed,
        workers=workers,
        options=options,
        max_sample_bytes=max_sample_bytes,
    )
    epoch_order = EpochOrder(
        num_files=len(files),
        samples_per_file=samples_per_file,
        ranks=ranks,
        batch_size=batch_size,
        file_shuffle=False,
        sample_shuffle=shuffle,
        seed=seed,
        drop_last=drop_last,
    )
    return Loader(plan, epoch_order, delivery_order=order, reshuffle=shuffle, timeout=timeout)


def _list_files(storage: Storage, format_name: str | None, options: FormatOptions) -> tuple[ListedFiles, Format]:
    objects = sorted((info.key, info.size) for info in storage.list())
    if not objects:
        raise DataError(f"{storage.uri} holds no objects; expected a data set")
    chosen_format, any_name = _choose_format(storage, objects[0][0], format_name, options)
    suffixes = tuple(f".{suffix}" for suffix in (chosen_format.suffix, *chosen_format.other_suffixes))
    chosen = objects if any_name else [item for item in objects if item[0].lower().endswith(suffixes)]
    if not chosen:
        known = " or ".join(suffixes)
        raise DataError(f"{storage.uri}: none of its {len(objects)} objects ends in {known}; see the argument format")
    files = ListedFiles([key for key, _ in chosen], [size for _, size in chosen])
    check_first_file(storage, files, chosen_format)
    return files, chosen_format


def _choose_format(storage: Storage, key: str, format_name: str | None, options: FormatOptions) -> tuple[Format, bool]:
    """The format that the user names, or the first object's name, or its first bytes; and whether objects of any name
    are of it."""
    if format_name is not None:
        named = named_format(format_name, key, options)
        return named, named.any_name
    try:
        return detect_format(key, options), False
    except ConfigError:
        kind = kind_of(first_bytes(storage, key))
        if kind is None or not kind.formats:
            raise
        return get_format(min(kind.formats), options), True
