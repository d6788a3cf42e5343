# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers read and decode into shared memory; batches come out in order or as they complete."""

from dl_driver.loader.batch import Batch, Sample
from dl_driver.loader.loader import Loader, open_loader

__all__ = ["Batch", "Loader", "Sample", "open_loader"]
