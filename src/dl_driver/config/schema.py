# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A workload as a whole: dlio_benchmark's sections and keys, with ranges and choices enforced.

Pydantic stands at the configuration's edge alone; what is read here is frozen and passed on as it is.
"""

from collections.abc import Mapping

from pydantic import model_validator

from dl_driver.config.locations import data_uri
from dl_driver.config.sections.base import Section
from dl_driver.config.sections.checkpoint import Checkpoint
from dl_driver.config.sections.dataset import Dataset
from dl_driver.config.sections.model import Model
from dl_driver.config.sections.output import Metric, Output, Profiling
from dl_driver.config.sections.reader import Reader
from dl_driver.config.sections.storage import Storage
from dl_driver.config.sections.train import Evaluation, Train
from dl_driver.config.sections.workflow import Framework, Workflow


class Workload(Section):
    """What to replay: a data set, how it is read, what the accelerators do with it."""

    framework: Framework = Framework.TENSORFLOW
    """The framework whose I/O is replayed."""
    workflow: Workflow = Workflow()
    """Which phases a run has."""
    model: Model = Model()
    """The model that is trained."""
    dataset: Dataset = Dataset()
    """The data set."""
    reader: Reader = Reader()
    """How the data set is read."""
    train: Train = Train()
    """Training."""
    evaluation: Evaluation = Evaluation()
    """Evaluation between epochs."""
    checkpoint: Checkpoint = Checkpoint()
    """Checkpoints."""
    output: Output = Output()
    """Where results go."""
    metric: Metric = Metric()
    """What a run is judged by."""
    profiling: Profiling = Profiling()
    """dlio_benchmark's profilers."""
    storage: Storage = Storage()
    """The storage that is measured."""

    @model_validator(mode="before")
    @classmethod
    def _framework_of_loader(cls, data: object) -> object:
        """A loader that only one framework has names the framework, where nothing else does."""
        if not isinstance(data, Mapping) or "framework" in data or not isinstance(data.get("reader"), Mapping):
            return data
        loader = str(data["reader"].get("data_loader")).lower()
        return {**data, "framework": loader} if loader in list(Framework) else data

    @property
    def name(self) -> str:
        """The model's name, which names the workload too."""
        return self.model.name

    @property
    def data_uri(self) -> str:
        """Where the data set lies, with its scheme, such as ``file:///data``."""
        return data_uri(self.dataset.data_folder, self.storage, direct=self.reader.odirect)
