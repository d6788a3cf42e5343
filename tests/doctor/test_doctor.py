# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import resource
import sys

import pytest

from dl_driver.cli.main import main
from dl_driver.doctor import machine
from dl_driver.doctor.findings import Finding, Grade, anything_missing
from dl_driver.doctor.store import examine_store, examine_uri
from dl_driver.errors import StorageError, UnreachableError
from dl_driver.storage import open_storage
from dl_driver.storage.engines.greeting import Greeting
from dl_driver.storage.memory import MemoryStorage

NAMES = ["list", "put", "stat", "latency", "bandwidth", "delete"]


def by_name(findings):
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize("scheme", ["file", "direct"])
def test_a_folder_that_works(tmp_path, scheme):
    (tmp_path / "a").write_bytes(b"x")
    found = by_name(examine_store(open_storage(f"{scheme}://{tmp_path}"), 1 << 20))
    assert list(found) == NAMES
    assert not anything_missing(found.values())
    assert found["list"].text.startswith("1 objects")
    assert found["bandwidth"].value > 0
    assert os.listdir(tmp_path) == ["a"]


def test_a_storage_in_memory():
    found = by_name(examine_store(open_storage("memory://doctor"), 1 << 20))
    assert list(found) == NAMES
    assert {finding.grade for finding in found.values()} == {Grade.OK}


class Refusing(MemoryStorage):
    """Refuses one operation."""

    def __init__(self, name, operation):
        super().__init__(f"memory://{name}", open_storage("memory://x").settings)
        self.operation = operation

    def refuse(self, operation):
        if operation == self.operation:
            raise StorageError(f"cannot {operation}: access denied")

    def list(self, prefix=""):
        self.refuse("list")
        return super().list(prefix)

    def put(self, key, pieces, *, durable=False):
        self.refuse("put")
        return super().put(key, pieces, durable=durable)

    def delete(self, keys):
        self.refuse("delete")
        return super().delete(keys)


@pytest.mark.parametrize(("operation", "names"), [("list", NAMES), ("put", ["list", "put"]), ("delete", NAMES)])
def test_a_refusal_is_told_and_the_rest_goes_on(operation, names):
    found = by_name(examine_store(Refusing(f"refusing-{operation}", operation), 1 << 20))
    assert list(found) == names
    assert found[operation].grade is Grade.MISSING
    assert found[operation].text == f"cannot {operation}: access denied"
    assert found[operation].advice
    assert [name for name, finding in found.items() if finding.grade is Grade.MISSING] == [operation]


def test_a_storage_that_keeps_nothing_is_found_out():
    found = by_name(examine_store(open_storage("null://"), 1 << 20))
    assert "wrote 1048576 bytes" in found["stat"].text
    assert found["stat"].grade is Grade.MISSING


def test_the_storage_tells_who_one_is():
    storage = open_storage("memory://identified")
    storage.who_am_i = lambda: "user reader"
    assert next(iter(examine_store(storage, 4096))) == Finding("identity", Grade.OK, "user reader")


def test_servers_clocks_are_compared():
    storage = open_storage("memory://remote")
    storage.greet = lambda: iter([Greeting("http://a", 2_500_000, 0.4), Greeting("http://b", 1000, -3600.0)])
    first, second = list(examine_store(storage, 4096))[:2]
    assert (first.grade, first.text) == (Grade.OK, "http://a answers in 2.5 ms")
    assert (second.name, second.grade) == ("reach", Grade.ADVICE)
    assert "its clock is 3,600 s behind this machine's" in second.text
    assert "set the clock" in second.advice


def test_a_server_that_does_not_answer_is_all_that_is_told():
    def greet():
        raise UnreachableError("GET at http://a: refused")
        yield

    storage = open_storage("memory://gone")
    storage.greet = greet
    (finding,) = examine_store(storage, 4096)
    assert (finding.name, finding.grade, finding.text) == ("reach", Grade.MISSING, "GET at http://a: refused")


@pytest.mark.parametrize(
    ("place", "text"), [("/no/such/folder", "/no/such/folder is no folder"), ("nowhere://x", "no storage backend")]
)
def test_what_cannot_be_reached(place, text):
    (finding,) = examine_uri(place)
    assert finding.name == "reach"
    assert finding.grade is Grade.MISSING
    assert text in finding.text


def test_a_missing_folder_is_not_made(tmp_path):
    list(examine_uri(str(tmp_path / "new")))
    assert os.listdir(tmp_path) == []


def test_the_machines_findings_have_their_names(tmp_path):
    found = by_name(machine.examine_machine(str(tmp_path)))
    assert list(found) == [
        "io_uring", "o_direct", "open_files", "locked_memory", "clock", "timers", "cores", "memory", "dev_shm",
    ]  # fmt: skip
    assert found["cores"].value <= os.cpu_count()
    assert 0 < found["clock"].value < 1_000_000
    assert all(finding.advice for finding in found.values() if finding.grade is not Grade.OK)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("limit", "capabilities", "grade"),
    [
        (8 << 20, "0000000000000000", Grade.ADVICE),
        (8 << 20, "0000000000004000", Grade.OK),  # CAP_IPC_LOCK is bit 14.
        (1 << 30, "0000000000000000", Grade.OK),
        (resource.RLIM_INFINITY, "0000000000000000", Grade.OK),
    ],
)
def test_locked_memory(monkeypatch, limit, capabilities, grade):
    monkeypatch.setattr(machine.resource, "getrlimit", lambda which: (limit, limit))
    monkeypatch.setattr(machine, "_read", lambda path: f"Name:\tpython\nCapEff:\t{capabilities}\n")
    assert machine.locked_memory().grade is grade


@pytest.mark.parametrize(
    ("limit", "grade"),
    [(64, Grade.MISSING), (1024, Grade.ADVICE), (4096, Grade.OK), (resource.RLIM_INFINITY, Grade.OK)],
)
def test_open_files(monkeypatch, limit, grade):
    monkeypatch.setattr(machine.resource, "getrlimit", lambda which: (limit, resource.RLIM_INFINITY))
    assert machine.open_files().grade is grade


def test_direct_io_in_memory_is_none():
    assert "in memory" in machine.direct_io("/dev/shm").text


@pytest.mark.parametrize(
    ("told", "grade", "text"),
    [
        ((512, 4096), Grade.OK, "offsets in steps of 4096 bytes, memory of 512"),
        ((512, 65536), Grade.ADVICE, "offsets in steps of 65536 bytes"),
        ((0, 0), Grade.ADVICE, "does not support it"),
        ((None, None), Grade.OK, "does not tell the alignment"),
    ],
)
def test_direct_io_by_what_the_kernel_tells(monkeypatch, told, grade, text):
    monkeypatch.setattr(machine, "_alignment_of_new_file", lambda folder: told)
    monkeypatch.setattr(machine, "file_system_type", lambda folder: 0)
    finding = machine.direct_io("/data")
    assert finding.grade is grade
    assert text in finding.text


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", None), ("150000 100000", 1.5), ("", None)])
def test_a_containers_quota(monkeypatch, quota, cores):
    monkeypatch.setattr(machine, "_read", lambda path: quota)
    assert machine._cpu_quota() == cores


def test_the_command(monkeypatch, capsys, tmp_path):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dl-driver", "doctor", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    status, out = call(str(tmp_path), "--json")
    told = json.loads(out)
    assert (status, told["ready"]) == (0, True)
    assert [finding["name"] for finding in told["findings"]][-6:] == NAMES
    status, out = call("/no/such/folder")
    assert status == 1
    assert "reach: make it" in out
