# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``file://``: local files through the page cache."""

from dl_driver.storage.local import LocalStorage


class FileStorage(LocalStorage):
    """Files, buffered by the kernel as any program's."""
