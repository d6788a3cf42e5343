# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks Google Cloud Storage: the workload, else the environment, else Google's own chain (an optional extra).

``access_key_id`` and ``secret_access_key`` are HMAC keys of the XML interface, ``session_token`` is a bearer token.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dl_driver.errors import StorageError
from dl_driver.storage.cloud import first_variable, is_true
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.storage.sigv4 import AwsCredentials

EMULATOR_VARIABLE = "STORAGE_EMULATOR_HOST"
_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_EARLY = timedelta(minutes=4)
_WAYS = (
    "set GOOGLE_APPLICATION_CREDENTIALS to a service account's file, run gcloud auth application-default login, or set"
    " GOOGLE_BEARER_TOKEN (an --env-file can); for a public bucket set storage.storage_options.anonymous"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """How a request shows who asks: at most one of two; none means without credentials. Its text shows no secret."""

    name: str
    """For people, without any secret."""
    token: Callable[[], str] | None = field(default=None, repr=False)
    """A bearer token; asked from time to time, renews what is about to expire."""
    keys: AwsCredentials | None = field(default=None, repr=False)
    """HMAC keys, with which requests are signed as Amazon's are."""


def find_identity(uri: str, options: ObjectStoreOptions) -> Identity:
    """Raises StorageError where nothing says who asks."""
    if options.anonymous or is_true(first_variable("GOOGLE_SKIP_SIGNATURE")):
        return Identity("nobody in particular (no credentials)")
    if options.session_token:
        return _fixed(options.session_token)
    pair = (options.access_key_id, options.secret_access_key)
    if not any(pair):
        if token := first_variable("GOOGLE_BEARER_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"):
            return _fixed(token)
        pair = (first_variable("GCS_ACCESS_KEY_ID"), first_variable("GCS_SECRET_ACCESS_KEY"))
    if pair[0] and pair[1]:
        return Identity(f"the owner of the HMAC key {pair[0]}", keys=AwsCredentials(pair[0], pair[1]))
    if any(pair):
        missing = "secret_access_key" if pair[0] else "access_key_id"
        raise StorageError(f"{uri}: of the HMAC keys, {missing} is missing: {_WAYS}")
    if first_variable(EMULATOR_VARIABLE):
        return Identity("nobody in particular (an emulator)")
    return _from_google(uri)


def _fixed(token: str) -> Identity:
    return Identity("the owner of a bearer token", token=lambda: token)


def _from_google(uri: str) -> Identity:
    try:
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.requests
    except ImportError:
        raise StorageError(
            f"{uri}: no credentials were found; Google's own chain needs google-auth (pip install"
            f" 'dl-driver[gcs]'), or {_WAYS}"
        ) from None
    try:
        found = _load(google.auth)
    except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
        raise StorageError(f"{uri}: Google's own chain found no credentials ({_first_line(error)}): {_WAYS}") from error
    lock = threading.Lock()  # guards the renewal
    request = google.auth.transport.requests.Request()

    def current() -> str:
        with lock:
            if not found.valid or _is_old(found.expiry):
                try:
                    found.refresh(request)
                except google.auth.exceptions.GoogleAuthError as error:
                    raise StorageError(
                        f"{uri}: Google gave no token ({_first_line(error)}): is the account's key still valid, and"
                        f" this machine's clock right? Or {_WAYS}"
                    ) from error
            return str(found.token)

    name = getattr(found, "service_account_email", None) or "the user of application default credentials"
    return Identity(str(name), token=current)


def _load(auth: Any) -> Any:
    """A service account from its text or file where a variable names one, else application default credentials."""
    text = first_variable("GOOGLE_SERVICE_ACCOUNT_KEY")
    if text:
        return auth.load_credentials_from_dict(json.loads(text), scopes=_SCOPES)[0]
    path = first_variable("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH")
    if path:
        return auth.load_credentials_from_file(path, scopes=_SCOPES)[0]
    return auth.default(scopes=_SCOPES)[0]


def _is_old(expiry: datetime | None) -> bool:
    """Whether a token ends soon; google-auth's times are UTC without saying so."""
    return expiry is not None and expiry.replace(tzinfo=UTC) - datetime.now(UTC) < _EARLY


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
