"""Who checks what: boxes that lie near one another meet in one thread, where the coarse blocks around them are unpacked
once for all of them.
"""

import threading
from collections import deque

BITS = 24


class Shares:
    """Groups of proof blocks (outer box, axis, run) for some threads; one that has finished its own takes of others."""

    def __init__(self, groups, threads):
        ordered = sorted(groups, key=place)
        ends = [len(ordered) * number // threads for number in range(threads + 1)]
        self._shares = [deque(ordered[first:last]) for first, last in zip(ends, ends[1:])]
        self._lock = threading.Lock()

    def take(self, number):
        """The next group for the thread of this number, or None."""
        with self._lock:
            if self._shares[number]:
                return self._shares[number].popleft()
            longest = max(self._shares, key=len)
            return longest.pop() if longest else None

    def clear(self):
        """Nothing more is to be done."""
        with self._lock:
            for share in self._shares:
                share.clear()


def place(group):
    """Orders groups as OpenVisus orders blocks: by the bits of all axes in turn, the coarse ones first."""
    (low, _), _, run = group
    along = "".join(bit for bits in zip(*(f"{place:0{BITS}b}"[-BITS:] for place in low)) for bit in bits)
    return run[0].get("entry") or "", run[0].get("field") or "", run[0]["timestep"], along
