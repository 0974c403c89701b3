"""An OpenVisus dataset as the proof and the pictures read one: boxes of voxels, at coarse resolutions when asked.

A reader has: `rank`, `low` and `high` (x first), `steps` (its timesteps), `halvings` (the axis whose voxels are every
second ones, for each resolution dropped), `coarse` ({dropped: words for it} of the resolutions that the proof
compares), `stored` (those of them that together have every coarse voxel that is stored) and `read`. A reader serves
one thread.
"""

from functools import cached_property

from .differences import differs
from .visus import read_box, reading

MOST_COARSE = 9


class IdxReader:
    """Over a dataset that OpenVisus has opened."""

    def __init__(self, dataset):
        self.rank = dataset.getPointDim()
        self._dataset, self._access = dataset, reading(dataset)

    @cached_property
    def low(self):
        return [int(v) for v in self._dataset.getLogicBox()[0]]

    @cached_property
    def high(self):
        return [int(v) for v in self._dataset.getLogicBox()[1]]

    @cached_property
    def steps(self):
        return [int(step) for step in self._dataset.getTimesteps()]

    @cached_property
    def halvings(self):
        return [int(axis) for axis in self._dataset.getBitmask().toString()[:0:-1]]

    @cached_property
    def coarse(self):
        """Not of a box that begins elsewhere than at 0: OpenVisus aligns its resolutions otherwise there."""
        finest = len(self.halvings)
        count = 0 if any(self.low) else min(MOST_COARSE, finest - 1)
        return {k: f"The product's resolution {finest - k} of {finest}" for k in range(1, count + 1)}

    @property
    def stored(self):
        """Every voxel is stored once, in the coarsest resolution that has it: the first coarse one has all of them."""
        return tuple(self.coarse)[:1]

    def read(self, low, high, timestep, field, dropped=0):
        """Axes reversed, samples last; of `dropped` resolutions less than the finest, the voxels in the box.

        Raises `product_differs` where it cannot be read.
        """
        try:
            if dropped == 0:
                return read_box(self._dataset, self._access, [low, high], timestep, field)
            return self._dataset.read(
                logic_box=(low, high), time=timestep, field=field, access=self._access,
                max_resolution=len(self.halvings) - dropped,
            )  # fmt: skip
        except MemoryError:
            raise
        except Exception as error:  # OpenVisus raises bare exceptions and SystemError
            raise differs(
                f"OpenVisus cannot read the field {field} at timestep {timestep} in the box {list(low)} to "
                f"{list(high)}."
            ) from error
