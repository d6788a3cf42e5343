# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of an S3 or Azure server through open_loader, beside clients that fetch them as bytes: the same keys and the
same server, on the same cores."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import run as run_command

from benchmarks.compare import Entrant, Options, compare
from benchmarks.datasets import MEMORY_FOLDER, temporary_folder
from benchmarks.measurement import Case, Contestant, Measurement, Target
from benchmarks.processes import OUR_COMMAND, OUR_PYTHON, RIVALS_PYTHON, Serving, run
from dl_driver.config import Workload, load
from dl_driver.dataset.files import training_files
from dl_driver.serving.fleet import Address, serving
from dl_driver.testing.fault_plan import Fault, FaultPlan
from dl_driver.testing.faults import FaultProxy, fault_proxy
from dl_driver.testing.nginx import nginx
from dl_driver.testing.seaweedfs import seaweedfs

_KEY = base64.b64encode(b"a key of the benchmark's account").decode()
_OURS = "dl-driver"
_OBSTORE = ("obstore, async", "obstore, threads")
_RIVALS = (*_OBSTORE, "s3torchconnectorclient", "s3dlio")
_SERVER = "Server: dl-driver serve-null, 2 processes on the same cores; it checks no signature and has no disk."
_NGINX = "Server: nginx, 1 process on the same cores; it checks no signature, and its files are in memory."
_SEAWEED = "Server: SeaweedFS on the same cores; it checks signatures and reads from its volumes."


@dataclass(frozen=True, slots=True)
class _Set:
    """Objects, and how they are read."""

    num_files: int
    record_bytes: int
    batch_size: int
    min_seconds: float = 2.0

    @property
    def workload(self) -> Workload:
        return load("demo", self.changes).workload

    @property
    def changes(self) -> list[str]:
        return [
            f"dataset.num_files_train={self.num_files}",
            "workflow.evaluation=false",
            f"dataset.record_length_bytes={self.record_bytes}",
        ]


@dataclass(frozen=True, slots=True)
class _Place:
    """A server that runs."""

    endpoint: str
    bucket: str
    keys: Path
    environment: Mapping[str, str]
    ca_file: str | None = None
    azure: bool = False

    @property
    def uri(self) -> str:
        return f"{'az://account' if self.azure else 's3:/'}/{self.bucket}/data/train"


def _small_targets() -> list[Target]:
    return [
        Target("dl-driver, objects/s", 44_831, lambda case: case.median(_OURS)),
        *(Target(f"times {name}", 5, partial(_ratio, name)) for name in _OBSTORE),
        Target("times s3dlio", 10, partial(_ratio, "s3dlio")),
        *_cost_targets(_OBSTORE, 0.2),
    ]


def one_kib(options: Options) -> Iterator[Case]:
    """1 KiB samples, signed."""
    wanted = _Set(500, 1024, 64, 0.2) if options.quick else _Set(20_000, 1024, 64)
    yield _case(
        "1 KiB NPZ objects on s3://, signed",
        wanted,
        options,
        _small_targets(),
    )


def one_kib_nginx(options: Options) -> Iterator[Case]:
    """The same from a server that is a compiled program. It keeps all its files open, for which there must be room."""
    wanted = _Set(500, 1024, 64, 0.2) if options.quick else _Set(8_000, 1024, 64)
    yield _case(
        "1 KiB NPZ objects on s3://, signed, from nginx",
        wanted,
        options,
        _small_targets(),
        _nginx,
        note=_NGINX,
    )


def hundred_kib(options: Options) -> Iterator[Case]:
    """112 KiB samples."""
    wanted = _Set(100, 114_660, 16, 0.2) if options.quick else _Set(4_000, 114_660, 16)
    target = Target("dl-driver, objects/s", 20_000, lambda case: case.median(_OURS))
    yield _case("112 KiB NPZ objects on s3://, signed", wanted, options, [target])


def eight_mb(options: Options) -> Iterator[Case]:
    """8 MB samples."""
    yield _case(
        "8 MB NPZ objects on s3://, signed",
        _eight_mb(options),
        options,
        [
            Target("dl-driver, bytes/s", 2.5e9, _bytes_per_second),
            *_cost_targets(_RIVALS, 0.7),
        ],
    )


def tls(options: Options) -> Iterator[Case]:
    """8 MB samples, encrypted."""
    target = Target("dl-driver, bytes/s", 1.5e9, _bytes_per_second)
    yield _case(
        "8 MB NPZ objects on s3:// by TLS, a certificate that vouches for itself",
        _eight_mb(options),
        options,
        [target],
        _null_by_tls,
        rivals=_OBSTORE,
    )


def azure(options: Options) -> Iterator[Case]:
    """1 KiB samples, Shared Key."""
    wanted = _Set(500, 1024, 64, 0.2) if options.quick else _Set(20_000, 1024, 64)
    target = Target("dl-driver, objects/s", 37_926, lambda case: case.median(_OURS))
    yield _case("1 KiB NPZ objects on az://, Shared Key", wanted, options, [target], _null_of_azure, rivals=_OBSTORE)


