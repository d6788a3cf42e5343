# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Azure account is meant, where it answers and who asks: the workload, else the environment.

``access_key_id`` is the account, ``secret_access_key`` its key, ``session_token`` a SAS or a bearer token.
"""

import base64
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dl_driver.errors import StorageError
from dl_driver.storage.cloud import first_variable, is_true
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.storage.shared_key import decode_key

_SCOPE = "https://storage.azure.com/.default"
_SUFFIX = "core.windows.net"
_EMULATOR = ("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1")
# Published with the emulator, the same everywhere.
_EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_SAS = re.compile(r"(?:^|[?&])sig=")
_WAYS = (
    "set AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING (an --env-file can), or"
    " storage.storage_options.secret_access_key; for a public container set storage.storage_options.anonymous"
)


@dataclass(frozen=True, slots=True)
class Proof:
    """How a request shows who asks: at most one is set; none means without credentials. Its text shows no secret."""

    key: bytes | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)
    """A query, without the question mark."""
    token: Callable[[], str] | None = field(default=None, repr=False)
    """Asked from time to time; renews what is about to expire."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the workload and the environment say of an account, before a URI was looked at."""

    name: str | None
    endpoints: tuple[str, ...]
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    """A SAS or a bearer token."""

    def endpoint_urls(self, name: str) -> tuple[str, ...]:
        """With the account in the host's name or, for servers without names of their own, in the path."""
        if not self.endpoints:
            return (f"https://{name}.blob.{_SUFFIX}",)
        return tuple(_with_account(url, name) for url in self.endpoints)

    def proof(self, uri: str, name: str, options: ObjectStoreOptions) -> Proof:
        """Raises StorageError where nothing says who asks."""
        if options.anonymous or is_true(first_variable("AZURE_SKIP_SIGNATURE")):
            return Proof()
        if self.key:
            return Proof(key=decode_key(name, self.key))
        if self.token and _SAS.search(self.token):
            return Proof(sas=_tidy_sas(self.token))
        if self.token:
            fixed = self.token
            return Proof(token=lambda: fixed)
        return Proof(token=_from_identity(uri))


def find_account(options: ObjectStoreOptions) -> Account:
    """From the workload, else from the environment, a connection string's parts last. Raises StorageError."""
    parts = _connection_string()
    own = options.secret_access_key or options.session_token
    if own:
        key, token = options.secret_access_key, options.session_token
    else:
        key = first_variable(
            "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_KEY",
            "AZURE_STORAGE_MASTER_KEY", "AZURE_BLOB_KEY",
        )  # fmt: skip
        token = first_variable("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_TOKEN")
        if not (key or token):
            key, token = parts.get("AccountKey"), parts.get("SharedAccessSignature")
    name = options.access_key_id or first_variable(
        "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT", "AZURE_BLOB_ACCOUNT"
    )
    endpoints = options.endpoint_urls or _endpoints_of_environment()
    return Account(name or parts.get("AccountName"), endpoints or _endpoints_of(parts), key, token)


def split_az_uri(uri: str, account: str | None) -> tuple[str, str, str]:
    """Account, container and prefix (empty, or with a slash at its end). The URI's first part is the container where
    the account is known and has another name. Raises StorageError."""
    parts = [unquote(part) for part in uri.partition("://")[2].strip("/").split("/") if part]
    if parts and (account is None or parts[0] == account):
        account, *parts = parts
    container = parts[0] if parts else first_variable("AZURE_BLOB_CONTAINER", "AZURE_CONTAINER_NAME")
    if not account or not container:
        raise StorageError(
            f"{uri}: expected az://account/container/prefix, or az://container/prefix with the account in"
            " AZURE_STORAGE_ACCOUNT_NAME or storage.storage_options.access_key_id"
        )
    prefix = "/".join(parts[1:])
    return account, container, f"{prefix}/" if prefix else ""


def who_has(token: str) -> str:
    """Whom a bearer token names, from its claims; the token itself is not shown."""
    claims = _claims(token)
    named = next((claims[name] for name in ("upn", "unique_name", "appid", "oid", "sub") if claims.get(name)), None)
    return f"{named}, by a bearer token" if named else "somebody with a bearer token"


def end_of_token(token: str) -> str | None:
    """When a bearer token ends, as it says."""
    seconds = _claims(token).get("exp")
    return None if not isinstance(seconds, int) else datetime.fromtimestamp(seconds, UTC).isoformat()


def _claims(token: str) -> dict[str, Any]:
    """What a bearer token says of itself; nothing where it is not of the kind that does."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def expiry_of(sas: str) -> str | None:
    """When a SAS ends, as it says."""
    return dict(parse_qsl(sas)).get("se")


def _with_account(url: str, name: str) -> str:
    parts = urlsplit(url)
    url = url.rstrip("/")
    host = parts.hostname or ""
    in_path = parts.path.strip("/").split("/")[-1] == name
    return url if in_path or host.split(".")[0] == name or not _is_bare(host) else f"{url}/{name}"


def _is_bare(host: str) -> bool:
    """Whether a host has no name that could hold the account's."""
    if "." not in host:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _endpoints_of_environment() -> tuple[str, ...]:
    found = first_variable("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT_URL", "AZURE_BLOB_ENDPOINT_URL")
    return tuple(url.strip() for url in (found or "").split(",") if url.strip())


def _endpoints_of(parts: dict[str, str]) -> tuple[str, ...]:
    if "BlobEndpoint" in parts:
        return (parts["BlobEndpoint"],)
    if "EndpointSuffix" in parts and "AccountName" in parts:
        scheme = parts.get("DefaultEndpointsProtocol", "https")
        return (f"{scheme}://{parts['AccountName']}.blob.{parts['EndpointSuffix']}",)
    return ()


def _connection_string() -> dict[str, str]:
    text = first_variable("AZURE_STORAGE_CONNECTION_STRING") or ""
    if not text and is_true(first_variable("AZURE_STORAGE_USE_EMULATOR")):
        text = "UseDevelopmentStorage=true"
    parts = {name: value for name, mark, value in (item.partition("=") for item in text.split(";")) if mark}
    if is_true(parts.get("UseDevelopmentStorage")):
        name, endpoint = _EMULATOR
        return {"AccountName": name, "AccountKey": _EMULATOR_KEY, "BlobEndpoint": endpoint}
    if text and not parts:
        raise StorageError(
            "AZURE_STORAGE_CONNECTION_STRING is no connection string: expected AccountName=...;AccountKey=...;..."
        )
    return parts


def _tidy_sas(sas: str) -> str:
    return sas.strip().lstrip("?&")


def _from_identity(uri: str) -> Callable[[], str]:
    """What Azure's own chain finds: variables, workload and managed identities, the az command (an optional extra)."""
    try:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise StorageError(
            f"{uri}: no credentials were found; Azure's own chain needs azure-identity (pip install"
            f" 'dl-driver[azure]'), or {_WAYS}"
        ) from None
    # What it tried, and why in vain, it logs as a warning of many lines; the error below says what to do.
    logging.getLogger("azure.identity").addHandler(logging.NullHandler())
    chain = DefaultAzureCredential()

    def current() -> str:
        try:
            return str(chain.get_token(_SCOPE).token)  # keeps it, and renews one that is about to expire
        except ClientAuthenticationError as error:
            first = str(error).strip().split("\n", 1)[0]
            raise StorageError(f"{uri}: Azure's own chain found no credentials ({first}): {_WAYS}") from error

    return current
