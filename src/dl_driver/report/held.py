# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What held the accelerators, in words, with the numbers that say so and what can be done about it."""

from dl_driver.metrics.record import RunRecord
from dl_driver.report.stages import Stage
from dl_driver.report.summary import Summary

HELD = {
    Stage.STORAGE: "The storage, read in this way, did not keep the accelerators busy.",
    Stage.DECODE: "Decoding in the workers, not the storage, held the accelerators.",
    Stage.COPY: "Copying in the workers, not the storage, held the accelerators.",
    Stage.READING: "This machine's own work for reading, not the storage, held the accelerators.",
    Stage.PREPROCESS: "Preprocessing, not the storage, held the accelerators.",
}
_WORK = (Stage.DECODE, Stage.COPY, Stage.READING)
_TOOK = {
    Stage.STORAGE: "Waiting for it",
    Stage.DECODE: "Decoding",
    Stage.COPY: "Copying",
    Stage.READING: "Making and taking reads, in this program and the kernel,",
    Stage.PREPROCESS: "Samples' preprocess_time",
}


def held_in_numbers(summary: Summary, record: RunRecord) -> str:
    """How much of the workers' time that took, and advice, as sentences to add; empty where it was not measured."""
    times, stage = summary.stages, summary.held_by
    if times is None or stage is None:
        return ""
    workers = record.loader.workers
    each = workers / times.worker_s
    numbers = f"{_TOOK[stage]} took {times.seconds_of(stage) * each:.2g} of {workers} workers' time"
    if stage is Stage.DECODE and times.decode_cpu_s is not None:
        numbers += f" ({times.decode_cpu_s * each:.2g} on a CPU)"
    if stage in _WORK and times.other_s > times.seconds_of(stage):
        numbers += f"; for {times.other_s * each:.2g} more, workers had something to do and no core to do it on"
    if times.full_s > times.worker_s / 2:
        numbers += f"; for {times.full_s * each:.2g}, batches lay ready that accelerators had not taken"
    return f" {numbers}. {_advice(stage, record)}"


def _advice(stage: Stage, record: RunRecord) -> str:
    if stage is Stage.STORAGE:
        return "More reads at a time (reader.read_threads, --pool-size) or a faster storage would help."
    if stage is Stage.PREPROCESS:
        return "More readers (reader.read_threads) would preprocess more samples at a time."
    loader, cores = record.loader, record.host.cpu_count
    if loader.workers >= cores:
        spared = "; reader.decode=none passes samples on as they are stored" if stage is Stage.DECODE else ""
        return f"Each of the {cores} cores has its worker: more cores or more hosts would help{spared}."
    if loader.workers >= loader.readers * record.accelerators:
        return f"More workers would help, which takes more readers (reader.read_threads); there are {cores} cores."
    return f"More workers (reader.workers) would help; there are {cores} cores."
