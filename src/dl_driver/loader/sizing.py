# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From wishes to a LoaderPlan: how deep, how much memory, which delivery."""

import math
import os
from dataclasses import dataclass, replace

from dl_driver.config import Duration
from dl_driver.dataset.files import FileSet
from dl_driver.errors import DataError
from dl_driver.formats import get_format
from dl_driver.formats.base import DEFAULTS, FormatOptions, Reading, RecordSpec
from dl_driver.formats.expectation import Expectation
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.slab import round_up
from dl_driver.storage.base import Storage, StorageSettings

WINDOW_BYTES = 4 << 20
_PAGE = 4096
LINE = 64
"""A span in a batch begins at a multiple of this, so that two never share a line of a core's cache."""
_SLACK = 1024
"""Bytes by which another writer's container may be larger than ours for the same samples."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How many reads and batches a consumer has under way."""

    readers: int
    inflight: int
    """Samples in flight, at least one a reader."""
    batches: int
    """Outstanding, at least one a reader."""

    @property
    def per_reader(self) -> int:
        """Samples that one reader has in flight."""
        return max(1, self.inflight // self.readers)

    @property
    def batches_per_reader(self) -> int:
        """Batches that one reader may be ahead."""
        return max(1, math.ceil(self.batches / self.readers))


def dlio_depth(read_threads: int, prefetch_size: int) -> Depth:
    """What dlio_benchmark's PyTorch loader has under way: ``read_threads`` readers, each one sample at a time, and
    ``read_threads * ceil(prefetch_size / read_threads)`` batches; no reader thread counts as one, no prefetch as 2."""
    readers = max(1, read_threads)
    return Depth(readers, readers, readers * max(1, math.ceil((prefetch_size or 2) / readers)))


def landing_bytes(length: int, spans: int, alignment: int) -> int:
    """Room for so many bytes in so many spans, each widened to the storage's alignment."""
    unit = max(alignment, LINE)
    return round_up(length, unit) + spans * (unit if alignment == 1 else 2 * unit)


def default_workers() -> int:
    """As many as this process may use cores."""
    return len(os.sched_getaffinity(0))


def make_plan(
    storage: Storage,
    settings: StorageSettings,
    *,
    format_name: str,
    files: FileSet,
    samples_per_file: int,
    batch_size: int,
    depth: Depth,
    consumers: int = 1,
    first_rank: int = 0,
    held_batches: int = 1,
    crop_bytes: int = 0,
    window_bytes: int = WINDOW_BYTES,
    preprocess: Duration | None = None,
    seed: int = 0,
    workers: int | None = None,
    options: FormatOptions = DEFAULTS,
    record: RecordSpec | None = None,
    run_bytes: int | None = None,
    max_sample_bytes: int | None = None,
    expected: Expectation | None = None,
) -> LoaderPlan:
    """``record``: what the largest file holds, where the workload says so. ``run_bytes``: most bytes of samples that
    are read at once, by default the window's. Raises DataError where the files' sizes are unknown."""
    file_format = get_format(format_name, options)
    reading = file_format.reading(samples_per_file)
    largest = files.max_size
    if largest is None:
        if record is None:
            raise DataError(f"{storage.uri}: the size of its files is not known")
        largest = file_format.max_file_size(record)
    sample_bytes = max_sample_bytes or file_format.sample_bytes(record, largest, samples_per_file)
    options = replace(options, most_unpacked=file_format.most_unpacked(record, sample_bytes, samples_per_file))
    alignment = max(storage.alignment, 64 if largest < _PAGE * 16 else _PAGE)
    longest = largest if record is None or reading is not Reading.UNPACKED else file_format.read_size(record)
    file_bytes = round_up(max(largest, longest) + _SLACK + 1, alignment)
    window_bytes = round_up(window_bytes, _PAGE)
    # What cannot pass by in windows is read by its index where a crop of a large file is all that is delivered.
    too_long = crop_bytes > 0 and file_bytes > window_bytes and not file_format.streams
    whole = reading is Reading.WHOLE and not too_long
    crops = 0 < crop_bytes < (largest // samples_per_file if whole else sample_bytes)
    delivery = Delivery.WHOLE
    if not whole:
        delivery = Delivery.UNPACK if crops or reading is Reading.UNPACKED else Delivery.SPANS
    elif samples_per_file > 1 or (crops and file_bytes <= window_bytes):
        delivery = Delivery.COPY
    elif crops:
        delivery = Delivery.WINDOWS
    if crops:
        stride = round_up(crop_bytes, 64)
    elif delivery is Delivery.WHOLE:
        stride = file_bytes
    elif delivery is Delivery.SPANS:
        run = run_bytes or window_bytes
        together = file_format.batch_bytes(batch_size, record, samples_per_file, run, max(storage.alignment, LINE))
        if together is None or max_sample_bytes:
            stride = landing_bytes(sample_bytes, file_format.spans_per_sample(), storage.alignment)
        else:
            stride = round_up(-(-together // batch_size), LINE)
    elif delivery is Delivery.UNPACK:
        stride = round_up(sample_bytes, 64)
    else:
        stride = round_up(largest // samples_per_file + _SLACK, 64)
    num_readers = consumers * depth.readers
    workers = 1 if storage.in_process else max(1, min(workers or default_workers(), num_readers))
    return LoaderPlan(
        uri=storage.uri,
        settings=settings,
        format=format_name,
        files=files,
        samples_per_file=samples_per_file,
        batch_size=batch_size,
        consumers=consumers,
        first_rank=first_rank,
        readers=depth.readers,
        depth=depth.per_reader,
        batches_ahead=depth.batches_per_reader,
        slots=depth.readers * depth.batches_per_reader + held_batches,
        delivery=delivery,
        crop_bytes=crop_bytes if crops else 0,
        file_bytes=file_bytes,
        stride=stride,
        window_bytes=window_bytes,
        run_bytes=run_bytes or window_bytes,
        sample_bytes=sample_bytes,
        alignment=storage.alignment,
        options=options,
        preprocess=preprocess,
        seed=seed,
        workers=workers,
        expected=expected,
    )
