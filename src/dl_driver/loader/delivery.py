# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a sample to reads through a buffer, and from bytes that arrived to a checked sample in its place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol

import numpy as np

from dl_driver.errors import DataError, FormatError
from dl_driver.formats.base import ArraySpec, Layout, StreamDecoder, views
from dl_driver.formats.expectation import Decoder
from dl_driver.loader.buffers import buffer_of
from dl_driver.loader.filling import TAG_SHIFT
from dl_driver.loader.plan import Delivery, LoaderPlan
from dl_driver.loader.stages import StageWatch
from dl_driver.storage.base import Completion, Read

_ALIGN = 64


@dataclass(slots=True)
class Task:
    """One sample on its way."""

    number: int
    """Unique in the worker; the tag of its reads, shifted by the window's number."""
    file: int
    sample: int
    key: str
    place: memoryview
    """Its bytes in the slab."""
    submitted_ns: int = 0
    first_byte_ns: int = -1
    done_ns: int = 0
    read_bytes: int = 0
    decode_ns: int = 0
    length: int = 0
    layout: Layout = ()
    buffers: Sequence[memoryview] = ()
    stream: "StreamState | None" = None


@dataclass(slots=True)
class StreamState:
    """A file passing by in windows."""

    decoder: StreamDecoder
    expected_bytes: int | None
    submitted: int = 0
    """Windows asked for."""
    returned: int = 0
    fed: int = 0
    ended: bool = False
    arrived: dict[int, int] = field(default_factory=dict)
    """Length of each window that came and was not fed yet."""
    copied: int = 0
    fed_bytes: int = 0


class Deliverer(Protocol):
    """Turns tasks into reads, and completions into delivered tasks."""

    def begin(self, task: Task) -> Sequence[Read]:
        """The first reads of a task."""
        ...

    def complete(self, task: Task, completion: Completion, window: int) -> Sequence[Read] | None:
        """Take one read's bytes: None when the task is delivered, else its further reads (perhaps none yet). Raises
        FormatError or DataError, without the file's name, when the bytes are not what they should be."""
        ...

    def forget(self, task: Task) -> None:
        """The task is over: its buffers may be used by another."""
        ...


def make_deliverer(plan: LoaderPlan, decoder: Decoder, max_tasks: int, watch: StageWatch) -> Deliverer:
    """The deliverer for a plan; ``max_tasks`` are in flight at once."""
    if plan.delivery is Delivery.COPY:
        return CopyDelivery(plan, decoder, max_tasks, watch)
    return WindowDelivery(plan, decoder, max_tasks, watch)


