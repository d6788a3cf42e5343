# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m dl_driver`` is ``dl-driver``."""

from dl_driver.cli.main import main

if __name__ == "__main__":
    main()
