# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checkpoints: when, how many, how."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from dl_driver.config.duration import Duration
from dl_driver.config.sections.base import Choice, Limit, NoEffect, Number, Positive, Section, Text


class CheckpointType(Choice):
    """Who writes, says dlio_benchmark, and does not use it."""

    RANK_ZERO = "rank_zero"
    ALL_RANKS = "all_ranks"


class CheckpointMode(Choice):
    """Whether all ranks of the model take part."""

    DEFAULT = "default"
    SUBSET = "subset"


class Ksm(Section):
    """How dlio_benchmark merges equal memory pages; the section's presence turns it on."""

    madv_mergeable_id: Positive = 12
    """The kernel's number for mergeable memory."""
    high_ram_trigger: Annotated[Number, Field(ge=0, le=100)] = 30.0
    """Percent of memory in use at which to wait."""
    low_ram_exit: Annotated[Number, Field(ge=0, le=100)] = 15.0
    """Percent of memory in use at which to go on."""
    await_time: Annotated[Number, Field(ge=0)] = 200
    """Seconds to wait at most."""


def _minus_one_is_no_time(value: object) -> object:
    return 0 if str(value).strip() in ("-1", "-1.0") else value


class Checkpoint(Section):
    """Checkpoints."""

    checkpoint_folder: Text = "./checkpoints/"
    """Where checkpoints go: a path or a URI."""
    checkpoint_after_epoch: Positive = 1
    """The first epoch after which to write one."""
    epochs_between_checkpoints: Positive = 1
    """Epochs from one to the next."""
    steps_between_checkpoints: Limit = None
    """Steps from one to the next, instead of epochs; -1: by epochs."""
    type: Annotated[CheckpointType, NoEffect("dlio_benchmark does not use it either")] = CheckpointType.RANK_ZERO
    """Who writes."""
    checkpoint_mechanism_classname: Annotated[str | None, NoEffect("dlio_benchmark's classes are not loaded")] = None
    """Dotted name of a class for dlio_benchmark."""
    fsync: bool = False
    """A checkpoint is done when it is on stable storage."""
    time_between_checkpoints: Annotated[Duration, BeforeValidator(_minus_one_is_no_time)] = Duration()
    """Seconds of work before each, in a run of checkpoints alone; -1: none."""
    num_checkpoints_write: Limit = None
    """Checkpoints to write in a run of checkpoints alone."""
    num_checkpoints_read: Limit = None
    """Checkpoints to read in a run of checkpoints alone."""
    recovery_rank_shift: bool = False
    """Read what another rank wrote."""
    rank_sync: bool = False
    """A checkpoint takes as long as its slowest rank."""
    mode: CheckpointMode = CheckpointMode.DEFAULT
    """Whether all ranks of the model take part."""
    randomize_tensor: bool = True
    """Random contents, not ones."""
    ksm: Ksm | None = None
    """Merging of equal memory pages."""
    compression: str | None = None
    """How checkpoints are packed, such as zstd."""
    compression_level: Annotated[int, Field(ge=-7, le=22)] = 3
    """Effort of the packing."""
