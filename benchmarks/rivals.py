# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rivals are there, and why the others are not."""

import json
import shutil
from collections.abc import Mapping

from benchmarks.processes import ROOT

_REPORT = ROOT / ".venv-rivals" / "rivals.json"


RIVALS = ("torch", "s3dlio", "dlio", "tensorflow", "pyarrow", "obstore", "s3torchconnector", "fio")


def missing() -> Mapping[str, str]:
    """The reason for each rival that cannot take part."""
    reasons: dict[str, str] = {}
    installed = json.loads(_REPORT.read_text()) if _REPORT.exists() else {}
    for rival in RIVALS[:-1]:
        reason = installed.get(rival, "not installed: `make bench` installs the rivals")
        if reason is not None:
            reasons[rival] = reason
    if shutil.which("fio") is None:
        reasons["fio"] = "not installed: it is the package fio of Debian and others"
    return reasons