def seaweed(options: Options) -> Iterator[Case]:
    """1 KiB samples on a real server."""
    wanted = _Set(200, 1024, 64, 0.2) if options.quick else _Set(2_000, 1024, 64)
    yield _case(
        "1 KiB NPZ objects on SeaweedFS",
        wanted,
        options,
        [
            *(Target(f"times {name}", 1, partial(_ratio, name)) for name in _RIVALS),
            *_cost_targets(_OBSTORE, 0.35),
        ],
        _seaweed,
        note=_SEAWEED,
    )


def faults(options: Options) -> Iterator[Case]:
    """1 KiB samples through a proxy that breaks one answer in a hundred."""
    wanted = _Set(500, 1024, 64, 0.2) if options.quick else _Set(20_000, 1024, 64, 5.0)
    kinds = [kind for kind in Fault if kind is not Fault.BANDWIDTH]
    plans = {
        # The proxy draws a fault for each answer here, too, so that its own work is the same in all turns.
        _OURS: FaultPlan(kinds, 0.0),
        "1 % broken, all ways": FaultPlan(kinds),
        "10 % broken, all ways": FaultPlan(kinds, 0.1),
    }
    with _null(wanted) as place, fault_proxy(place.endpoint) as proxy:
        through = _Place(proxy.url, place.bucket, place.keys, place.environment)
        # Of 100,000 reads of which a tenth is broken one fails five times running; ten times, none does.
        reached = {"endpoint_url": proxy.url, "s3_max_attempts": 10}
        more = ["--readahead=128", f"--storage-options={json.dumps(reached)}"]
        entrants = [
            Entrant(name, [partial(_Faulty, name, proxy, plan, partial(_ours, through, wanted, name, more))])
            for name, plan in plans.items()
        ]
        yield compare(
            "1 KiB NPZ objects on s3:// through a proxy that breaks answers",
            "samples_per_second",
            entrants,
            options,
            notes=[_SERVER, "Ways: " + ", ".join(kinds) + ". 64 reads in flight, 128 batches of readahead."],
            targets=[
                Target(f"without faults, times {name}", 1 / 0.85, partial(_ratio, name), at_least=False)
                for name in list(plans)[1:]
            ],
        )


class _Faulty:
    """A contestant whose turns meet a plan of faults."""

    def __init__(self, name: str, proxy: FaultProxy, plan: FaultPlan, make: Callable[[], Serving]) -> None:
        self.name, self._proxy, self._plan = name, proxy, plan
        proxy.program(FaultPlan())
        self._contestant = make()
        self.how = f"{plan.share:.0%} of answers broken" if plan.share else "no answer broken"

    def measure(self) -> Measurement:
        """See Contestant."""
        self._proxy.program(self._plan)
        try:
            return self._contestant.measure()
        finally:
            self._proxy.program(FaultPlan())

    def close(self) -> None:
        """See Contestant."""
        self._contestant.close()


def _eight_mb(options: Options) -> _Set:
    return _Set(8, 8_000_000, 4, 0.2) if options.quick else _Set(100, 8_000_000, 4)


def _case(
    title: str,
    wanted: _Set,
    options: Options,
    targets: Sequence[Target],
    server: "Callable[[_Set], AbstractContextManager[_Place]] | None" = None,
    *,
    rivals: Sequence[str] = _RIVALS,
    note: str = _SERVER,
) -> Case:
    with (server or _null)(wanted) as place:
        entrants = [Entrant(_OURS, [partial(_ours, place, wanted)])]
        entrants += [
            Entrant(name, [partial(_rival, place, wanted, name, way, depth) for depth in depths], needed)
            for name, (way, needed, depths) in _WAYS.items()
            if name in rivals
        ]
        return compare(
            f"{title}, {wanted.num_files:,} objects",
            "samples_per_second",
            entrants,
            options,
            notes=[
                note,
                "dl-driver also checks the NPZ files' checksums and makes arrays; the rivals look at one byte of each"
                " object. CPU time is of a client's processes alone.",
            ],
            targets=targets,
        )


_WAYS: Mapping[str, tuple[str, str, Sequence[int]]] = {
    "obstore, async": ("obstore_async", "obstore", (16, 64)),
    "obstore, threads": ("obstore_threads", "obstore", (8, 32)),
    "s3torchconnectorclient": ("s3torchconnector", "s3torchconnector", (8, 32)),
    "s3dlio": ("s3dlio", "s3dlio", (16, 64)),
}
"""Name: the way of the program, who must be installed, and the numbers of objects under way to choose from."""


