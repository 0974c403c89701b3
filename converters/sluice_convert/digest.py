"""Digests and value ranges of blocks: taken from the source while it is read, and from the product to prove it."""

import hashlib

import numpy as np

from . import plan


def little_endian(dtype):
    """The dtype in the byte order that digests and products use."""
    return np.dtype(dtype).newbyteorder("<")


def finite_range(values, ignored=()):
    """(min, max) as JSON numbers over finite values other than `ignored`; (None, None) if there is none."""
    if values.size == 0:
        return None, None
    low, high = values.min(), values.max()
    if ignored or not (np.isfinite(low) and np.isfinite(high)):
        values = values[valid_mask(values, ignored)]
        if values.size == 0:
            return None, None
        low, high = values.min(), values.max()
    return low.item(), high.item()


def valid_mask(values, ignored=()):
    """True where a voxel is finite and not one of the `ignored` (fill) values."""
    mask = np.isfinite(values)
    for fill in ignored:
        mask &= values != values.dtype.type(fill)
    return mask


def wider(first, second):
    """The range that covers both, where a range may be (None, None)."""
    if first[0] is None:
        return second
    if second[0] is None:
        return first
    return min(first[0], second[0]), max(first[1], second[1])


def sha256_of(values):
    """Hex digest of the C-order little-endian bytes of an array."""
    data = np.ascontiguousarray(values, dtype=little_endian(values.dtype))
    return hashlib.sha256(memoryview(data).cast("B")).hexdigest()


def slab_records(timestep, slab, values, shape, limit, ignored=()):
    """The proof entries of the blocks of one slab (z0, z1, y0, y1) in memory; a box is [[x0,y0,z0],[x1,y1,z1]].

    `shape` is that of the volume, `limit` the most bytes of a block.
    """
    return [
        _record(timestep, box, values, slab, ignored)
        for box in plan.blocks(slab, shape, values[0, 0, 0].nbytes, limit)
    ]


def _record(timestep, box, values, slab, ignored):
    (z0, z1, y0, y1, x0, x1), (slab_z, _, slab_y, _) = box, slab
    # In one piece, since its rows are short: reading them three times where they lie costs more than this copy.
    block = np.ascontiguousarray(values[z0 - slab_z : z1 - slab_z, y0 - slab_y : y1 - slab_y, x0:x1])
    low, high = finite_range(block, ignored)
    return {
        "timestep": timestep, "box": [[x0, y0, z0], [x1, y1, z1]], "sha256": sha256_of(block), "min": low, "max": high,
    }  # fmt: skip
