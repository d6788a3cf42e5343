# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dlio_benchmark's older spellings, as MLPerf Storage v0.5 and v1.0 used them."""

from dl_driver.config.dialects.spelling import Key, Section, key

SECTIONS = (Section("data_reader", "reader"),)

_EXCLUDED = ("exclude_start_steps", "exclude_end_steps")
_EXCLUDED_PLACES = ("metric_", "metric.metric_", "metric.", "output.metric_", "train.metric_")

KEYS: tuple[Key, ...] = (
    key("model", "model.name"),
    key("dataset.record_length", "dataset.record_length_bytes"),
    key("dataset.record_length_stdev", "dataset.record_length_bytes_stdev"),
    key("dataset.record_length_resize", "dataset.record_length_bytes_resize"),
    key("model.model_size", "model.model_size_bytes"),
    key("model_size", "model.model_size_bytes"),
    key("checkpoint.model_size", "model.model_size_bytes"),
    key("checkpoint.model_size_bytes", "model.model_size_bytes"),
    *(key(f"{place}{name}", f"output.metric.{name}") for place in _EXCLUDED_PLACES for name in _EXCLUDED),
)
