# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are late and are made a second time, against a server whose every answer is written out here."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from test_http_engine import CONTENT, ScriptedServer, options, serve_ranges, whole

from dl_driver.storage import open_storage
from dl_driver.storage.base import Completion, Read, StorageSettings
from dl_driver.storage.engines.http import HttpQueue

SIZE = 1000
OBJECT = CONTENT[:SIZE]
Late = Callable[[str, int], "bytes | None"]


class Scene:
    """A server that answers all but the object ``late`` at once, and that one as told."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server, self.asked = server, Counter[str]()
        self.over = threading.Event()
        self.late: Late = lambda request, time: serve_ranges(request, content=OBJECT)
        server.answer = self._answer

    def _answer(self, request: str, _: int) -> "bytes | None":
        key = request.split()[1].rsplit("/", 1)[1]
        self.asked[key] += 1
        return self.late(request, self.asked[key]) if key == "late" else serve_ranges(request, content=OBJECT)

    def queue(self, **more: object) -> HttpQueue:
        settings = StorageSettings(options=options(self.server.url, late_share=1.0, **more))
        queue = open_storage("s3://bucket/set", settings).open_reader(4)
        assert isinstance(queue, HttpQueue)
        return queue

    def read(self, queue: HttpQueue) -> tuple[Completion, bytes]:
        """Read ``late`` while other objects are read all the time."""
        until = monotonic() + 20
        buffers = {number: memoryview(bytearray(2 * SIZE)) for number in range(4)}
        self._read_others(queue, buffers)
        queue.submit([Read("late", 0, 2 * SIZE, buffers[0], 0)])
        queue.submit([Read("other", 0, 2 * SIZE, buffers[tag], tag) for tag in (1, 2)])
        while monotonic() < until:
            for done in queue.wait(10_000_000):
                if done.tag == 0:
                    self.over.set()
                    return done, bytes(buffers[0][: done.length])
                assert done.error is None
                queue.submit([Read("other", 0, 2 * SIZE, buffers[done.tag], done.tag)])
        pytest.fail("the late read does not end")

    def _read_others(self, queue: HttpQueue, buffers: "dict[int, memoryview]") -> None:
        """For long enough that the queue knows what is usual."""
        until = monotonic() + 0.3
        while monotonic() < until:
            queue.submit([Read("other", 0, 2 * SIZE, buffers[tag], tag) for tag in buffers])
            left = len(buffers)
            while left:
                left -= len(queue.wait())


@pytest.fixture
def scene() -> Iterator[Scene]:
    server = ScriptedServer(serve_ranges)
    made = Scene(server)
    yield made
    made.over.set()
    server.close()


def test_the_second_request_brings_what_the_first_does_not(scene: Scene) -> None:
    def silent_once(request: str, time: int) -> "bytes | None":
        if time == 1:
            scene.over.wait(20)
        return serve_ranges(request, content=OBJECT)

    scene.late = silent_once
    queue = scene.queue()
    done, data = scene.read(queue)
    assert (done.error, data) == (None, OBJECT)
    assert scene.asked["late"] == 2
    assert queue.report().retries == {"late": 1}
    # The time from the first request on is the read's, and it is at least what was waited for before the second.
    assert done.done_ns - done.submitted_ns >= 50_000_000
    queue.close()


def test_the_first_request_may_still_answer(scene: Scene) -> None:
    second = threading.Event()

    def silent_twice(request: str, time: int) -> "bytes | None":
        if time == 1:
            second.wait(20)
        else:
            second.set()
            scene.over.wait(20)
        return serve_ranges(request, content=OBJECT)

    scene.late = silent_twice
    queue = scene.queue()
    done, data = scene.read(queue)
    assert (done.error, data) == (None, OBJECT)
    assert queue.report().retries == {"late": 1}
    queue.close()


@pytest.mark.parametrize(
    "answer", [None, whole(b"<Error><Code>SlowDown</Code></Error>", "503 Slow Down", ""), b"HTTP/1.1 200"]
)
def test_while_one_of_two_requests_is_under_way_the_other_may_fail(scene: Scene, answer: "bytes | None") -> None:
    second = threading.Event()

    def fail_second(request: str, time: int) -> "bytes | None":
        if time == 1:
            second.wait(20)
            scene.over.wait(0.02)
            return serve_ranges(request, content=OBJECT)
        second.set()
        return answer

    scene.late = fail_second
    queue = scene.queue()
    done, data = scene.read(queue)
    assert (done.error, data) == (None, OBJECT)
    # Left alone, it may be late once more before it answers.
    assert set(queue.report().retries) == {"late"}
    queue.close()


def test_a_late_request_whose_second_fails_is_not_left_alone(scene: Scene) -> None:
    """Three times, then the limits hold."""

    def fail_next(request: str, time: int) -> "bytes | None":
        if time == 1:
            scene.over.wait(20)
        if time <= 4:
            return whole(b"oops", "500 Internal Server Error", "")
        return serve_ranges(request, content=OBJECT)

    scene.late = fail_next
    queue = scene.queue()
    done, data = scene.read(queue)
    assert (done.error, data) == (None, OBJECT)
    assert queue.report().retries == {"late": 4}
    queue.close()


def test_what_both_requests_fail_at_is_one_attempt(scene: Scene) -> None:
    second = threading.Event()

    def fail_twice(request: str, time: int) -> "bytes | None":
        if time == 1:
            second.wait(20)
        second.set()
        failure = whole(b"oops", "500 Internal Server Error", "")
        return failure if time <= 2 else serve_ranges(request, content=OBJECT)

    scene.late = fail_twice
    queue = scene.queue(s3_max_attempts=2)
    done, data = scene.read(queue)
    assert (done.error, data) == (None, OBJECT)
    assert queue.report().retries == {"late": 1, "status 500": 1}
    queue.close()


def test_a_refusal_ends_both_requests(scene: Scene) -> None:
    def refuse_second(request: str, time: int) -> "bytes | None":
        if time == 1:
            scene.over.wait(20)
        return whole(b"<Error><Code>NoSuchKey</Code></Error>", "404 Not Found", "")

    scene.late = refuse_second
    queue = scene.queue()
    done, _ = scene.read(queue)
    assert "no such object" in str(done.error)
    queue.close()


def test_where_no_further_connection_may_be_had_the_first_request_is_given_up(scene: Scene) -> None:
    def silent_once(request: str, time: int) -> "bytes | None":
        if time == 1:
            scene.over.wait(20)
        return serve_ranges(request, content=OBJECT)

    scene.late = silent_once
    queue = scene.queue(connections=1)
    done, data = scene.read(queue)
    assert (done.error, data) == (None, OBJECT)
    assert queue.report().retries == {"late": 1}
    assert queue.report().connections == 2
    queue.close()
