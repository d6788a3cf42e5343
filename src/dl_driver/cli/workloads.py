# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver workloads``: what comes with the program, and what each asks of storage."""

from typing import TYPE_CHECKING, Any

from dl_driver.cli.options import JsonOption
from dl_driver.cli.tables import render

if TYPE_CHECKING:
    from dl_driver.config import Workload

_HEADS = (
    "workload",
    "format",
    "files",
    "per file",
    "sample bytes",
    "batch",
    "compute s",
    "samples/s",
    "MiB/s",
    "at AU",
)
_LEGEND = """\
samples/s and MiB/s: what one accelerator takes at 100 % utilization; at AU: MiB/s at the workload's threshold.
A Parquet sample counts the columns that training reads; - stands where nothing is trained."""


def workloads(json: JsonOption = False) -> None:
    """List the bundled workloads and their demand per accelerator."""
    from dl_driver.config import bundled_names, load

    described = [_describe(name, load(name).workload) for name in bundled_names()]
    if json:
        from json import dumps

        print(dumps(described, indent=2))
        return
    print(render(_HEADS, [_row(one) for one in described], left=2))
    print(f"\n{_LEGEND}")


def _describe(name: str, workload: "Workload") -> dict[str, Any]:
    from dl_driver.config.demand import bytes_per_sample, demand

    data, wanted = workload.dataset, demand(workload)
    reads = wanted is not None or workload.workflow.generate_data
    return {
        "workload": name,
        "framework": workload.framework.value,
        "format": data.format.value if reads else None,
        "num_files_train": data.num_files_train if reads else None,
        "num_samples_per_file": data.num_samples_per_file if reads else None,
        "record_length_bytes": data.record_length_bytes if reads else None,
        "bytes_read_per_sample": bytes_per_sample(data) if reads else None,
        "batch_size": workload.reader.batch_size if wanted else None,
        "computation_time_seconds": workload.train.computation_time.mean_s if wanted else None,
        "au_threshold": workload.metric.au if wanted else None,
        "samples_per_second": wanted.samples_per_second if wanted else None,
        "MiB_per_second": wanted.mib_per_second if wanted else None,
        "MiB_per_second_at_au": wanted.at(workload.metric.au).mib_per_second if wanted else None,
        "checkpoints_only": workload.workflow.checkpoint and not workload.workflow.train,
    }


def _row(described: dict[str, Any]) -> list[str]:
    return [
        described["workload"],
        described["format"] or ("checkpoints" if described["checkpoints_only"] else "-"),
        _number(described["num_files_train"]),
        _number(described["num_samples_per_file"]),
        _number(described["bytes_read_per_sample"]),
        _number(described["batch_size"]),
        "-" if described["computation_time_seconds"] is None else f"{described['computation_time_seconds']:g}",
        _number(described["samples_per_second"], 2),
        _number(described["MiB_per_second"], 1),
        _number(described["MiB_per_second_at_au"], 1),
    ]


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
