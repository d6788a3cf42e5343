# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting one object a request, several at the same time: what every store, emulator and kind of credential knows."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from dl_driver.errors import NotFoundError

_PARALLEL = 8


def delete_each(delete: Callable[[str], None], keys: Iterable[str]) -> None:
    """Those that do not exist are no error; the first other StorageError is raised."""

    def one(key: str) -> None:
        try:
            delete(key)
        except NotFoundError:
            return

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="dl-driver-delete") as threads:
        for _ in threads.map(one, keys):
            pass
