# SPDX-FileCopyrightText: 2026 The dl-driver authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a command is, on stderr: a line that rewrites itself, plain lines, JSON lines, or nothing."""

import json
import sys
from enum import StrEnum
from time import monotonic

_TELLING_S = 1.0
"""Before, most of the time was the processes' start, which says nothing of the time that is left."""
_INTERVAL_S = {"live": 0.1, "plain": 2.0, "json": 1.0}


class ProgressStyle(StrEnum):
    """Choices of --progress; auto is live on a terminal and plain elsewhere."""

    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


class Progress:
    """Shows counts as they grow; cheap when called often."""

    def __init__(self, style: ProgressStyle, what: str) -> None:
        if style is ProgressStyle.AUTO:
            style = ProgressStyle.LIVE if sys.stderr.isatty() else ProgressStyle.PLAIN
        self._style, self._what = style, what
        self._started = self._shown = monotonic()

    def update(self, done: int, total: int, num_bytes: int = 0) -> None:
        """Say so if it is time, and at the end."""
        if self._style is ProgressStyle.NONE:
            return
        now = monotonic()
        if done < total and now - self._shown < _INTERVAL_S[self._style.value]:
            return
        self._shown = now
        self._show(done, total, num_bytes, now - self._started)

    def note(self, text: str) -> None:
        """A line about something that happened."""
        if self._style is ProgressStyle.JSON:
            print(json.dumps({"note": text}), file=sys.stderr)
        elif self._style is not ProgressStyle.NONE:
            print(text, file=sys.stderr)

    def _show(self, done: int, total: int, num_bytes: int, seconds: float) -> None:
        left = (total - done) * seconds / done if done and seconds > _TELLING_S else None
        if self._style is ProgressStyle.JSON:
            values = {"what": self._what, "done": done, "total": total, "bytes": num_bytes}
            print(json.dumps(values | {"seconds": round(seconds, 3), "seconds_left": left}), file=sys.stderr)
            return
        rate = num_bytes / seconds / 2**20 if seconds else 0.0
        text = f"{self._what}: {done:,} of {total:,}"
        text += f", {num_bytes / 2**20:,.1f} MiB, {rate:,.0f} MiB/s" if num_bytes else ""
        text += f", {left:.0f} s left" if left and done < total else ""
        if self._style is ProgressStyle.LIVE:
            print(f"\r{text}\x1b[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr)
