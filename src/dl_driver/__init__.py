# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""dl-driver replays the I/O of AI training against a storage system."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dl_driver.loader import Batch, Loader, open_loader

__version__ = "0.7.0.dev0"
__all__ = ["Batch", "Loader", "__version__", "open_loader"]


def __getattr__(name: str) -> Any:
    """The loader's names, imported when first asked for, so that the commands start quickly."""
    if name in ("Batch", "Loader", "open_loader"):
        return getattr(import_module("dl_driver.loader"), name)
    raise AttributeError(f"module 'dl_driver' has no attribute {name!r}")
