# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads: schema, loading, overrides and older spellings."""

from dl_driver.config.duration import Duration
from dl_driver.config.loading import LoadedWorkload, bundled_names, load
from dl_driver.config.schema import Shuffle, Workload

__all__ = ["Duration", "LoadedWorkload", "Shuffle", "Workload", "bundled_names", "load"]
