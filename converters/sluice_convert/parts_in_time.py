"""What sources of several files have in common whose timesteps follow one another, file after file."""

import numpy as np

from . import plan

BATCH_BYTES = 8 << 20
SMALLEST_CHUNK_CACHE, LARGEST_CHUNK_CACHE = 1 << 20, 64 << 20


def layer_bytes(shape, chunks, itemsize):
    """Bytes of one layer of chunks: a chunk along all axes but the last two, which it covers."""
    layer = itemsize
    for axis, (size, chunk) in enumerate(zip(shape, chunks)):
        layer *= chunk if axis <= len(shape) - 3 else -(-size // chunk) * chunk
    return layer


def chunk_cache(shape, chunks, itemsize, flat):
    """Bytes of decoded chunks that are worth keeping: several slabs meet those that are thicker or taller than they.

    All layers that a slab meets, or one, or next to none, whatever is not too large.
    """
    layer = layer_bytes(shape, chunks, itemsize)
    met = 1 if flat else -(-plan.block_thickness(shape[-3:]) // chunks[-3])
    for size in (layer * met, layer):
        if size <= LARGEST_CHUNK_CACHE:
            return max(size, SMALLEST_CHUNK_CACHE)
    return SMALLEST_CHUNK_CACHE


def unkept_chunk(shape, chunks, itemsize):
    """(slices, rows) of a chunk where not even one layer of them is kept, else None."""
    if not isinstance(chunks, list | tuple) or len(chunks) < 3:
        return None
    return None if layer_bytes(shape, chunks, itemsize) <= LARGEST_CHUNK_CACHE else (chunks[-3], chunks[-2])


class PartsInTime:
    """A source sets `shape`, `dtype` and `_parts`, which is [(path, name, steps in it)]."""

    _batch = (None, 0, 0, None)

    def _locate(self, timestep):
        """(number of the part, timestep in it)."""
        for number, (_, _, steps) in enumerate(self._parts):
            if timestep < steps:
                return number, timestep
            timestep -= steps
        raise IndexError(timestep)

    def _step_bytes(self):
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def _is_small(self):
        """Whether a timestep is worth reading together with others."""
        return self._step_bytes() * 2 <= BATCH_BYTES

    def _from_batch(self, part, stored, step):
        """Small timesteps are read many at once, so that chunks over time are decoded once."""
        kept, first, last, values = self._batch
        if kept != part or not first <= step < last:
            count = max(1, BATCH_BYTES // self._step_bytes())
            first, last = step, min(step + count, self._parts[part][2])
            values = self._steps(stored, first, last)
            self._batch = (part, first, last, values)
        return values[step - first]

    def _steps(self, stored, first, last):
        return stored[first:last]
