# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest fixtures of the servers: ``pytest_plugins = ["dl_driver.testing.fixtures"]`` in a conftest.py.

One server a session, each test with a bucket or container of its own. What is not installed skips, with the reason.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import pytest

from dl_driver.testing.azurite import AzureServer, azurite
from dl_driver.testing.fake_gcs import GcsServer, fake_gcs
from dl_driver.testing.guard import ServerMissingError
from dl_driver.testing.seaweedfs import S3Server, seaweedfs

_Server = TypeVar("_Server")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """SeaweedFS."""
    yield from _running(seaweedfs)


@pytest.fixture(scope="session")
def azure_server() -> Iterator[AzureServer]:
    """Azurite."""
    yield from _running(azurite)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsServer]:
    """fake-gcs-server."""
    yield from _running(fake_gcs)


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> str:
    """A new bucket on s3_server."""
    return _made(s3_server.make_bucket)


@pytest.fixture
def azure_container(azure_server: AzureServer) -> str:
    """A new container on azure_server."""
    return _made(azure_server.make_container)


@pytest.fixture
def gcs_bucket(gcs_server: GcsServer) -> str:
    """A new bucket on gcs_server."""
    return _made(gcs_server.make_bucket)


def _running(server: Callable[[], AbstractContextManager[_Server]]) -> Iterator[_Server]:
    try:
        manager = server()
        running = manager.__enter__()
    except ServerMissingError as missing:
        pytest.skip(str(missing))
    try:
        yield running
    finally:
        manager.__exit__(None, None, None)


def _made(make: Callable[[str], None]) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    make(name)
    return name
