# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that every implementation of an interface has to pass; subclass them, here or in a package of your own.

They need pytest, which is not installed with dl-driver.
"""
