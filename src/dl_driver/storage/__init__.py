# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage backends, one a URI scheme."""

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from dl_driver.errors import StorageError
from dl_driver.storage.base import Storage, StorageSettings

_ENTRY_POINTS = "dl_driver.storage"
_WAYS = {
    "ais": "; AIStore is reached by its S3 interface: storage.storage_type=s3, and"
    " storage.storage_options.endpoint_url=http://GATEWAY:PORT/s3",
}
"""For a scheme without a backend: another way to the same data."""


def open_storage(uri: str, settings: StorageSettings | None = None) -> Storage:
    """The storage behind a URI such as ``file:///data``; raises StorageError for a scheme that no backend serves."""
    return cast(Storage, find_backend(uri).load()(uri, settings or StorageSettings()))


def find_backend(uri: str) -> EntryPoint:
    """What serves the URI's scheme; raises StorageError where nothing does."""
    scheme, separator, _ = uri.partition("://")
    if not separator:
        raise StorageError(f"{uri!r} is no URI: expected scheme://path, such as file:///data")
    known = {entry.name: entry for entry in entry_points(group=_ENTRY_POINTS)}
    if scheme not in known:
        names = ", ".join(f"{name}://" for name in sorted(known))
        raise StorageError(f"{uri}: no storage backend for {scheme}://; there are {names}{_WAYS.get(scheme, '')}")
    return known[scheme]
