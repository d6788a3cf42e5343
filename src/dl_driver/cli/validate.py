# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver validate``: check a workload and say what it is."""

from typing import TYPE_CHECKING, Annotated

import typer

from dl_driver.cli.options import ConfigArguments, ConfigOption, EnvFileOption, load_workload
from dl_driver.cli.tables import pairs

if TYPE_CHECKING:
    from dl_driver.config import LoadedWorkload, Workload


def validate(
    arguments: ConfigArguments = None,
    config: ConfigOption = None,
    env_file: EnvFileOption = None,
    to_json: Annotated[bool, typer.Option("--to-json", help="Print the composed workload as JSON.")] = False,
) -> None:
    """Check a workload and say what it is."""
    from dl_driver.storage import find_backend

    loaded = load_workload(arguments, config, env_file)
    find_backend(loaded.workload.data_uri)
    if to_json:
        from json import dumps

        from dl_driver.config.secrets import without_secrets

        print(dumps(without_secrets(loaded.composed), indent=2))
        return
    print(pairs(_facts(loaded)))


def _facts(loaded: "LoadedWorkload") -> list[tuple[str, str]]:
    from dl_driver.config.sizes import show_size
    from dl_driver.run.planning import plan_run

    workload = loaded.workload
    data, reader = workload.dataset, workload.reader
    facts = [
        ("workload", f"{workload.name} ({loaded.source})"),
        ("framework", workload.framework.value),
        ("phases", _phases(workload)),
    ]
    if not workload.workflow.train and not workload.workflow.generate_data:
        return [*facts, ("checkpoints", workload.checkpoint.checkpoint_folder)]
    plan = plan_run(workload)
    size = show_size(plan.train.payload_bytes)
    facts += [
        ("format", data.format.value),
        ("storage", workload.data_uri),
        ("training files", f"{data.num_files_train:,}, {_samples(data.num_samples_per_file)} each, {size} in all"),
        ("evaluation files", f"{data.num_files_eval:,}"),
        ("sample", f"{data.record_length_bytes:,.15g} bytes" if not data.record_dims else f"{data.record_dims}"),
        ("batch size", f"{reader.batch_size:,}"),
    ]
    if workload.workflow.train:
        facts += [
            ("epochs", f"{plan.epochs:,}"),
            ("steps an epoch", f"{plan.steps_per_epoch:,} on one accelerator"),
            ("compute a step", f"{workload.train.computation_time.mean_s:g} s"),
            ("target", f"{workload.metric.au:.0%} accelerator utilization"),
        ]
    return facts


def _samples(number: int) -> str:
    return f"{number:,} sample{'' if number == 1 else 's'}"


def _phases(workload: "Workload") -> str:
    flow = workload.workflow
    phases = {
        "generate": flow.generate_data,
        "train": flow.train,
        "evaluate": flow.train and flow.evaluation,
        "checkpoint": flow.checkpoint,
    }
    return ", ".join(name for name, wanted in phases.items() if wanted) or "none"
