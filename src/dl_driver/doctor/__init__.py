# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine and a storage can do, found out by trying: each examination returns findings and prints nothing."""
