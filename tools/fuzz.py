# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python tools/fuzz.py TARGET --executions N --seed S``: hand damaged files to a parser and see that it stays sane.

Every input is a function of the seed and its number: a valid file (fuzz_targets.py makes some of each kind), changed in
one to four places. Of a parser nothing may come out but FormatError or DataError, within bounds of time and memory. It
runs in a process of its own, so that a crash of a library is a finding like any other: the input is written to a file,
and how to repeat it is printed. A summary in JSON is the result; the exit status is 1 where something was found.
"""

import argparse
import json
import mmap
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, process_time, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others take address space far beyond what they use

Parts = Sequence[bytes]
"""An input: a file and what stands beside it."""

_MOST_FINDINGS = 20
_BOUNDARIES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
               0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 1 << 40, (1 << 62) - 1)  # fmt: skip
_WIDTHS = (1, 2, 4, 8)
_POLL_SECONDS = 0.2
_STUCK_SECONDS = 120
_PROGRESS = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and valid inputs for it."""

    seeds: Callable[[], Sequence[Parts]]
    parse: Callable[[Parts], object]
    """Goes as far as reading samples does; asserts what must be true of an input that it takes."""
    repair: Callable[[list[bytearray], Random], None] | None = None
    """Makes checksums right again, so that damage gets past them; applied to half of the inputs."""


# Damage


def flip(data: bytearray, random: Random) -> None:
    """A bit."""
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_byte(data: bytearray, random: Random) -> None:
    """A byte of any value."""
    data[random.randrange(len(data))] = random.randrange(256)


def set_boundary(data: bytearray, random: Random) -> None:
    """A number at the edge of what fits into its bytes."""
    width = random.choice(_WIDTHS)
    value = random.choice(_BOUNDARIES) + random.randrange(-1, 2)
    at = random.randrange(len(data))
    order = "little" if random.random() < 0.8 else "big"
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)


