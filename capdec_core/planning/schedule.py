"""Cells dealt to machines that work side by side, one cell at a time each, the longest first."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Seconds that each machine works."""

    loads: Sequence[float]

    @property
    def wall(self) -> float:
        """Seconds until the last machine has finished."""
        return max(self.loads)

    @property
    def idle(self) -> float:
        """Share of all machines' time in which they wait for the last one."""
        return 1 - sum(self.loads) / (len(self.loads) * self.wall) if self.wall else 0.0


def longest_first(seconds: Sequence[float], machines: int) -> Schedule:
    """Deal cells that take these seconds: each to the machine that is free first, the longest cells first.

    The last machine finishes no later than 4/3 of the best possible time (Graham 1969, "Bounds on multiprocessing
    timing anomalies"). ValueError for no machine.
    """
    if machines < 1:
        raise ValueError(f"a schedule needs at least one machine, not {machines}")
    loads = [0.0] * machines
    for each in sorted(seconds, reverse=True):
        heapq.heappush(loads, heapq.heappop(loads) + each)
    return Schedule(sorted(loads, reverse=True))
