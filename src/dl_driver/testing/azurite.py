# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azurite, Microsoft's own emulator of Azure Blob Storage (npm: azurite)."""

import base64
import hashlib
import hmac
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path

from dl_driver.testing.guard import Bounds, ServerMissingError, free_port, guarded, work_folder
from dl_driver.testing.requests import accepts, answers, call

FOLDER_VARIABLE = "DL_DRIVER_AZURITE"
"""Names the folder in which npm installed azurite; by default build/azurite below the current folder."""
_VERSION = "2021-12-02"
_NODE_HEAP_MIB = 1024


@dataclass(frozen=True, slots=True)
class AzureServer:
    """Where it answers and whom it lets in."""

    endpoint_url: str
    """With the account as the first part of the path, as emulators have it."""
    account: str
    account_key: str
    """Base64."""

    def make_container(self, name: str) -> None:
        """Make an empty container."""
        call(self._signed_put(name))

    def _signed_put(self, name: str) -> urllib.request.Request:
        """A request by Shared Key; the account stands twice in the resource, once as the emulator's path."""
        date = formatdate(usegmt=True)
        headers = f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
        resource = f"/{self.account}/{self.account}/{name}\nrestype:container"
        text = "PUT" + "\n" * 12 + headers + resource
        digest = hmac.digest(base64.b64decode(self.account_key), text.encode(), hashlib.sha256)
        signature = base64.b64encode(digest).decode()
        return urllib.request.Request(
            f"{self.endpoint_url}/{name}?restype=container",
            method="PUT",
            headers={
                "x-ms-date": date,
                "x-ms-version": _VERSION,
                "Authorization": f"SharedKey {self.account}:{signature}",
            },
        )


def find_azurite() -> tuple[str, str]:
    """Node and Azurite's program for blobs. Raises ServerMissingError."""
    node = shutil.which("node")
    if node is None:
        raise ServerMissingError("Azurite needs Node.js, which is not installed; install node and npm")
    folder = Path(os.environ.get(FOLDER_VARIABLE, "build/azurite")).absolute()
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    if program.exists():
        return node, str(program)
    installed = shutil.which("azurite-blob")
    if installed is None:
        raise ServerMissingError(f"Azurite is not installed; npm install --prefix {folder} azurite@3 (or make servers)")
    return node, installed


@contextmanager
def azurite(
    account: str = "tests",
    account_key: str | None = None,
    *,
    certificate: tuple[str | Path, str | Path] | None = None,
    bounds: Bounds | None = None,
) -> Iterator[AzureServer]:
    """A running server with one account. With ``certificate`` (chain and key, PEM) it speaks TLS and takes bearer
    tokens, whose claims it looks at and whose signature it does not. Raises ServerMissingError, ServerError."""
    node, program = find_azurite()
    key = account_key or base64.b64encode(hashlib.sha512(account.encode()).digest()).decode()
    with work_folder("azurite") as folder:
        port = free_port()
        arguments = [
            node, f"--max-old-space-size={_NODE_HEAP_MIB}", program, "--silent", "--skipApiVersionCheck",
            "--disableTelemetry", "--location", str(folder / "data"),
            "--blobHost", "127.0.0.1", "--blobPort", str(port),
        ]  # fmt: skip
        scheme = "http"
        if certificate is not None:
            chain, secret = (str(Path(path).absolute()) for path in certificate)
            arguments += ["--oauth", "basic", "--cert", chain, "--key", secret]
            scheme = "https"
        accounts = {"AZURITE_ACCOUNTS": f"{account}:{key}"}
        endpoint = f"{scheme}://127.0.0.1:{port}/{account}"
        # What it answers on a TLS port in plain HTTP is none, but that it accepts a connection tells that it is up.
        ready = partial(answers, endpoint) if certificate is None else partial(accepts, port)
        with guarded(arguments, folder, ready, environment=accounts, bounds=bounds):
            yield AzureServer(endpoint, account, key)
