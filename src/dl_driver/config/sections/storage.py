# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The storage that is measured, and how it is reached."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr

from dl_driver.config.sections.base import (
    ONE_OR_MANY,
    Choice,
    Count,
    NoEffect,
    NumberFromZero,
    Positive,
    PositiveNumber,
    Section,
    Text,
)
from dl_driver.config.sizes import parse_size

_OWN_CLIENT = "this program's own client takes its place"


class StorageType(Choice):
    """dlio_benchmark's kinds of storage; direct_fs is MLCommons'."""

    LOCAL_FS = "local_fs"
    PARALLEL_FS = "parallel_fs"
    DIRECT_FS = "direct_fs"
    S3 = "s3"
    AISTORE = "aistore"

    @property
    def is_file_system(self) -> bool:
        """Whether files have paths."""
        return self in (StorageType.LOCAL_FS, StorageType.PARALLEL_FS, StorageType.DIRECT_FS)


class StorageLibrary(Choice):
    """MLCommons' choice of clients."""

    S3DLIO = "s3dlio"
    MINIO = "minio"
    S3TORCHCONNECTOR = "s3torchconnector"


class UriScheme(Choice):
    """MLCommons: how a client is to reach the data."""

    S3 = "s3"
    FILE = "file"
    DIRECT = "direct"
    AZ = "az"
    GS = "gs"


class Decode(Choice):
    """MLCommons: what becomes of the bytes that were read."""

    RAW = "raw"
    ARROW = "arrow"


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


ReadEngine = Literal["auto", "ring", "threads"]


class StorageOptions(Section):
    """How an object store is reached."""

    access_key_id: SecretStr | None = None
    """Who."""
    secret_access_key: SecretStr | None = None
    """Its secret; never printed."""
    session_token: SecretStr | None = None
    """A token that goes with them."""
    profile: str | None = None
    """A profile of the provider's own configuration files, which says who."""
    anonymous: bool = False
    """Requests are not signed, as for a public bucket."""
    endpoint_url: Annotated[tuple[Text, ...], ONE_OR_MANY] = ()
    """Where, when it is not the provider's own: http://host:port; several are used evenly."""
    region: str | None = None
    """Region of the bucket; by default what the environment says, else us-east-1."""
    ca_file: str | None = None
    """Certificates (PEM) of the authorities to trust in place of the system's."""
    connections: Positive | None = None
    """Connections of each reading process; by default as many as it has reads in flight, and 8 at least."""
    range_size: Annotated[Count | None, BeforeValidator(_size)] = None
    """Bytes of one request where a large read is split into several, 0 for never; by default large reads are split
    while connections are free."""
    connect_timeout: PositiveNumber = 5
    """Seconds until a connection stands."""
    first_byte_timeout: PositiveNumber = 30
    """Seconds from a request to the first byte of its answer."""
    stall_timeout: PositiveNumber = 10
    """Seconds without a byte in the middle of an answer."""
    late_share: NumberFromZero = 0.05
    """Of all requests, how many may be made a second time for taking far longer than the others; 0: none.
    """
    s3_force_path_style: bool | None = None
    """The bucket's name in the path, not in the host."""
    s3_max_attempts: Positive | None = None
    """Times that a request is tried."""
    storage_library: Annotated[StorageLibrary | None, NoEffect(_OWN_CLIENT)] = None
    """MLCommons: the client to use."""
    uri_scheme: UriScheme | None = None
    """MLCommons: how to reach the data."""
    prefetch_window: Annotated[Count | None, NoEffect("see reader.max_inflight")] = None
    """MLCommons: objects fetched ahead."""
    decode: Decode | None = None
    """MLCommons: what becomes of the bytes that were read."""
    simulate_io: Annotated[bool, NoEffect("see null:// data folders")] = False
    """MLCommons: read nothing."""


class Storage(Section):
    """The storage that is measured."""

    storage_type: StorageType = StorageType.LOCAL_FS
    """Its kind; a data_folder that is a URI says it too."""
    storage_root: Text = "./"
    """Folder, bucket or URI in which data_folder lies."""
    storage_options: StorageOptions = StorageOptions()
    """How an object store is reached."""
    storage_library: Annotated[StorageLibrary | None, NoEffect(_OWN_CLIENT)] = None
    """MLCommons: the client to use."""
    s3_force_path_style: bool | None = None
    """MLCommons: as in storage_options."""
    post_generation_settle_seconds: Annotated[NumberFromZero, NoEffect("a written file is there")] = 0
    """MLCommons: seconds to wait after generation."""
    engine: ReadEngine = "auto"
    """How files are read: io_uring's ring, threads, or what the kernel allows."""
    strict_direct: bool = False
    """A read through the page cache is an error where direct I/O was asked for."""
