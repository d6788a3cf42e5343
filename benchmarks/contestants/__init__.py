# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that read a data set when told to. Each runs in its own process and environment; see serve.py."""
