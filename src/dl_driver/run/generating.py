# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generation, as a phase of a run or alone."""

from dl_driver.config import Workload
from dl_driver.dataset.files import content_shape, evaluation_files, training_files
from dl_driver.dataset.generate import Generation, GenerationReport, generate
from dl_driver.dataset.work import Progress
from dl_driver.formats import get_format
from dl_driver.run.feeds import storage_settings


def generate_data_set(
    workload: Workload, *, skip_existing: bool, workers: int | None, progress: Progress
) -> GenerationReport:
    """Write the workload's training and evaluation files; raises ConfigError for a format that cannot be written.
    Of a format without files nothing is written."""
    splits = (training_files(workload), evaluation_files(workload))
    if not get_format(splits[0].format, splits[0].options).stored:
        return GenerationReport(0, 0, 0, 0.0)
    settings, seed = storage_settings(workload, 1), workload.train.seed
    generation = Generation(workload.data_uri, settings, splits, seed, content_shape(workload), skip_existing)
    return generate(generation, workers, progress)
