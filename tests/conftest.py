# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

pytest_plugins = ["dl_driver.testing.fixtures"]
