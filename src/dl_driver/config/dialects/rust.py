# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spellings of the Rust program of the same name, its framework profiles included."""

from typing import Any

from dl_driver.config.dialects.spelling import Dropped, Key, Section, key

_FRAMEWORKS = ("pytorch", "tensorflow", "jax")
_TRUE = (True, "true", "yes", "on")
_FALSE = (False, "false", "no", "off")
_DIRECT = ("direct_io", "direct", "odirect")
_BUFFERED = ("multi_threaded", "buffered", "sequential", "posix", "multi")


def shuffle(value: Any) -> str:
    """A yes or no: the same order for the same seed, or the plain order."""
    word = value.lower() if isinstance(value, str) else value
    if word in _TRUE:
        return "seed"
    if word in _FALSE:
        return "off"
    raise ValueError(f"expected true or false, found {value!r}")


def is_direct(value: Any) -> bool:
    """Whether files are to be opened past the page cache."""
    word = str(value).lower()
    if word not in _DIRECT + _BUFFERED:
        raise ValueError(f"expected {_DIRECT[0]} or {_BUFFERED[0]}, found {value!r}")
    return word in _DIRECT


def parallel_calls(value: Any) -> Any:
    """TensorFlow's -1 leaves the number to the program; 1 is the default here."""
    return 1 if value == -1 else value


SECTIONS: tuple[Section, ...] = (
    Section("checkpointing", "checkpoint"),
    *(Section(f"framework_profiles.{name}", f"{name}_config") for name in _FRAMEWORKS),
    *(Section(f"{name}_config", "profile", framework=name) for name in _FRAMEWORKS),
)

KEYS: tuple[Key, ...] = (
    key("model.framework", "framework"),
    key("reader.prefetch", "reader.prefetch_size"),
    key("reader.shuffle", "reader.file_shuffle", "reader.sample_shuffle", convert=shuffle),
    key("reader.compute_threads", "reader.computation_threads"),
    key("reader.seed", "train.seed"),
    key("reader.num_parallel_calls", "reader.computation_threads", convert=parallel_calls),
    key("reader.file_access_type", "reader.odirect", convert=is_direct),
    key("checkpoint.enabled", "workflow.checkpoint"),
    *(key(f"checkpoint.{name}", "checkpoint.checkpoint_folder") for name in ("uri", "folder", "path", "dir")),
    key("profile.batch_size", "reader.batch_size"),
    key("profile.num_workers", "reader.read_threads"),
    key("profile.prefetch_factor", "reader.prefetch_size"),
    key("profile.prefetch_buffer_size", "reader.prefetch_size"),
    key("profile.shuffle", "reader.file_shuffle", "reader.sample_shuffle", convert=shuffle),
    key("profile.shuffle_buffer_size", "reader.shuffle_size"),
    key("profile.seed", "train.seed"),
    key("profile.pin_memory", "reader.pin_memory"),
    key("profile.drop_last", "reader.drop_last"),
    key("profile.drop_remainder", "reader.drop_last"),
    key("profile.num_parallel_calls", "reader.computation_threads", convert=parallel_calls),
    key("profile.reshuffle_each_iteration", "train.seed_change_epoch"),
)

DROPPED: tuple[Dropped, ...] = (
    Dropped("profile.persistent_workers", "workers always live as long as the run"),
    Dropped("profile.return_type", "no framework receives the data"),
    Dropped("profile.distributed", "--accelerators says how many take part"),
    Dropped("profile.deterministic", "see reader.order"),
    Dropped("profile.writable", "no framework receives the data"),
)
