# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard's promises, with a small Python server."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dl_driver.testing.guard import Bounds, ServerError, free_ports, guarded
from dl_driver.testing.requests import answers

SERVER = """
import http.server, os, sys
open("pid", "w").write(str(os.getpid()))
{extra}
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def server(folder: Path, port: int, extra: str = "", bounds: Bounds | None = None):
    arguments = [sys.executable, "-c", SERVER.format(extra=extra), str(port)]
    return guarded(arguments, folder, lambda: answers(f"http://127.0.0.1:{port}/"), bounds=bounds)


def is_gone(pid: int) -> bool:
    for _ in range(1000):
        try:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def until_ended(guard) -> str:
    for _ in range(3000):
        if (reason := guard.why_ended()) is not None:
            return reason
        time.sleep(0.01)
    raise AssertionError("the guard did not end the server")


def test_free_ports_are_different_and_below_those_of_clients():
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(1024 <= port < first_of_clients for port in ports)


def test_a_server_answers_inside_the_block_and_is_gone_after_it(tmp_path):
    with server(tmp_path, free_ports(1)[0]) as guard:
        pid = int((tmp_path / "pid").read_text())
        assert guard.why_ended() is None
    assert is_gone(pid)


def test_a_server_is_gone_after_an_exception(tmp_path):
    def fail():
        with server(tmp_path, free_ports(1)[0]):
            raise KeyError("the test's own")

    with pytest.raises(KeyError):
        fail()
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_server_is_gone_after_its_test_was_killed(tmp_path):
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_guard import server, free_ports
with server(Path({str(tmp_path)!r}), free_ports(1)[0]):
    print("ready", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout.readline() == "ready\n"
        os.kill(test.pid, signal.SIGKILL)
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_server_that_ends_early_is_told_with_its_log(tmp_path):
    ending = server(tmp_path, free_ports(1)[0], "print('no disk'); sys.exit(3)")
    with pytest.raises(ServerError, match=r"exited with status 3 before it answered:\n.*no disk"), ending:
        pass


def test_a_server_that_never_answers_is_given_up(tmp_path):
    silent = server(tmp_path, free_ports(1)[0], "import time; time.sleep(60)", Bounds(start_s=0.5))
    with pytest.raises(ServerError, match=r"gave no answer in 0\.5 s"), silent:
        pass
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_server_out_of_its_memory_is_ended(tmp_path):
    grow = "import threading; kept = []\nthreading.Timer(0.5, lambda: kept.append(b'x' * (200 << 20))).start()"
    with server(tmp_path, free_ports(1)[0], grow, Bounds(memory_bytes=150 << 20)) as guard:
        assert "more than 157286400 bytes of memory" in until_ended(guard)
        assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_server_out_of_its_time_is_ended(tmp_path):
    with server(tmp_path, free_ports(1)[0], bounds=Bounds(lifetime_s=2.0)) as guard:
        assert "was ended after 2 s" in until_ended(guard)
        assert is_gone(int((tmp_path / "pid").read_text()))
