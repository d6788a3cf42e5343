# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""References within a workload: ``${dataset.num_files_train}``, ``${workload.train.epochs}``, ``${oc.env:HOME}``."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dl_driver.config.settings import Setting, overlay, tree
from dl_driver.errors import ConfigError, Problem

_MARK = "${"


def resolve(lower: Sequence[Setting], upper: Sequence[Setting]) -> tuple[list[Setting], list[Setting]]:
    """Both lists with every reference replaced by what it refers to once ``upper`` is laid over ``lower``."""
    together = overlay(lower, upper)
    if not any(_refers(setting.value) for setting in together):
        return list(lower), list(upper)
    from omegaconf import OmegaConf

    sections = tree(together)
    root = OmegaConf.create({**sections, "workload": sections})
    problems: list[Problem] = []

    def resolved(setting: Setting) -> Setting:
        if not _refers(setting.value) or setting not in together:
            return setting
        try:
            return replace(setting, value=_look_up(root, setting))
        except ValueError as error:
            problems.append(setting.problem(f"cannot resolve {setting.value!r}: {error}"))
            return setting

    result = [resolved(setting) for setting in lower], [resolved(setting) for setting in upper]
    if problems:
        raise ConfigError(problems)
    return result


def _refers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_refers(item) for item in value)
    if isinstance(value, dict):
        return any(_refers(item) for item in value.values())
    return isinstance(value, str) and _MARK in value


def _look_up(root: Any, setting: Setting) -> Any:
    """Raises ValueError with the reason."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        node = root
        for name in setting.path:
            node = node[name]
        return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        told = str(error).splitlines()[0].partition("raised while resolving interpolation: ")
        raise ValueError(told[2].strip('"') or told[0]) from error
