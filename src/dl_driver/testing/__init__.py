# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of a storage client need: real servers, a proxy that breaks their answers, conformance classes.

Each module stands alone; nothing is imported from here, so that a program pays only for what it uses.
"""