class CopyDelivery:
    """See Delivery.COPY."""

    def __init__(self, plan: LoaderPlan, decoder: Decoder, max_tasks: int, watch: StageWatch) -> None:
        self._file_bytes, self._decoder, self._watch = plan.file_bytes, decoder, watch
        self._samples_per_file, self._crop = plan.samples_per_file, plan.crop_bytes
        self._buffers = _Buffers(max_tasks, plan.file_bytes)

    def begin(self, task: Task) -> Sequence[Read]:
        """See Deliverer."""
        task.buffers = (self._buffers.take(),)
        return (Read(task.key, 0, self._file_bytes, task.buffers[0], task.number),)

    def complete(self, task: Task, completion: Completion, window: int) -> Sequence[Read] | None:
        """See Deliverer."""
        check_room(completion.length, self._file_bytes)
        task.submitted_ns, task.done_ns = completion.submitted_ns, completion.done_ns
        if completion.first_byte_ns is not None:
            task.first_byte_ns = completion.first_byte_ns
        data = task.buffers[0][: completion.length]
        layout, task.decode_ns = self._watch.decoding(self._decoder.decode, data)
        decoded_ns = perf_counter_ns()
        self._deliver(task, views(data, layout))
        self._watch.copy_ns += perf_counter_ns() - decoded_ns
        task.read_bytes = completion.length
        return None

    def forget(self, task: Task) -> None:
        """See Deliverer."""
        self._buffers.give_back(task)

    def _deliver(self, task: Task, arrays: "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]") -> None:
        layout, offset = [], 0
        for name, whole in arrays.items():
            array = _sample_of(name, whole, task.sample, self._samples_per_file)
            if self._crop:
                flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                array = flat[: self._crop].reshape(crop_shape(min(self._crop, flat.size)))
            offset = -(-offset // _ALIGN) * _ALIGN
            if offset + array.nbytes > len(task.place):
                raise DataError(f"a sample takes more than the {len(task.place)} bytes that the workload leaves for it")
            spec = ArraySpec(name, array.dtype.str, array.shape, offset)
            np.ndarray(array.shape, array.dtype, task.place, offset)[...] = array
            layout.append(spec)
            offset += array.nbytes
            if self._crop:
                break
        task.layout, task.length = tuple(layout), offset


class WindowDelivery:
    """See Delivery.WINDOWS: two windows a task, so that one is read while the other is checked."""

    WINDOWS = 2

    def __init__(self, plan: LoaderPlan, decoder: Decoder, max_tasks: int, watch: StageWatch) -> None:
        self._decoder, self._files, self._crop = decoder, plan.files, plan.crop_bytes
        self._window, self._watch = plan.window_bytes, watch
        self._buffers = _Buffers(max_tasks * self.WINDOWS, plan.window_bytes)

    def begin(self, task: Task) -> Sequence[Read]:
        """See Deliverer."""
        task.buffers = tuple(self._buffers.take() for _ in range(self.WINDOWS))
        task.stream = StreamState(self._decoder.stream(), self._files.size(task.file))
        return self._further(task, task.stream)

    def complete(self, task: Task, completion: Completion, window: int) -> Sequence[Read] | None:
        """See Deliverer."""
        state = task.stream
        assert state is not None
        state.returned += 1
        state.arrived[window] = completion.length
        task.submitted_ns = task.submitted_ns or completion.submitted_ns
        if window == 0 and completion.first_byte_ns is not None:
            task.first_byte_ns = completion.first_byte_ns
        while state.fed in state.arrived:
            self._feed(task, state, state.arrived.pop(state.fed))
            state.fed += 1
        if not state.ended:
            return self._further(task, state)
        if state.returned < state.submitted:
            return ()
        task.done_ns = completion.done_ns
        self._finish(task, state)
        return None

    def forget(self, task: Task) -> None:
        """See Deliverer."""
        self._buffers.give_back(task)
        task.stream = None

    def _further(self, task: Task, state: StreamState) -> Sequence[Read]:
        reads = []
        while state.submitted < state.fed + self.WINDOWS and self._wanted(state):
            window = state.submitted
            into = task.buffers[window % self.WINDOWS]
            tag = window << TAG_SHIFT | task.number
            reads.append(Read(task.key, window * self._window, self._window, into, tag, session=task.number))
            state.submitted += 1
        return reads

    def _wanted(self, state: StreamState) -> bool:
        """Not a window past the expected end, unless all before it came back full."""
        if state.expected_bytes is None or state.submitted * self._window < state.expected_bytes:
            return True
        return state.fed == state.submitted

    def _feed(self, task: Task, state: StreamState, length: int) -> None:
        if state.ended:
            if length:
                raise FormatError("the file grew while it was read")
            return
        window = task.buffers[state.fed % self.WINDOWS][:length]
        _, decode_ns = self._watch.decoding(state.decoder.feed, window)
        task.decode_ns += decode_ns
        decoded_ns = perf_counter_ns()
        self._copy_crop(task, state, window)
        self._watch.copy_ns += perf_counter_ns() - decoded_ns
        state.fed_bytes += length
        state.ended = length < self._window

    def _copy_crop(self, task: Task, state: StreamState, window: memoryview) -> None:
        arrays = state.decoder.layout_so_far
        if not arrays or state.copied == self._crop:
            return
        first = arrays[0].offset + state.copied - state.fed_bytes
        count = min(self._crop - state.copied, array_bytes(arrays[0]) - state.copied, len(window) - first)
        if first >= 0 and count > 0:
            task.place[state.copied : state.copied + count] = window[first : first + count]
            state.copied += count

    def _finish(self, task: Task, state: StreamState) -> None:
        layout, decode_ns = self._watch.decoding(state.decoder.finish)
        task.decode_ns += decode_ns
        task.layout = (ArraySpec(layout[0].name, "|u1", crop_shape(state.copied), 0),)
        task.length, task.read_bytes = state.copied, state.fed_bytes


def crop_shape(num_bytes: int) -> tuple[int, ...]:
    """Square where it can be, as DLIO's resized image."""
    side = math.isqrt(num_bytes)
    return (side, side) if side * side == num_bytes else (num_bytes,)


def array_bytes(array: ArraySpec) -> int:
    """Bytes of an array."""
    return math.prod(array.shape) * np.dtype(array.dtype).itemsize


class _Buffers:
    """Page-aligned buffers of one size, used again and again."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._size = count, size
        self._free: list[memoryview] = []
        self._made = 0

    def take(self) -> memoryview:
        """A free buffer; memory is taken from the system only when first needed."""
        if not self._free:
            self._made += 1
            return buffer_of(self._size)
        return self._free.pop()

    def give_back(self, task: Task) -> None:
        """A task's buffers are free."""
        self._free.extend(task.buffers)
        task.buffers = ()


def check_room(length: int, room: int) -> None:
    if length >= room:
        raise DataError(
            f"holds at least {length} bytes, more than the {room - 1} that the workload allows for; check"
            " dataset.record_length_bytes, record_element_type and num_samples_per_file against the data set"
        )


def _sample_of(
    name: str, array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", sample: int, samples_per_file: int
) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """The sample along the last axis, as DLIO's files hold them."""
    if samples_per_file == 1:
        return array
    if array.ndim == 0 or array.shape[-1] != samples_per_file:
        raise DataError(
            f"array {name!r} has shape {array.shape}, expected {samples_per_file} samples along the last axis"
            " (dataset.num_samples_per_file)"
        )
    return array[..., sample]
