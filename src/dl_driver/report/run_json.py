# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""run.json: what ran, on what, and how it was read. Secrets never get here."""

import json
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version

from dl_driver import __version__
from dl_driver.config.secrets import without_secrets
from dl_driver.metrics.record import RunRecord
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.stages import StageTimes
from dl_driver.report.summary import Summary

_PACKAGES = ("numpy", "pydantic", "hydra-core", "pyarrow", "isal")


def run_json(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> str:
    """The file's text."""
    content = {
        "schema_version": 1,
        "run_id": record.run_id,
        "versions": {"dl_driver": __version__, "python": record.host.python, "kernel": record.host.kernel}
        | {name: _version(name) for name in _PACKAGES},
        "workload": facts.source,
        "config": without_secrets(facts.composed),
        "config_sha256": facts.config_hash,
        "host": {
            "hostname": record.host.hostname,
            "cpu_count": record.host.cpu_count,
            "processor": record.host.cpuinfo.get("model name"),
            "memory_bytes": record.host.memory_bytes,
        },
        "loader": {name: getattr(record.loader, name) for name in record.loader.__slots__},
        "clock": dict(record.clock),
        "accelerators": record.accelerators,
        "start": record.start.isoformat(),
        "end": record.end.isoformat(),
        "duration_s": record.duration_ns / 1e9,
        "peak_memory_bytes": record.peak_memory_bytes,
        "samples": summary.samples,
        "bytes": summary.bytes,
        "decode_s": summary.shares.decode_s if summary.shares else None,
        "stages": {
            "format": facts.format,
            "train": _stages(summary.training_stages),
            "eval": _stages(summary.evaluation_stages),
        },
        "held_by": summary.held_by.value if summary.held_by else None,
        "access_order": {"first": list(record.access_order.first), "blake2b_128": record.access_order.digest}
        if record.access_order
        else None,
        "partial": record.partial,
        "warnings": list(record.warnings),
    }
    return json.dumps(without_secrets(content), indent=2) + "\n"


def _stages(times: StageTimes | None) -> dict[str, float | None] | None:
    return None if times is None else asdict(times)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
