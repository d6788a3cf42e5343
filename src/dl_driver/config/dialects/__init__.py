# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Older and foreign spellings of a workload, and what they are called today. Each one is a row of a table."""
