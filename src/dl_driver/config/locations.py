# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the data set lies, as one URI.

dlio_benchmark says it in four keys: the kind of storage, its root, the data folder, and whether to read past the page
cache. A data folder that is a URI already says it all.
"""

import os

from dl_driver.config.sections.storage import Storage, StorageType, UriScheme

_SEPARATOR = "://"
_SAME_SCHEME = {"directio": "direct"}
_SPECIAL = "%?#"
_FILE_SCHEMES = ("file", "direct")
_OBJECT_SCHEMES = {StorageType.S3: "s3", StorageType.AISTORE: "ais"}


def data_uri(folder: str, storage: Storage, *, direct: bool) -> str:
    """The data folder within its storage's root, as ``scheme://...`` without a slash at the end."""
    place = folder if has_scheme(folder) else _join(storage.storage_root, folder)
    if has_scheme(place):
        return _tidy(place)
    asked = storage.storage_options.uri_scheme
    if direct or storage.storage_type is StorageType.DIRECT_FS:
        asked = UriScheme.DIRECT
    scheme = str(asked or _OBJECT_SCHEMES.get(storage.storage_type, "file"))
    if scheme in _FILE_SCHEMES:
        return f"{scheme}{_SEPARATOR}{_escaped(os.path.abspath(os.path.expanduser(place)))}"
    return _tidy(f"{scheme}{_SEPARATOR}{place.removeprefix('./').lstrip('/')}")


def has_scheme(place: str) -> bool:
    """Whether this is a URI, not a path."""
    scheme, separator, _ = place.partition(_SEPARATOR)
    return bool(separator) and scheme.isalnum()


def _join(root: str, folder: str) -> str:
    if not has_scheme(root):
        return os.path.join(root, folder)
    scheme, _, rest = root.partition(_SEPARATOR)
    head, mark, query = rest.partition("?")
    return f"{scheme}{_SEPARATOR}{head.rstrip('/')}/{folder.removeprefix('./').lstrip('/')}{mark}{query}"


def _escaped(path: str) -> str:
    """What would mean something else in a URI, as its number."""
    return "".join(f"%{ord(letter):02X}" if letter in _SPECIAL else letter for letter in path)


def _tidy(uri: str) -> str:
    """The scheme as this program names it; a path absolute, where the scheme has paths."""
    scheme, _, rest = uri.partition(_SEPARATOR)
    scheme = _SAME_SCHEME.get(scheme.lower(), scheme.lower())
    head, mark, query = rest.partition("?")
    head = os.path.abspath(os.path.expanduser(head)) if scheme in _FILE_SCHEMES else head.rstrip("/")
    return f"{scheme}{_SEPARATOR}{head}{mark}{query}"
