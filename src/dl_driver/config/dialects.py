# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Older spellings: dlio_benchmark v0.5's and the Rust dl-driver's, mapped to today's keys.

Each mapping is a row of a table; a workload that uses both spellings with different values is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dl_driver.errors import Problem

_Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _shuffle(value: Any) -> Any:
    return "seed" if value is True else "off" if value is False else value


def _direct(value: Any) -> Any:
    return value == "direct_io"


@dataclass(frozen=True, slots=True)
class Renamed:
    """An old key, today's (None: nothing here corresponds), and the conversion of its value."""

    old: str
    new: str | None
    convert: _Convert = _same


TABLE = (
    Renamed("data_reader", "reader"),
    Renamed("dataset.record_length", "dataset.record_length_bytes"),
    Renamed("dataset.record_length_stdev", "dataset.record_length_bytes_stdev"),
    Renamed("dataset.record_length_resize", "dataset.record_length_bytes_resize"),
    Renamed("model.model_size", "model.model_size_bytes"),
    Renamed("model.framework", "framework"),
    Renamed("checkpoint.model_size", "model.model_size_bytes"),
    Renamed("metric_exclude_start_steps", "output.metric.exclude_start_steps"),
    Renamed("metric_exclude_end_steps", "output.metric.exclude_end_steps"),
    Renamed("metric.exclude_start_steps", "output.metric.exclude_start_steps"),
    Renamed("metric.exclude_end_steps", "output.metric.exclude_end_steps"),
    Renamed("metric.metric_exclude_start_steps", "output.metric.exclude_start_steps"),
    Renamed("metric.metric_exclude_end_steps", "output.metric.exclude_end_steps"),
    Renamed("reader.prefetch", "reader.prefetch_size"),
    Renamed("reader.compute_threads", "reader.computation_threads"),
    Renamed("reader.shuffle", "reader.sample_shuffle", _shuffle),
    Renamed("reader.seed", "train.seed"),
    Renamed("reader.file_access_type", "reader.odirect", _direct),
    Renamed("reader.num_parallel_calls", None),
    Renamed("checkpoint.enabled", "workflow.checkpoint"),
    Renamed("checkpoint.uri", "checkpoint.checkpoint_folder"),
    Renamed("checkpoint.folder", "checkpoint.checkpoint_folder"),
    Renamed("checkpoint.path", "checkpoint.checkpoint_folder"),
    Renamed("checkpoint.dir", "checkpoint.checkpoint_folder"),
    Renamed("checkpointing", "checkpoint"),
    Renamed("profiling.profile_folder", None),
    Renamed("profiling.iostat", None),
    Renamed("pytorch_config", None),
    Renamed("tensorflow_config", None),
    Renamed("jax_config", None),
    Renamed("framework_profiles", None),
)


def translate(content: dict[str, Any]) -> tuple[list[str], list[Problem], dict[str, str]]:
    """Change ``content`` to today's keys. Returns warnings, conflicts, and the old key of each new one."""
    warnings: list[str] = []
    problems: list[Problem] = []
    renamed: dict[str, str] = {}
    if isinstance(content.get("model"), str):
        content["model"] = {"name": content["model"]}
    if isinstance(content.get("framework"), str):
        content["framework"] = content["framework"].lower()
    for row in TABLE:
        parent, last = _find(content, row.old)
        if parent is None or last not in parent:
            continue
        value = parent.pop(last)
        if row.new is None:
            warnings.append(f"{row.old} has no effect here")
            continue
        _move(content, row, row.convert(value), problems)
        renamed[row.new] = row.old
    return warnings, problems, renamed


def _find(content: dict[str, Any], path: str) -> tuple[dict[str, Any] | None, str]:
    *parents, last = path.split(".")
    at: Any = content
    for parent in parents:
        at = at.get(parent) if isinstance(at, dict) else None
    return (at if isinstance(at, dict) else None), last


def _move(content: dict[str, Any], row: Renamed, value: Any, problems: list[Problem]) -> None:
    assert row.new is not None
    *parents, last = row.new.split(".")
    at: dict[str, Any] = content
    for parent in parents:
        below = at.get(parent)
        if not isinstance(below, dict):
            below = at[parent] = {}
        at = below
    present = at.get(last)
    if isinstance(present, Mapping) and isinstance(value, Mapping):
        for key, item in value.items():
            _merge(at[last], key, item, row, problems)
    else:
        _merge(at, last, value, row, problems)


def _merge(at: dict[str, Any], key: str, value: Any, row: Renamed, problems: list[Problem]) -> None:
    if key in at and at[key] != value:
        problems.append(Problem(row.old, f"is an older spelling of {row.new}, which is set to another value; keep one"))
    at.setdefault(key, value)
