"""What sources of several files have in common whose timesteps follow one another, file after file."""

import numpy as np

BATCH_BYTES = 8 << 20


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
