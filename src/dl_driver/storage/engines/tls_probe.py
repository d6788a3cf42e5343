# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a server could not be talked to, where TLS is the reason: asked of the server once, after a failure.

Clients tell of a certificate or a port that is not right in many ways, some of which say nothing.
"""

import socket
import ssl

from dl_driver.storage.engines.http_connection import tls_refusal
from dl_driver.storage.engines.http_service import Endpoint, Service

_SECONDS = 2.0


def tls_trouble(service: Service, endpoint: Endpoint) -> str | None:
    """What about TLS is not right, with the way out; None where it is, or where nobody answers."""
    if endpoint.tls:
        error = _handshake(endpoint, service.tls_context())
        return None if error is None else tls_refusal(error, endpoint)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if _handshake(endpoint, context) is None:
        return f"{endpoint.url} speaks TLS: write https:// in the endpoint"
    return None


def _handshake(endpoint: Endpoint, context: ssl.SSLContext) -> OSError | None:
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host),
        ):
            return None
    except OSError as error:
        return error
