# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``az://account/container/prefix``: Azure Blob Storage.

Reads go through the HTTP engine. Writes are Put Blob, or blocks in parallel and their list, each with its MD5, which
the server holds against what it received: a part that is lost or cut is refused.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import formatdate
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from dl_driver.errors import StorageError
from dl_driver.storage import azure_failures
from dl_driver.storage.azure_account import Account, Proof, expiry_of, find_account, split_az_uri, who_has
from dl_driver.storage.base import Piece, StorageSettings
from dl_driver.storage.cloud import CloudStorage, soon
from dl_driver.storage.deletion import delete_each
from dl_driver.storage.engines.http_sender import Message, Reply, Sender
from dl_driver.storage.engines.http_service import Endpoint, Requests, parse_endpoint
from dl_driver.storage.failures import Failures
from dl_driver.storage.shared_key import VERSION, SharedKey, SharedKeyRequests
from dl_driver.storage.sigv4 import quote_key
from dl_driver.storage.spool import Spool, spooled
from dl_driver.storage.token_requests import TokenRequests

if TYPE_CHECKING:
    from obstore.store import AzureConfig, AzureCredential, ClientConfig, ObjectStore

_BLOCK_BYTES = 8 << 20
_MAX_BLOCKS = 50_000
_PARALLEL_BLOCKS = 8


class AzureStorage(CloudStorage):
    """See the module's docstring."""

    def __init__(self, uri: str, settings: StorageSettings) -> None:
        super().__init__(uri, settings)
        self._found: Account = find_account(self.options)
        self.account, self.container, self._prefix = split_az_uri(uri, self._found.name)

    @property
    def prefix(self) -> str:
        """See CloudStorage."""
        return self._prefix

    @cached_property
    def endpoints(self) -> Sequence[Endpoint]:
        """See Service."""
        path = f"/{self.container}/{quote_key(self._prefix)}"
        return [parse_endpoint(url, path) for url in self._found.endpoint_urls(self.account)]

    @cached_property
    def proof(self) -> Proof:
        """How requests show who asks."""
        return self._found.proof(self.uri, self.account, self.options)

    @cached_property
    def failures(self) -> Failures:
        """See CloudStorage."""
        return azure_failures.failures_of(self.proof)

    def requests(self, endpoint: Endpoint) -> Requests:
        """See Service."""
        proof = self.proof
        if proof.key is not None:
            return SharedKeyRequests(endpoint.authority, endpoint.path, self.account, proof.key)
        return TokenRequests(endpoint.authority, endpoint.path, self._token_headers, lambda: proof.sas or "")

    def who_am_i(self) -> str:
        """The account and the kind of proof."""
        proof = self.proof
        if proof.key is not None:
            how = "with the account's key"
        elif proof.sas is not None:
            ends = expiry_of(proof.sas)
            how = f"with a SAS{f' until {ends}' if ends else ''}"
        elif proof.token is not None:
            how = f"as {who_has(proof.token())}"
        else:
            how = "without credentials"
        return f"Azure account {self.account}, container {self.container}, {how}"

    def make_client(self, endpoint: Endpoint, client_options: "ClientConfig") -> "ObjectStore":
        """See CloudStorage."""
        from obstore.store import AzureStore

        path = endpoint.path.removesuffix(f"/{self.container}/{quote_key(self._prefix)}")
        config: AzureConfig = {
            "account_name": self.account,
            "endpoint": f"{endpoint.url}{path}",
            "skip_signature": self.proof == Proof(),
        }
        return AzureStore(
            self.container,
            config=config,
            client_options=client_options,
            retry_config={
                "max_retries": self.options.limits.attempts - 1,
                "retry_timeout": timedelta(minutes=3),
            },
            credential_provider=None if self.proof == Proof() else self._credential,
        )

    def write(self, key: str, pieces: Iterable[Piece]) -> int:
        """See CloudStorage."""
        with spooled(pieces) as spool, self._sending("write", key):
            if spool.size <= _BLOCK_BYTES:
                self._put_block(key, {}, {"x-ms-blob-type": "BlockBlob"}, spool.read(0, spool.size))
            else:
                self._put_blocks(key, spool)
            return spool.size

    def delete(self, keys: Iterable[str]) -> None:
        """See Storage."""
        delete_each(self._delete, keys)

    def _delete(self, key: str) -> None:
        with self._sending("delete", key):
            self._send("DELETE", key, {}, {})

    @cached_property
    def _sender(self) -> Sender:
        return Sender(self, self.write_endpoint, self.options.limits)

    def _put_blocks(self, key: str, spool: Spool) -> None:
        size = max(_BLOCK_BYTES, -(-spool.size // _MAX_BLOCKS))
        names = [base64.b64encode(b"%08d" % number).decode() for number in range(-(-spool.size // size))]

        def send(number: int) -> None:
            self._put_block(key, {"comp": "block", "blockid": names[number]}, {}, spool.read(number * size, size))

        with ThreadPoolExecutor(min(_PARALLEL_BLOCKS, len(names)), thread_name_prefix="dl-driver-put") as threads:
            running = [threads.submit(send, number) for number in range(len(names))]
            try:
                for one in running:
                    one.result()
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise
        listed = "".join(f"<Latest>{name}</Latest>" for name in names)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        self._send("PUT", key, {"comp": "blocklist"}, {"Content-Type": "application/xml"}, body)

    def _put_block(self, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> None:
        """Send bytes that both sides check."""
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        reply = self._send("PUT", key, query, {**headers, "Content-MD5": digest}, body)
        told = reply.headers.get("Content-MD5")
        if told is not None and told != digest:
            raise StorageError(
                f"the server has other bytes than were sent: their MD5 is {told}, expected {digest}; write it again,"
                " and check the network"
            )

    def _send(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        path = f"{self.write_endpoint.path}{quote_key(key)}"
        sas = dict(parse_qsl(self.proof.sas)) if self.proof.sas else {}
        text = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in {**query, **sas}.items())
        made = partial(self._headers, method, path, query, {**headers, "Content-Length": str(len(body))})
        return self._sender.send(Message(method, f"{path}?{text}" if text else path, made, body))

    def _headers(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        whole = {**headers, "x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        if self.proof.key is not None:
            signer = SharedKey(self.account, self.proof.key)
            whole["Authorization"] = signer.header(method, path, query, whole)
        elif self.proof.token is not None:
            whole["Authorization"] = f"Bearer {self.proof.token()}"
        return whole

    def _token_headers(self) -> str:
        token = self.proof.token
        return f"x-ms-version: {VERSION}\r\n" + (f"Authorization: Bearer {token()}\r\n" if token else "")

    def _credential(self) -> "AzureCredential":
        """For the general client. A fixed one does not expire; others are asked for again and again."""
        proof = self.proof
        if proof.key is not None:
            return {"access_key": base64.b64encode(proof.key).decode(), "expires_at": None}
        if proof.sas is not None:
            return {"sas_token": proof.sas, "expires_at": None}
        assert proof.token is not None
        return {"token": proof.token(), "expires_at": soon()}
