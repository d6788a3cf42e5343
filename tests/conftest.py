# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import signal

pytest_plugins = ["dl_driver.testing.fixtures"]


def pytest_configure() -> None:
    """Requests to stop act as in a user's shell, even where nohup or a background job had them ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
