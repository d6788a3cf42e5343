# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a workload's data lie."""

import os


def data_uri(data_folder: str, storage_root: str, *, direct: bool) -> str:
    """The data folder, joined to the storage root as dlio_benchmark does, as a URI. A folder that is a URI stays one;
    ``direct`` turns plain paths and file:// into direct://."""
    location = data_folder
    if "://" not in data_folder:
        location = os.path.join(storage_root, data_folder)
    scheme, separator, rest = location.partition("://")
    if not separator:
        return f"{'direct' if direct else 'file'}://{os.path.abspath(location)}"
    if scheme == "directio" or (scheme == "file" and direct):
        scheme = "direct"
    if scheme in ("file", "direct"):
        rest = os.path.abspath(rest)
    return f"{scheme}://{rest}"
