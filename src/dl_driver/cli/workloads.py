# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``dl-driver workloads``: what comes with the program, and what each asks of storage."""

from typing import TYPE_CHECKING, Any

from dl_driver.cli.options import JsonOption
from dl_driver.cli.tables import render

if TYPE_CHECKING:
    from dl_driver.config import Workload

_HEADS = ("workload", "sample", "batch", "ms", "MiB/s", "AU", "format")
_LEGEND = """\
sample: bytes that training reads of it, the mean. ms: an accelerator's work on
a batch. MiB/s: what one accelerator that never waits takes. AU: the utilization
to reach. A dash: the workload does not train. --json tells more."""


def workloads(json: JsonOption = False) -> None:
    """List the bundled workloads and their demand per accelerator."""
    from dl_driver.config import bundled_names, load

    described = [_describe(name, load(name).workload) for name in bundled_names()]
    if json:
        from json import dumps

        print(dumps(described, indent=2))
        return
    print(render(_HEADS, [_row(one) for one in described], left=(0, len(_HEADS) - 1)))
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
    step_s, au = described["computation_time_seconds"], described["au_threshold"]
    return [
        described["workload"],
        _size(described["bytes_read_per_sample"]),
        _figure(described["batch_size"]),
        "-" if step_s is None else f"{step_s * 1e3:.4g}" if step_s >= 1e-3 else f"{step_s * 1e3:.2g}",
        _figure(described["MiB_per_second"]),
        "-" if au is None else f"{au:.0%}",
        described["format"] or ("checkpoints" if described["checkpoints_only"] else "-"),
    ]


def _size(count: float | None) -> str:
    from dl_driver.config.sizes import show_size

    return "-" if count is None else show_size(count, figures=3)


def _figure(value: float | None) -> str:
    """Two figures at least, and all of those before the point."""
    return "-" if value is None else f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
