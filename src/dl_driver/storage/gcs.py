# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``gs://bucket/prefix``: Google Cloud Storage.

Reads use the XML interface's plain addresses through the HTTP engine, with a bearer token or, with HMAC keys, signed as
Amazon's are. Writes: see gcs_upload.
"""

import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from dl_driver.errors import NotFoundError, StorageError
from dl_driver.storage import gcs_failures
from dl_driver.storage.base import Piece, StorageSettings
from dl_driver.storage.cloud import CloudStorage, first_variable, soon, split_uri
from dl_driver.storage.deletion import delete_each
from dl_driver.storage.engines.http_sender import Message, Sender
from dl_driver.storage.engines.http_service import Endpoint, Requests, parse_endpoint
from dl_driver.storage.gcs_credentials import EMULATOR_VARIABLE, Identity, find_identity
from dl_driver.storage.gcs_upload import JsonUpload, checksum_of, windows
from dl_driver.storage.sigv4 import SignedRequests, quote_key, signed_headers
from dl_driver.storage.spool import Spool, spooled
from dl_driver.storage.token_requests import TokenRequests

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSConfig, GCSCredential, ObjectStore, RetryConfig, S3Credential

_PLACE = "https://storage.googleapis.com"
_REGION = "auto"


class GcsStorage(CloudStorage):
    """See the module's docstring."""

    failures = gcs_failures.FAILURES

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        super().__init__(uri, settings)
        bucket, self._prefix = split_uri(uri)
        self.bucket = bucket or first_variable("GOOGLE_BUCKET", "GOOGLE_BUCKET_NAME", "GCS_BUCKET") or ""
        if not self.bucket:
            raise StorageError(f"{uri}: expected gs://bucket/prefix, or the bucket in GOOGLE_BUCKET")

    @property
    def prefix(self) -> str:
        """See CloudStorage."""
        return self._prefix

    @cached_property
    def endpoints(self) -> Sequence[Endpoint]:
        """See Service."""
        path = f"/{self.bucket}/{quote_key(self._prefix)}"
        urls = self.options.endpoint_urls or _endpoints_of_environment() or (_PLACE,)
        return [parse_endpoint(url, path) for url in urls]

    @cached_property
    def identity(self) -> Identity:
        """How requests show who asks."""
        return find_identity(self.uri, self.options)

    def requests(self, endpoint: Endpoint) -> Requests:
        """See Service."""
        keys = self.identity.keys
        if keys is not None:
            return SignedRequests(endpoint.authority, endpoint.path, _REGION, lambda: keys)
        return TokenRequests(endpoint.authority, endpoint.path, self._token_lines)

    def who_am_i(self) -> str:
        """The account, as far as its credentials tell; a token is fetched where it has to be."""
        if self.identity.token is not None:
            self.identity.token()
        return f"{self.identity.name}, bucket {self.bucket}"

    def make_client(self, endpoint: Endpoint, client_options: "ClientConfig") -> "ObjectStore":
        """See CloudStorage."""
        from obstore.store import GCSStore, S3Store

        retries: RetryConfig = {
            "max_retries": self.options.limits.attempts - 1,
            "retry_timeout": timedelta(minutes=3),
        }
        if self.identity.keys is not None:
            return S3Store(
                self.bucket,
                config={"endpoint": self._root(endpoint), "region": _REGION, "unsigned_payload": True},
                client_options=client_options,
                retry_config=retries,
                credential_provider=self._key_pair,
            )
        config: GCSConfig = {"base_url": self._root(endpoint), "skip_signature": self.identity.token is None}
        return GCSStore(
            self.bucket,
            config=config,
            client_options=client_options,
            retry_config=retries,
            credential_provider=None if self.identity.token is None else self._credential,
        )

    def write(self, key: str, pieces: Iterable[Piece]) -> int:
        """See CloudStorage."""
        with spooled(pieces) as spool, self._sending("write", key), _no_bucket():
            if self.identity.keys is not None:
                self._put_signed(key, spool)
            else:
                attempts = self.options.limits.attempts
                path = f"/upload{self._json_path}"
                upload = JsonUpload(self._sender, path, self._prefix + key, self._token_headers, attempts=attempts)
                upload.send(spool)
            return spool.size

    def delete(self, keys: Iterable[str]) -> None:
        """See Storage."""
        delete_each(self._delete, keys)

    def _delete(self, key: str) -> None:
        if self.identity.keys is not None:
            target = f"{self.write_endpoint.path}{quote_key(key)}"
            headers: Callable[[], Mapping[str, str]] = partial(self._signed, "DELETE", target, {})
        else:
            target = f"{self._json_path}/{urllib.parse.quote(self._prefix + key, safe='')}"
            headers = self._token_headers
        with self._sending("delete", key):
            self._sender.send(Message("DELETE", target, headers))

    @property
    def _json_path(self) -> str:
        """Of the bucket's objects in the JSON interface."""
        return f"/storage/v1/b/{urllib.parse.quote(self.bucket, safe='')}/o"

    @cached_property
    def _sender(self) -> Sender:
        return Sender(self, self.write_endpoint, self.options.limits)

    def _put_signed(self, key: str, spool: Spool) -> None:
        checksum = checksum_of(spool)
        target = f"{self.write_endpoint.path}{quote_key(key)}"
        more = {"x-goog-hash": f"crc32c={checksum}", "Content-Length": str(spool.size)}
        reply = self._sender.send(
            Message("PUT", target, partial(self._signed, "PUT", target, more), lambda: windows(spool))
        )
        told = [part.strip() for line in reply.headers.get_all("x-goog-hash", []) for part in line.split(",")]
        other = [part for part in told if part.startswith("crc32c=") and part != f"crc32c={checksum}"]
        if other:
            raise StorageError(
                f"the server has other bytes than were sent: {other[0]}, expected crc32c={checksum}; write it again,"
                " and check the network"
            )

    def _signed(self, method: str, target: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        keys = self.identity.keys
        assert keys is not None
        return {**headers, **signed_headers(method, self.write_endpoint.authority, target, _REGION, keys)}

    def _root(self, endpoint: Endpoint) -> str:
        """The endpoint without bucket and prefix."""
        return endpoint.url + endpoint.path.removesuffix(f"/{self.bucket}/{quote_key(self._prefix)}")

    def _token_headers(self) -> Mapping[str, str]:
        token = self.identity.token
        return {} if token is None else {"Authorization": f"Bearer {token()}"}

    def _token_lines(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self._token_headers().items())

    def _credential(self) -> "GCSCredential":
        """For the general client, which asks for it again and again."""
        assert self.identity.token is not None
        return {"token": self.identity.token(), "expires_at": soon()}

    def _key_pair(self) -> "S3Credential":
        keys = self.identity.keys
        assert keys is not None
        return {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key, "expires_at": None}


@contextmanager
def _no_bucket() -> Iterator[None]:
    """What a write does not find is the bucket, also where the server does not say so."""
    try:
        yield
    except NotFoundError as error:
        raise StorageError(gcs_failures.FAILURES.explain(404, "NoSuchBucket")) from error


def _endpoints_of_environment() -> tuple[str, ...]:
    found = first_variable(EMULATOR_VARIABLE, "GCS_ENDPOINT_URL", "GOOGLE_BASE_URL")
    if not found:
        return ()
    return (found if "://" in found else f"http://{urllib.parse.quote(found, safe=':[]')}",)
