# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves behind and what it is judged by."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from dl_driver.config.sections.base import ONE_OR_MANY, Choice, Count, Fraction, NoEffect, Section, Text

_ALWAYS_MEASURED = "what a run measures is always in its results folder"


def _percent_is_fraction(value: object) -> object:
    """0.9 and 90 both say ninety percent."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        return value / 100
    return value


class OutputMetric(Section):
    """Which steps count."""

    exclude_start_steps: Count = 1
    """Steps at a block's start that do not count for utilization."""
    exclude_end_steps: Count = 0
    """The same at its end."""


class Output(Section):
    """Where results go."""

    folder: Text | None = None
    """The results folder; by default results/<workload>/<time>."""
    log_file: Text = "dlio.log"
    """Name of the log in it."""
    metric: OutputMetric = OutputMetric()
    """Which steps count."""


_UP_TO_100 = Field(json_schema_extra={"maximum": 100})
"""What editors are told, since a file may say it in percent."""


class Metric(Section):
    """What a run is judged by."""

    au: Annotated[Fraction, BeforeValidator(_percent_is_fraction), _UP_TO_100] = 0.90
    """Accelerator utilization to reach, as a fraction or in percent."""


class Profiler(Choice):
    """dlio_benchmark's profilers."""

    IOSTAT = "iostat"
    DARSHAN = "darshan"
    TENSORBOARD = "tensorboard"
    NONE = "none"


class Profiling(Section):
    """dlio_benchmark's profilers."""

    profiler: Annotated[Profiler, NoEffect(_ALWAYS_MEASURED)] = Profiler.IOSTAT
    """Which one."""
    iostat_devices: Annotated[tuple[str, ...], ONE_OR_MANY, NoEffect(_ALWAYS_MEASURED)] = ()
    """Block devices to watch."""
    profile_folder: Annotated[str | None, NoEffect(_ALWAYS_MEASURED)] = None
    """Where its files go."""
    iostat: Annotated[bool, NoEffect(_ALWAYS_MEASURED)] = False
    """Seen in published workloads."""
