"""When the reader thread reads the channel in place of the main thread. Entirely passive.

The main thread reads by itself whenever it waits for work: a request that is handed from one thread to another costs
two wake-ups, which is more than all the rest of a short one. So the reader thread only looks, once a tick, whether the
main thread has been away from the channel since the tick before. When nothing happens for a while it rests, until it is
woken.
"""

from __future__ import annotations

__all__ = ["READ", "REST", "TICK", "TICKS_TO_REST", "ReadingTurn"]

TICK = "tick"
"""Look again after a tick."""
REST = "rest"
"""Wait to be woken: the main thread waits for work, and says when it has got some."""
READ = "read"
"""It is away: read until it wants to read again."""

TICKS_TO_REST = 8


class ReadingTurn:
    """See the module."""

    def __init__(self) -> None:
        self._seen_reads = 0
        self._seen_away = False
        self._quiet_ticks = 0

    def on_tick(self, reads: int, is_reading: bool) -> str:
        """What to do now.

        ``reads`` counts how often the main thread has begun to read, ``is_reading``: whether it does now.
        """
        same, self._seen_reads = self._seen_reads == reads, reads
        was_away, self._seen_away = self._seen_away, not is_reading
        if not is_reading:
            self._quiet_ticks = 0
            return READ if same and was_away else TICK
        self._quiet_ticks = self._quiet_ticks + 1 if same and not was_away else 0
        if self._quiet_ticks < TICKS_TO_REST:
            return TICK
        self._quiet_ticks = 0
        return REST