def edit_length(data: bytearray, random: Random) -> None:
    """A number that could be a length or an offset within the file: a little more, less, or the file's own length."""
    width = random.choice((1, 2, 4, 8))
    for _ in range(16):
        at = random.randrange(len(data))
        value = int.from_bytes(data[at : at + width], "little")
        if 0 < value <= len(data) + 16 and at + width <= len(data):
            changed = random.choice(
                (value + 1, value - 1, value * 2, value // 2, len(data), value + random.randrange(-16, 16))
            )
            data[at : at + width] = (changed % (1 << 8 * width)).to_bytes(width, "little")
            return


def truncate(data: bytearray, random: Random) -> None:
    """The end is missing."""
    del data[random.randrange(len(data)) :]


def remove(data: bytearray, random: Random) -> None:
    """Some bytes are missing."""
    at = random.randrange(len(data))
    del data[at : at + 1 + random.randrange(min(64, len(data)))]


def repeat(data: bytearray, random: Random) -> None:
    """Some bytes stand there again, before or after."""
    start = random.randrange(len(data))
    part = data[start : start + 1 + random.randrange(min(256, len(data)))]
    at = random.randrange(len(data) + 1)
    data[at:at] = part


def overwrite(data: bytearray, random: Random) -> None:
    """Some bytes stand where others were."""
    start, at = random.randrange(len(data)), random.randrange(len(data))
    part = data[start : start + 1 + random.randrange(min(256, len(data)))]
    data[at : at + len(part)] = part


def extend(data: bytearray, random: Random) -> None:
    """Bytes follow the end."""
    data += random.randbytes(1 + random.randrange(32))


_DAMAGES = (flip, flip, set_byte, set_boundary, set_boundary, edit_length, edit_length, truncate, remove, repeat,
            overwrite, extend)  # fmt: skip


def splice(parts: list[bytearray], other: Parts, random: Random) -> None:
    """The beginning of one input, the end of another."""
    number = random.randrange(min(len(parts), len(other)))
    if parts[number] and other[number]:
        parts[number][random.randrange(len(parts[number])) :] = other[number][random.randrange(len(other[number])) :]


def make_input(target: Target, seeds: Sequence[Parts], seed: int, number: int) -> Parts:
    """Input number ``number``."""
    random = Random(seed << 40 | number)
    parts = [bytearray(part) for part in random.choice(seeds)]
    if random.randrange(16) == 0:
        splice(parts, random.choice(seeds), random)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        part = parts[random.randrange(len(parts))]
        if part:
            random.choice(_DAMAGES)(part, random)
    if target.repair is not None and random.random() < 0.5:
        target.repair(parts, random)
    return [bytes(part) for part in parts]


# Execution


@dataclass(slots=True)
class Bounds:
    """What an execution may take."""

    cpu_seconds: float
    memory_bytes: int
    """Above what the process has before the first."""


@dataclass(slots=True)
class Finding:
    """An input that a parser did not survive as it should."""

    number: int
    what: str
    details: str = ""


@dataclass(slots=True)
class Summary:
    """Of executions; sent from the process that does them."""

    accepted: int = 0
    refused: int = 0
    slowest_cpu_seconds: float = 0.0
    slowest_number: int = -1
    grown_bytes: int = 0
    """By how much the process's memory grew, all executions together."""
    findings: list[Finding] = field(default_factory=list)


def execute(target: Target, parts: Parts) -> bool:
    """Whether the parser took the input; anything but a refusal by its own errors is raised."""
    from dl_driver.errors import DataError, FormatError

    try:
        target.parse(parts)
    except (FormatError, DataError):
        return False
    return True


def child(target: Target, seed: int, numbers: range, bounds: Bounds, channel: tuple[mmap.mmap, int]) -> None:
    """Execute, telling in ``channel``'s memory which number, and write a summary to its descriptor. Runs in a process
    of its own."""
    progress, result = channel
    seeds = target.seeds()
    for parts in seeds:
        if not execute(target, parts):
            raise AssertionError("a valid file is refused")
    before = _resident_bytes()
    limit = _address_bytes() + bounds.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    summary = Summary()
    for number in numbers:
        _PROGRESS.pack_into(progress, 0, number)
        parts = make_input(target, seeds, seed, number)
        started = process_time()
        try:
            taken = execute(target, parts)
        except Exception as error:  # every kind is a finding
            summary.findings.append(Finding(number, f"{type(error).__name__}: {error}"[:300], traceback.format_exc()))
        else:
            summary.accepted += taken
            summary.refused += not taken
        took = process_time() - started
        if took > summary.slowest_cpu_seconds:
            summary.slowest_cpu_seconds, summary.slowest_number = took, number
        if took > bounds.cpu_seconds:
            summary.findings.append(Finding(number, f"took {took:.1f} s of CPU time"))
        if len(summary.findings) >= _MOST_FINDINGS:
            break
    summary.grown_bytes = _resident_bytes() - before
    with os.fdopen(result, "w") as out:
        json.dump(_as_json(summary), out)


def _address_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def _as_json(value: Summary) -> dict[str, Any]:
    return {
        "accepted": value.accepted,
        "refused": value.refused,
        "slowest_cpu_seconds": round(value.slowest_cpu_seconds, 4),
        "slowest_number": value.slowest_number,
        "grown_bytes": value.grown_bytes,
        "findings": [[finding.number, finding.what, finding.details] for finding in value.findings],
    }


def supervise(target: Target, seed: int, numbers: range, bounds: Bounds) -> Summary:
    """Execute all these numbers, in another process as often as one dies."""
    total, progress = Summary(), mmap.mmap(-1, _PROGRESS.size)
    while numbers and len(total.findings) < _MOST_FINDINGS:
        _PROGRESS.pack_into(progress, 0, -1)
        receiver, sender = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(receiver)
            _end_with(lambda sender=sender, numbers=numbers: child(target, seed, numbers, bounds, (progress, sender)))
        os.close(sender)
        stuck = _watch(process, progress, bounds)
        with os.fdopen(receiver) as pipe:
            answer = pipe.read()
        _, status = os.waitpid(process, 0)
        at = _PROGRESS.unpack_from(progress)[0]
        if answer:
            _add(total, json.loads(answer))
            break
        if at < 0:
            raise SystemExit("fuzz: the parser refuses or does not survive a valid file; see above")
        what = stuck or f"the process ended by {_name_of(status)}"
        total.findings.append(Finding(at, what))
        total.refused += at - numbers.start  # what became of each died with the process
        numbers = range(at + 1, numbers.stop)
    return total


def _end_with(work: Callable[[], None]) -> None:
    """Of a forked process: never return."""
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(3)
    os._exit(0)


def _watch(process: int, progress: mmap.mmap, bounds: Bounds) -> str:
    """Until it ends. Kills it, and says why, where it does not get on with one input."""
    last, since, cpu_since = -2, monotonic(), 0.0
    while not os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        at, cpu = _PROGRESS.unpack_from(progress)[0], _cpu_seconds(process)
        if at != last:
            last, since, cpu_since = at, monotonic(), cpu
        elif at >= 0 and (cpu - cpu_since > 2 * bounds.cpu_seconds or monotonic() - since > _STUCK_SECONDS):
            os.kill(process, signal.SIGKILL)
            return f"was not done after {cpu - cpu_since:.1f} s of CPU time, {monotonic() - since:.0f} s in all"
        sleep(_POLL_SECONDS)
    return ""


def _cpu_seconds(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _name_of(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"status {os.WEXITSTATUS(status)}"


def _add(total: Summary, answer: dict[str, Any]) -> None:
    total.accepted += answer["accepted"]
    total.refused += answer["refused"]
    total.grown_bytes = max(total.grown_bytes, answer["grown_bytes"])
    total.findings += [Finding(*finding) for finding in answer["findings"]]
    if answer["slowest_cpu_seconds"] > total.slowest_cpu_seconds:
        total.slowest_cpu_seconds = answer["slowest_cpu_seconds"]
        total.slowest_number = answer["slowest_number"]


# The command


def main() -> int:
    """See the module."""
    from fuzz_targets import TARGETS

    arguments = _arguments(sorted(TARGETS))
    target = TARGETS[arguments.target]
    bounds = Bounds(arguments.cpu_seconds, arguments.memory_mib << 20)
    if arguments.input:
        print("taken" if execute(target, [path.read_bytes() for path in arguments.input]) else "refused")
        return 0
    started = monotonic()
    numbers = range(arguments.first, arguments.first + arguments.executions)
    found = supervise(target, arguments.seed, numbers, bounds)
    for finding in found.findings:
        _tell(arguments, target, finding)
    report = _as_json(found) | {
        "target": arguments.target,
        "seed": arguments.seed,
        "first": arguments.first,
        "executions": found.accepted + found.refused + len(found.findings),
        "seconds": round(monotonic() - started, 1),
        "findings": [{"number": finding.number, "what": finding.what} for finding in found.findings],
    }
    print(json.dumps(report))
    return 1 if found.findings else 0


def _arguments(targets: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tools/fuzz.py", description="Hand damaged files to a parser.")
    parser.add_argument("target", choices=targets)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with input number N (default 0)")
    parser.add_argument("--cpu-seconds", type=float, default=2.0, help="bound of one execution (default 2)")
    parser.add_argument("--memory-mib", type=int, default=1024, help="bound of all memory taken (default 1024)")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"), help="where inputs are written")
    parser.add_argument("--input", type=Path, nargs="+", metavar="FILE", help="only parse these files, as one input")
    return parser.parse_args()


def _tell(arguments: argparse.Namespace, target: Target, finding: Finding) -> None:
    """Write the input, and say how to come by it again."""
    parts = make_input(target, target.seeds(), arguments.seed, finding.number)
    arguments.findings.mkdir(parents=True, exist_ok=True)
    paths = [
        arguments.findings / f"{arguments.target}-{arguments.seed}-{finding.number}.{n}" for n in range(len(parts))
    ]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part)
    print(f"{arguments.target}: input {finding.number}: {finding.what}\n{finding.details}", file=sys.stderr)
    print(f"  again: python tools/fuzz.py {arguments.target} --input {' '.join(map(str, paths))}", file=sys.stderr)
    again = f"--seed {arguments.seed} --first {finding.number} --executions 1"
    print(f"  or: python tools/fuzz.py {arguments.target} {again}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
