# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the accelerators do, in training and in evaluation."""

from pydantic import model_validator

from dl_driver.config.duration import Duration, join_stdev
from dl_driver.config.sections.base import Count, NumberFromZero, Positive, PositiveLimit, Section


class Train(Section):
    """Training."""

    epochs: Positive = 1
    """Times that the data set is read."""
    computation_time: Duration = Duration()
    """Seconds an accelerator works on a batch."""
    computation_time_stdev: NumberFromZero | None = None
    """Its standard deviation."""
    total_training_steps: PositiveLimit = None
    """Most steps of an epoch; -1: no limit."""
    seed_change_epoch: bool = True
    """Another order in every epoch."""
    seed: Count = 123
    """What the order of a seeded shuffle derives from."""

    @model_validator(mode="before")
    @classmethod
    def _join_stdev(cls, data: object) -> object:
        return join_stdev(data, "computation_time")


class Evaluation(Section):
    """Evaluation between epochs."""

    eval_time: Duration = Duration()
    """Seconds an accelerator works on a batch."""
    eval_time_stdev: NumberFromZero | None = None
    """Its standard deviation."""
    eval_after_epoch: Positive = 1
    """The first epoch after which to evaluate."""
    epochs_between_evals: Positive = 1
    """Epochs from one evaluation to the next."""

    @model_validator(mode="before")
    @classmethod
    def _join_stdev(cls, data: object) -> object:
        return join_stdev(data, "eval_time")
