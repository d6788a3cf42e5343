# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of object stores that fetch whole objects as bytes, one byte of each looked at: obstore, s3dlio and
s3torchconnectorclient, each in the ways that its users have."""

import argparse
import asyncio
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.contestants.serve import serve

Fetch = Callable[[str], Any]
_KEYS_A_CALL = 1000


def obstore_store(options: argparse.Namespace) -> Any:
    """For all its ways; the credentials come from the environment."""
    from obstore.store import AzureStore, S3Store

    client: dict[str, Any] = {"allow_http": True}
    if options.ca_file:
        client["root_certificate"] = Path(options.ca_file).read_bytes()
    if options.azure:
        return AzureStore(
            container_name=options.bucket,
            account_name="account",
            account_key=os.environ["AZURE_BLOB_KEY"],
            endpoint=f"{options.endpoint}/account",
            client_options=client,
        )
    return S3Store(options.bucket, endpoint=options.endpoint, region="us-east-1", client_options=client)


def obstore_async(options: argparse.Namespace, keys: list[str]) -> Callable[[], tuple[int, int]]:
    """So many tasks, each fetching one object after the other."""
    import obstore

    store = obstore_store(options)
    loop = asyncio.new_event_loop()

    async def fetch_all() -> int:
        waiting, num_bytes = iter(keys), 0

        async def one_after_the_other() -> None:
            nonlocal num_bytes
            for key in waiting:
                data = await (await obstore.get_async(store, key)).bytes_async()
                num_bytes += len(data) + 0 * memoryview(data)[0]

        await asyncio.gather(*(one_after_the_other() for _ in range(options.depth)))
        return num_bytes

    return lambda: (len(keys), loop.run_until_complete(fetch_all()))


def obstore_threads(options: argparse.Namespace, keys: list[str]) -> Callable[[], tuple[int, int]]:
    """So many threads."""
    import obstore

    store = obstore_store(options)
    return in_threads(lambda key: memoryview(obstore.get(store, key).bytes()), options.depth, keys)


def s3torchconnector(options: argparse.Namespace, keys: list[str]) -> Callable[[], tuple[int, int]]:
    """AWS's CRT, in so many threads."""
    from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

    client = MountpointS3Client(region="us-east-1", user_agent_prefix="bench", endpoint=options.endpoint,
                                force_path_style=True, throughput_target_gbps=100.0)  # fmt: skip
    return in_threads(lambda key: b"".join(client.get_object(options.bucket, key)), options.depth, keys)


def in_threads(fetch: Fetch, threads: int, keys: list[str]) -> Callable[[], tuple[int, int]]:
    """An epoch by a pool that stays."""
    pool = ThreadPoolExecutor(threads)

    def some(mine: Iterable[str]) -> int:
        num_bytes = 0
        for key in mine:
            data = fetch(key)
            num_bytes += len(data) + 0 * data[0]
        return num_bytes

    shares = [keys[number::threads] for number in range(threads)]
    return lambda: (len(keys), sum(pool.map(some, shares)))


def s3dlio_many(options: argparse.Namespace, keys: list[str]) -> Callable[[], tuple[int, int]]:
    """Calls of a bounded number of objects, as for files."""
    import s3dlio

    uris = [f"s3://{options.bucket}/{key}" for key in keys]

    def epoch() -> tuple[int, int]:
        num_bytes, waiting = 0, iter(uris)
        while some := list(islice(waiting, max(options.depth, min(_KEYS_A_CALL, (1 << 28) // options.object_bytes)))):
            for _, data in s3dlio.get_many(some, max_in_flight=options.depth):
                num_bytes += len(data) + 0 * memoryview(data)[0]
        return len(uris), num_bytes

    return epoch


WAYS = {
    "obstore_async": obstore_async,
    "obstore_threads": obstore_threads,
    "s3dlio": s3dlio_many,
    "s3torchconnector": s3torchconnector,
}


def main() -> None:
    """Fetch the objects that a file names, in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("keys", type=Path, help="a file of keys, one a line")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--object-bytes", type=int, required=True)
    parser.add_argument("--min-seconds", type=float, required=True)
    parser.add_argument("--ca-file")
    parser.add_argument("--azure", action="store_true")
    options = parser.parse_args()
    epoch = WAYS[options.way](options, options.keys.read_text().split("\n"))

    serve(epoch, options.min_seconds)


if __name__ == "__main__":
    main()
