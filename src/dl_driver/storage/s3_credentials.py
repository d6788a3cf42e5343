# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks S3: the workload's keys, else the environment's, else what AWS's own chain finds (an optional extra)."""

import os
from collections.abc import Callable
from typing import Any

from dl_driver.errors import StorageError
from dl_driver.storage.cloud import first_variable, is_true
from dl_driver.storage.options import ObjectStoreOptions
from dl_driver.storage.redaction import redacted
from dl_driver.storage.sigv4 import AwsCredentials

_WAYS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (an --env-file can), or storage.storage_options.access_key_id and"
    " secret_access_key, or storage.storage_options.profile; for a public bucket set storage.storage_options.anonymous"
)

CredentialSource = Callable[[], AwsCredentials]


def find_credentials(uri: str, options: ObjectStoreOptions) -> CredentialSource | None:
    """Where credentials come from; None for requests without a signature. Raises StorageError where there are none."""
    if options.anonymous or is_true(first_variable("AWS_SKIP_SIGNATURE")):
        return None
    pair = (options.access_key_id, options.secret_access_key)
    token = options.session_token
    if not any(pair) and not options.profile:
        pair = (first_variable("AWS_ACCESS_KEY_ID"), first_variable("AWS_SECRET_ACCESS_KEY"))
        token = first_variable("AWS_SESSION_TOKEN")
    if pair[0] and pair[1]:
        fixed = AwsCredentials(pair[0], pair[1], token)
        return lambda: fixed
    if any(pair):
        missing = "secret_access_key" if pair[0] else "access_key_id"
        raise StorageError(f"{uri}: of the credentials, {missing} is missing: {_WAYS}")
    return _from_chain(uri, options.profile)


def profile_setting(options: ObjectStoreOptions, name: str) -> str | None:
    """What AWS's configuration files say of ``region`` or ``endpoint_url``, where botocore is there to read them."""
    path = os.path.expanduser(first_variable("AWS_CONFIG_FILE") or "~/.aws/config")
    if not (options.profile or first_variable("AWS_PROFILE") or os.path.exists(path)):
        return None
    try:
        found = _session(options.profile).get_scoped_config().get(name)
    except StorageError:
        return None  # Who asks is found in the same way, and tells what is wrong.
    return str(found) if found else None


def _from_chain(uri: str, profile: str | None) -> CredentialSource:
    session = _session(profile, uri)
    from botocore.exceptions import BotoCoreError

    try:
        found = session.get_credentials()
    except BotoCoreError as error:
        raise StorageError(f"{uri}: AWS's own chain found no credentials ({_told(error)}): {_WAYS}") from error
    if found is None:
        raise StorageError(f"{uri}: no credentials were found: {_WAYS}")

    def current() -> AwsCredentials:
        try:
            frozen = found.get_frozen_credentials()  # renews those that are about to expire
        except BotoCoreError as error:
            raise StorageError(f"{uri}: the credentials could not be renewed ({_told(error)}): {_WAYS}") from error
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token)

    return current


def _session(profile: str | None, uri: str = "s3://") -> Any:
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError:
        asked = f"the profile {profile} needs" if profile else "no credentials were found; AWS's own chain needs"
        raise StorageError(f"{uri}: {asked} botocore (pip install 'dl-driver[aws]'), or {_WAYS}") from None
    try:
        session = botocore.session.Session(profile=profile)
        session.get_scoped_config()
    except BotoCoreError as error:
        raise StorageError(f"{uri}: {error}: check storage.storage_options.profile, AWS_PROFILE and ~/.aws") from error
    return session


def _told(error: Exception) -> str:
    """An error of the chain in a line; what a program said that was to give credentials may hold secrets."""
    provider = getattr(error, "kwargs", {}).get("provider")
    return f"{provider} failed; run it to see why" if provider else redacted(str(error).strip().split("\n", 1)[0])
