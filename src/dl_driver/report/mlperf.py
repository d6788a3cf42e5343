# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The MLPerf-style report, JSON or CSV: the Rust dl-driver's keys in their order, then what it lacked.

It reports figures in MLPerf Storage's terms; it is no MLPerf result.
"""

import csv
import io
import json
from dataclasses import fields
from typing import Any

from dl_driver import __version__
from dl_driver.metrics.histogram import Histogram
from dl_driver.metrics.record import RunRecord
from dl_driver.report.facts import WorkloadFacts
from dl_driver.report.stages import StageTimes
from dl_driver.report.summary import Summary

_BACKENDS = {"direct": "directio", "az": "azure"}
_PERCENTILES = (50, 95, 99)


def report_json(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> str:
    """Pretty JSON."""
    return json.dumps(_report(record, summary, facts), indent=2) + "\n"


def report_csv(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> str:
    """A header and one row; an empty cell where nothing was measured."""
    report = _report(record, summary, facts)
    first = [key for key in report if key in _CSV_FIRST]
    rest = [key for key, value in report.items() if key not in _CSV_FIRST and not isinstance(value, (dict, list))]
    keys = sorted(first, key=_CSV_FIRST.index) + rest
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    writer.writerow(["" if report[key] is None else report[key] for key in keys])
    return text.getvalue()


def _report(record: RunRecord, summary: Summary, facts: WorkloadFacts) -> dict[str, Any]:
    scheme = facts.data_uri.partition("://")[0]
    latencies, seconds = record.latencies, summary.training_s
    phase = summary.training or summary.evaluation
    order = record.access_order
    return {
        "benchmark_name": facts.name,
        "backend_type": _BACKENDS.get(scheme, scheme),
        "framework": facts.framework,
        "total_samples": summary.samples,
        "total_bytes": summary.bytes,
        "throughput_samples_per_sec": summary.samples / seconds if seconds else None,
        **_milliseconds("", latencies.batch),
        **_milliseconds("io_", latencies.read),
        **_milliseconds("decode_", latencies.decode),
        **_milliseconds("h2d_", latencies.device),
        "seed": facts.seed,
        "data_folder": facts.data_uri,
        "format": facts.format,
        "batch_size": facts.batch_size,
        "read_threads": facts.read_threads,
        "shuffle": facts.shuffle,
        "dl_driver_version": __version__,
        "s3dlio_version": None,
        "total_execution_time_secs": record.duration_ns / 1e9,
        "access_order_sample": list(order.first) if order else [],
        "schema_version": 1,
        "access_order_digest": order.digest if order else None,
        "accelerators": record.accelerators,
        "total_files": facts.num_files_train,
        "total_files_processed": record.files_read,
        "total_samples_processed": summary.samples,
        "total_bytes_read": summary.bytes,
        "total_batches": summary.batches,
        "epochs_completed": len(record.epochs),
        "bytes_per_sec": summary.bytes / seconds if seconds else None,
        "throughput_files_per_sec": record.files_read / seconds if seconds else None,
        "au_fraction": phase.au_mean / 100 if phase and phase.au_mean is not None else None,
        "au_threshold": facts.au_threshold,
        "au_met": summary.target_met,
        **_milliseconds("ttfb_", latencies.first_byte),
        "memory_usage_mb": None if record.peak_memory_bytes is None else record.peak_memory_bytes / 1e6,
        "visited_items_sample": list(order.first) if order else [],
        "held_by": summary.held_by.value if summary.held_by else None,
        "workers": record.loader.workers,
        **_stages(summary.stages),
        "engine": record.loader.engine,
        "direct_fallbacks": record.loader.fallbacks,
        "requests": record.loader.requests,
        "requests_retried": sum(record.loader.retries.values()),
        "retries": dict(record.loader.retries),
        "reads_handed_over": record.loader.handed_over,
        "errors": record.errors,
        "partial": record.partial,
        "config_hash": facts.config_hash,
        "host": {
            "hostname": record.host.hostname,
            "cpu_count": record.host.cpu_count,
            "memory_bytes": record.host.memory_bytes,
            "kernel": record.host.kernel,
            "python": record.host.python,
        },
    }


def _stages(times: StageTimes | None) -> dict[str, float | None]:
    """Seconds of each stage, as ``stage_decode_secs``."""
    return {
        f"stage_{field.name.removesuffix('_s')}_secs": None if times is None else getattr(times, field.name)
        for field in fields(StageTimes)
    }


def _milliseconds(prefix: str, histogram: Histogram | None) -> dict[str, float | None]:
    values = {percent: histogram.percentile(percent) if histogram else None for percent in _PERCENTILES}
    return {f"{prefix}p{percent}_latency_ms": None if ns is None else ns / 1e6 for percent, ns in values.items()}


_CSV_FIRST = (
    "benchmark_name", "backend_type", "framework", "total_samples", "total_bytes", "throughput_samples_per_sec",
    "p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "io_p50_latency_ms", "io_p95_latency_ms",
    "io_p99_latency_ms", "decode_p50_latency_ms", "decode_p95_latency_ms", "decode_p99_latency_ms",
    "h2d_p50_latency_ms", "h2d_p95_latency_ms", "h2d_p99_latency_ms", "batch_size", "read_threads", "shuffle",
    "data_folder", "dl_driver_version", "s3dlio_version",
)  # fmt: skip
