# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures beside those of the rivals, measured in turns on the same machine and the same files."""
