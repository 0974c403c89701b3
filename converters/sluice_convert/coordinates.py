"""Coordinates along the axes of an array: compared between files, joined in time, told beside the product.

metadata.json holds the values of axes up to MOST_TOLD, coordinates.json those of longer ones up to MOST_READ.
"""

import json
import os
from dataclasses import dataclass, field

import numpy as np

from .plain import plain
from .report import Fault

FILE = "coordinates.json"
MOST_TOLD, MOST_READ = 4096, 1 << 20
EVEN = 1e-6
PLACE_TOLERANCE = 1e-3  # of the smallest step: programs round the places of voxels
MEANING = ("units", "calendar")


@dataclass
class Coordinate:
    """One axis. `values` are those of `read`, or None where the file tells none; `facts` are their attributes."""

    name: str
    size: int
    values: np.ndarray | None = None
    facts: dict = field(default_factory=dict)

    @property
    def whole(self):
        return self.values is not None and len(self.values) == self.size

    @property
    def meaning(self):
        return {key: self.facts[key] for key in MEANING if key in self.facts}


def read(size, stored):
    """All values along an axis, or of a very long one the first and the last; `stored(slice)` gives some."""
    if size <= MOST_READ:
        return stored(slice(0, size))
    return np.concatenate([stored(slice(0, 1)), stored(slice(size - 1, size))])


def spacing(axis):
    """The step of even coordinates, else None."""
    if not axis.whole or axis.size < 2:
        return None
    steps = np.diff(axis.values.astype(np.int64 if axis.values.dtype.kind in "iu" else np.float64))
    even = np.isfinite(steps).all() and steps[0] != 0 and np.ptp(steps) <= EVEN * abs(steps[0])
    return float(steps.mean()) if even else None


def told(axis, long):
    """What metadata.json says of the values of an axis; those of a long one go into `long` as well, by its name."""
    if axis.values is None:
        return {}
    step = spacing(axis)
    even = {} if step is None else {"spacing": step}
    if axis.whole and axis.size <= MOST_TOLD:
        return {"values": listed(axis.values)} | even
    ends = {"first": plain(axis.values[0]), "last": plain(axis.values[-1])} | even
    if not axis.whole:
        return ends | {"values_left_out": axis.size}
    long[axis.name] = listed(axis.values)
    return ends | {"values_left_out": axis.size, "values_in": FILE}


def listed(values):
    return [plain(item) for item in values.tolist()]


def told_over_time(parts, long):
    """The same for the time axis of files that follow one another, [(name of the file, axis)].

    Where files count from different moments (or some tell none), each has its own values.
    """
    axes = [axis for _, axis in parts]
    if all(axis.values is None for axis in axes):
        return {}
    if all(axis.values is not None and axis.meaning == axes[0].meaning for axis in axes):
        return told(_joined(axes), long)
    by_file = [
        {"file": name, "size": axis.size} | axis.meaning | ({"values": listed(axis.values)} if axis.whole else {})
        for name, axis in parts
    ]
    size = sum(axis.size for axis in axes)
    if size <= MOST_TOLD:
        return {"values_by_file": by_file}
    long[axes[0].name] = by_file
    return {"values_left_out": size, "values_in": FILE}


def _joined(axes):
    size = sum(axis.size for axis in axes)
    if size <= MOST_READ:
        values = np.concatenate([axis.values for axis in axes])
    else:
        values = np.concatenate([axes[0].values[:1], axes[-1].values[-1:]])
    return Coordinate(axes[0].name, size, values, axes[0].facts)


def check_places(first, other, first_name, other_name):
    """Refuse to join files whose voxels lie at other places. Both are the axes that are not time, in one order.

    Raises slice_mismatch.
    """
    for one, two in zip(first, other):
        units = [axis.facts.get("units", "") for axis in (one, two)]
        if one.values is None or two.values is None:
            continue
        distance = apart(one, two)
        if distance > 0:
            why = f"their voxels lie at other places (the coordinates of axis {one.name} differ by up to {distance:g})"
        elif units[0] != units[1] and "" not in units:
            why = f"the units of axis {one.name} are {units[0]} in the first and {units[1]} in the second"
        else:
            continue
        raise Fault(
            "slice_mismatch",
            f"{first_name} and {other_name} cannot follow one another: {why}. Upload them as separate datasets.",
        )


def apart(first, other):
    """How far the coordinates of two axes of one size lie apart, 0 where that is not more than rounding."""
    known, other_known = (np.isfinite(axis.values) for axis in (first, other))
    if not np.array_equal(known, other_known):
        return float("inf")
    left, right = first.values[known].astype(np.float64), other.values[known].astype(np.float64)
    if not left.size:
        return 0.0
    gaps = np.abs(np.diff(left))
    gaps = gaps[gaps > 0]
    step = gaps.min() * (len(first.values) - 1) / (first.size - 1) if gaps.size else 0.0
    kinds = [axis.values.dtype for axis in (first, other) if axis.values.dtype.kind == "f"]
    rounding = 2 * np.abs(left) * float(max((np.finfo(kind).eps for kind in kinds), default=0.0))
    distance = np.abs(left - right)
    return float(distance.max()) if (distance > np.maximum(rounding, PLACE_TOLERANCE * step)).any() else 0.0


def write(output, long):
    """Write coordinates.json beside the product where an axis is long."""
    if long:
        with open(os.path.join(output, FILE), "w", encoding="utf-8") as file:
            json.dump(long, file, ensure_ascii=False, allow_nan=False)
