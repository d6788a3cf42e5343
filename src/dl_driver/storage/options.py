# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an object store is reached, as the workload says it; what it leaves open, the environment says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from dl_driver.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dl_driver.config.sections.storage import Storage

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """When a request is given up, and how often it is made again."""

    attempts: int = _ATTEMPTS
    """Times that a request is made before its read fails."""
    connect_s: float = 5.0
    """Seconds until a connection stands, TLS included."""
    first_byte_s: float = 30.0
    """Seconds from a request to the first byte of its answer."""
    stall_s: float = 10.0
    """Seconds without a byte in the middle of an answer."""


@dataclass(frozen=True, slots=True)
class ObjectStoreOptions:
    """Picklable; its text shows no secret."""

    endpoint_urls: tuple[str, ...] = ()
    """``http://host:port``; several are used evenly. Empty: the provider's own."""
    region: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    """A profile of the provider's own configuration files."""
    anonymous: bool = False
    """Requests are not signed."""
    path_style: bool | None = None
    """The bucket in the path, not in the host name; None: in the path where endpoint_urls are given."""
    ca_file: str | None = None
    """Certificates of the authorities to trust in place of the system's."""
    connections: int | None = None
    """To an endpoint from one process; None: as many as reads are in flight, and a few for large ones."""
    range_size: int | None = None
    """Bytes of one request where a large read is split; 0: never split; None: chosen by the engine."""
    late_share: float = 0.05
    """Of all requests may be made a second time for taking far longer than the others; 0: none."""
    limits: Limits = Limits()

    @classmethod
    def of_workload(cls, section: "Storage") -> Self:
        """From a workload's section ``storage``."""
        asked = section.storage_options
        path_style = section.s3_force_path_style if asked.s3_force_path_style is None else asked.s3_force_path_style
        return cls(
            endpoint_urls=asked.endpoint_url,
            region=asked.region,
            access_key_id=_revealed(asked.access_key_id),
            secret_access_key=_revealed(asked.secret_access_key),
            session_token=_revealed(asked.session_token),
            profile=asked.profile,
            anonymous=asked.anonymous,
            path_style=path_style,
            ca_file=asked.ca_file,
            connections=asked.connections,
            range_size=asked.range_size,
            late_share=asked.late_share,
            limits=Limits(
                attempts=asked.s3_max_attempts or _ATTEMPTS,
                connect_s=asked.connect_timeout,
                first_byte_s=asked.first_byte_timeout,
                stall_s=asked.stall_timeout,
            ),
        )

    @classmethod
    def of_mapping(cls, options: Mapping[str, Any]) -> Self:
        """From the keys of ``storage.storage_options``; raises ConfigError for one that is unknown or wrong."""
        # Here, not above: the configuration takes long to import, and workers do without it.
        from pydantic import ValidationError

        from dl_driver.config.explain import explain
        from dl_driver.config.sections.storage import Storage, StorageOptions

        try:
            return cls.of_workload(Storage(storage_options=StorageOptions(**options)))
        except ValidationError as error:
            refused = explain(error, [], ("storage", "storage_options"))
            raise ConfigError([problem for _, problem in refused]) from None


def _revealed(secret: "SecretStr | None") -> str | None:
    return None if secret is None else secret.get_secret_value()
