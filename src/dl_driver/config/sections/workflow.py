# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does, and the framework that it stands for."""

from typing import Annotated

from dl_driver.config.sections.base import Choice, NoEffect, Section


class Framework(Choice):
    """The framework whose I/O is replayed."""

    TENSORFLOW = "tensorflow"
    PYTORCH = "pytorch"
    JAX = "jax"


class Workflow(Section):
    """Which phases a run has."""

    generate_data: bool = False
    """Write the data set first."""
    train: bool = True
    """Read the data set as a training does."""
    evaluation: bool = False
    """Read the evaluation files after epochs."""
    checkpoint: Annotated[bool, NoEffect("this version writes and reads no checkpoints")] = False
    """Write checkpoints; without training: write and read checkpoints alone."""
    profiling: Annotated[bool, NoEffect("what a run measures is always in its results folder")] = False
    """dlio_benchmark's profilers."""
    query: Annotated[str | None, NoEffect("only dlio_benchmark_query reads it")] = None
    """A key to print."""
    debug: Annotated[bool, NoEffect("nothing reads it, dlio_benchmark included")] = False
    """Seen in published workloads."""
