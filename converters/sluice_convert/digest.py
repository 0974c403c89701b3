"""Digests and value ranges of blocks: taken from the source while it is read, and from the product to prove it."""

import hashlib

import numpy as np


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


def block_record(timestep, box, values, ignored=()):
    """One proof entry. `box` = (z0, z1, y0, y1) of a full-width block, written as [[x0,y0,z0],[x1,y1,z1]]."""
    z0, z1, y0, y1 = box
    low, high = finite_range(values, ignored)
    return {
        "timestep": timestep,
        "box": [[0, y0, z0], [values.shape[2], y1, z1]],
        "sha256": sha256_of(values),
        "min": low,
        "max": high,
    }
