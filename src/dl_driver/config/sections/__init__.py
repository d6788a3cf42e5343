# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sections of a workload file, one module each; a section's docstrings are its keys' documentation."""