def _ours(place: _Place, wanted: _Set, name: str = _OURS, more: Sequence[str] = ()) -> Serving:
    reached = {"endpoint_url": f"{place.endpoint}/account" if place.azure else place.endpoint}
    if place.ca_file:
        reached["ca_file"] = place.ca_file
    arguments = [
        place.uri,
        f"--batch-size={wanted.batch_size}",
        f"--min-seconds={wanted.min_seconds}",
        f"--storage-options={json.dumps(reached)}",
        *more,
    ]
    return Serving(name, "open_loader as it comes", OUR_PYTHON, "ours", arguments, environment=place.environment)


def _rival(place: _Place, wanted: _Set, name: str, way: str, depth: int) -> Contestant:
    arguments = [
        str(place.keys),
        f"--endpoint={place.endpoint}",
        f"--bucket={place.bucket}",
        f"--way={way}",
        f"--depth={depth}",
        f"--object-bytes={wanted.record_bytes}",
        f"--min-seconds={wanted.min_seconds}",
        *([f"--ca-file={place.ca_file}"] if place.ca_file else []),
        *(["--azure"] if place.azure else []),
    ]
    return Serving(
        name, f"{depth} objects under way", RIVALS_PYTHON, "object_reader", arguments, environment=place.environment
    )


@contextmanager
def _null(wanted: _Set) -> Iterator[_Place]:
    yield from _served(wanted, Address())


@contextmanager
def _null_of_azure(wanted: _Set) -> Iterator[_Place]:
    yield from _served(wanted, Address(), azure=True)


@contextmanager
def _null_by_tls(wanted: _Set) -> Iterator[_Place]:
    with temporary_folder() as folder:
        certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
        make = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {certificate} -subj /CN=localhost"
        names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        # obstore takes no certificate of an authority as a server's.
        server = ["-addext", "basicConstraints=critical,CA:FALSE"]
        run_command([*make.split(), *names, *server], check=True, capture_output=True)
        yield from _served(wanted, Address(tls_cert=certificate, tls_key=key))


def _served(wanted: _Set, address: Address, *, azure: bool = False) -> Iterator[_Place]:
    workload = wanted.workload
    with serving(workload, address, processes=2) as fleet, temporary_folder() as folder:
        yield _Place(
            fleet.url, "bucket", _write_keys(folder, workload), _credentials(fleet.url), address.tls_cert, azure
        )


@contextmanager
def _seaweed(wanted: _Set) -> Iterator[_Place]:
    with seaweedfs() as server, temporary_folder() as folder:
        server.make_bucket("bucket")
        environment = _credentials(server.endpoint_url, server.access_key_id, server.secret_access_key)
        place = ["dataset.data_folder=s3://bucket/data", "--progress", "none"]
        run([OUR_COMMAND, "generate", "demo", *wanted.changes, *place], environment=environment)
        yield _Place(server.endpoint_url, "bucket", _write_keys(folder, wanted.workload), environment)


@contextmanager
def _nginx(wanted: _Set) -> Iterator[_Place]:
    with temporary_folder(MEMORY_FOLDER) as folder:
        root, listing = folder / "root", folder / "listing.xml"
        place = [f"dataset.data_folder={root}/bucket/data", "--progress", "none"]
        run([OUR_COMMAND, "generate", "demo", *wanted.changes, *place])
        keys = _write_keys(folder, wanted.workload)
        listing.write_text(_listing(root / "bucket", keys.read_text().split("\n")))
        with nginx(root, workers=1, listing=("bucket", listing), sendfile=False) as server:
            yield _Place(server.endpoint_url, "bucket", keys, _credentials(server.endpoint_url))


def _listing(bucket: Path, keys: Sequence[str]) -> str:
    """Of all keys, as S3 lists objects, in one page."""
    objects = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<Size>{(bucket / key).stat().st_size}</Size></Contents>"
        for key in keys
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>false</IsTruncated>'
        f"<KeyCount>{len(keys)}</KeyCount>{objects}</ListBucketResult>"
    )


def _write_keys(folder: Path, workload: Workload) -> Path:
    files, path = training_files(workload), folder / "keys.txt"
    path.write_text("\n".join(f"data/{files.key(number)}" for number in range(len(files))))
    return path


def _credentials(endpoint: str, key: str = "any", secret: str = "any") -> Mapping[str, str]:
    """For every client, in the variables that it reads."""
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AZURE_BLOB_KEY": _KEY,
    }


def _cost_targets(names: Sequence[str], limit: float) -> list[Target]:
    return [Target(f"CPU time, times {name}'s", limit, partial(_cost_ratio, name), at_least=False) for name in names]


def _ratio(name: str, case: Case) -> float | None:
    return case.ratio(name)


def _cost_ratio(name: str, case: Case) -> float | None:
    return case.cost_ratio(name)


def _bytes_per_second(case: Case) -> float | None:
    turns = sorted(turn.bytes_per_second for turn in case.turns[_OURS])
    return turns[len(turns) // 2] if turns else None
