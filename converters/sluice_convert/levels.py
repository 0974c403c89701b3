"""The coarse resolutions of a product held against its finest voxels: each is every second, fourth, ... of them."""

import threading

import numpy as np

from .differences import differs
from .report import Fault

PLACES = 8


def places(blocks, count):
    """Blocks all over the product, and one of each field."""
    first_of_each = {(block.get("entry"), block.get("field")): block for block in reversed(blocks)}
    last = max(1, len(blocks) - 1)
    return [*first_of_each.values(), *(blocks[k * last // (count - 1)] for k in range(count) if blocks[1:])]


class Levels:
    """Compares on several threads; `problem` is the first Fault.

    All resolutions in some blocks of `chosen`; of a product that is proven completely, `everywhere`, those that
    together have every coarse voxel that is stored.
    """

    def __init__(self, chosen, everywhere, count=PLACES):
        self.problem = None
        self._everywhere, self._lock = everywhere, threading.Lock()
        self._places, self._counts = set(map(id, places(chosen, count))), {}

    def check(self, reader, outer, run, field, values):
        """`values` are what `reader` read of the box `outer`, which holds the blocks of `run`."""
        chosen = any(id(block) in self._places for block in run)
        coarse = reader.coarse if chosen else reader.stored if self._everywhere else ()
        if not coarse:
            return
        key, count, problem = (run[0].get("entry"), field), 0, None
        try:
            count = compare(reader, coarse, outer, run[0]["timestep"], field, values)
        except Fault as fault:
            problem = fault
        with self._lock:
            self.problem = self.problem or problem
            self._counts[key] = max(count, self._counts.get(key, 0))

    def count(self):
        """How many were compared, of the field with the fewest."""
        return min(self._counts.values(), default=0)


def compare(reader, coarse, box, timestep, field, values):
    """Compare those resolutions that have voxels in the box; returns how many. Raises `product_differs`."""
    lower, upper = (list(corner[: reader.rank]) for corner in box)
    strides, compared = [1] * reader.rank, 0
    for dropped, axis in enumerate(reader.halvings[: max(coarse)], 1):
        strides[axis] *= 2
        first = [-(-place // stride) * stride for place, stride in zip(lower, strides)]
        if any(place >= end for place, end in zip(first, upper)):
            break  # the box holds no voxel of this resolution
        if dropped not in coarse:
            continue
        steps = [slice(start - low, None, step) for start, low, step in zip(first, lower, strides)][::-1]
        wanted, found = values[tuple(steps)], reader.read(lower, upper, timestep, field, dropped)
        if found.shape != wanted.shape or np.ascontiguousarray(found).tobytes() != wanted.tobytes():
            raise differs(
                f"{reader.coarse[dropped]} does not hold the finest voxels at steps of {strides} in the field {field} "
                f"at timestep {timestep} in the box {lower} to {upper}."
            )
        compared += 1
    return compared
