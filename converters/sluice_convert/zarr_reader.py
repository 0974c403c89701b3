"""Reads a Zarr product by zarr-python, never with the code that wrote it: for the proof and for pictures."""

import os

import numpy as np
import zarr

from .differences import differs
from .visus import dtype_name

X, Y, Z = 0, 1, 2


class ZarrReader:
    """One image of the product: a reader as `idx_reader` describes it, x first, over arrays `0`, `1`, ..."""

    def __init__(self, product, path, proof):
        self.path, self._product = path, product
        try:
            group = zarr.open_group(os.path.join(product, path), mode="r", zarr_format=3)
            scales = group.attrs["ome"]["multiscales"][0]
            self.arrays = [group[dataset["path"]] for dataset in scales["datasets"]]
            self._kinds = [axis["type"] for axis in scales["axes"]]
            names = [axis["name"] for axis in scales["axes"]]
        except Exception as error:  # zarr raises many kinds
            raise differs(f"zarr cannot open {path}: {str(error)[:200]}.") from error
        if any(list(array.metadata.dimension_names or []) != names for array in self.arrays):
            raise differs(f"The axes of an array in {path} are not those of its group, {names}.")
        self.rank = self._kinds.count("space")
        first = dict(zip(self._kinds, self.arrays[0].shape))
        self.components, timesteps = first.get("channel", 1), first.get("time", 1)
        self.sizes = [list(array.shape[: -self.rank - 1 : -1]) for array in self.arrays]
        self.low, self.high, self.steps = [0] * self.rank, self.sizes[0], list(range(timesteps))
        self.dtype = dtype_name(self.arrays[0].dtype, self.components)
        self.voxel_bytes = self.arrays[0].dtype.itemsize * self.components
        self.strides = self._strides(scales["datasets"])
        self.halvings = self._halvings()
        self.coarse = {
            sum(stride.bit_length() - 1 for stride in own): f"The array {path}/{level}"
            for level, own in enumerate(self.strides) if level > 0
        }  # fmt: skip
        self.stored = tuple(self.coarse)  # each level by itself
        for what, found, wanted in (
            ("dimensions", self.high, proof["dims"]), ("number of timesteps", timesteps, proof["timesteps"]),
        ):  # fmt: skip
            if found != wanted:
                raise differs(f"The product's {what} in {path} should be {wanted} and are {found}.")

    def read(self, low, high, timestep, _field=None, dropped=0):
        """Axes reversed, samples last; of `dropped` halvings the voxels in the box, from the coarsest level that has them."""
        strides = [1 << self.halvings[:dropped].count(axis) for axis in range(self.rank)]
        fitting = [k for k, own in enumerate(self.strides) if all(a <= b for a, b in zip(own, strides))]
        level = fitting[-1]
        box = []
        for axis in range(self.rank):
            own, stride = self.strides[level][axis], strides[axis]
            first = -(-int(low[axis]) // stride) * stride // own
            box.append(slice(first, max(first, -(-int(high[axis]) // own)), stride // own))
        return self.of_level(level, box, timestep)

    def of_level(self, level, box, timestep):
        """Part of a level; `box` has a slice for each axis, x first."""
        leading = [{"time": timestep, "channel": slice(None)}[kind] for kind in self._kinds if kind != "space"]
        try:
            values = np.asarray(self.arrays[level][(*leading, *box[::-1])])
        except Exception as error:  # codecs raise many kinds
            raise differs(f"{self.path}/{level} cannot be read: {str(error)[:200]}.") from error
        return np.moveaxis(values, 0, -1) if "channel" in self._kinds else values

    def check_chunks(self):
        """Every chunk of every level has its file: zarr reads zeros for those that have none."""
        for level, array in enumerate(self.arrays):
            folder = os.path.join(self._product, self.path, str(level))
            places = np.ndindex(*(-(-size // side) for size, side in zip(array.shape, array.chunks)))
            keys = map(array.metadata.encode_chunk_key, places)
            lacking = [key for key in keys if not os.path.isfile(os.path.join(folder, key))]
            if lacking:
                raise differs(
                    f"{self.path}/{level} lacks {len(lacking)} of its chunks, first {self.path}/{level}/{lacking[0]}."
                )

    def _strides(self, scales):
        """Of each level, x first, from the sizes of its voxels. Raises `product_differs` where its shape is another."""
        steps = [dataset["coordinateTransformations"][0]["scale"][: -self.rank - 1 : -1] for dataset in scales]
        strides = [[round(step / first) for step, first in zip(level, steps[0])] for level in steps]
        for level, (sizes, own) in enumerate(zip(self.sizes, strides)):
            wanted = [-(-size // max(1, stride)) for size, stride in zip(self.sizes[0], own)]
            if sizes != wanted or min(own) < 1:
                raise differs(f"The array {self.path}/{level} has {sizes} voxels, not {wanted}.")
        return strides

    def _halvings(self):
        found, sizes = [], list(self.high)
        for before, after in zip(self.strides, self.strides[1:]):
            found += [axis for axis in range(self.rank) if after[axis] > before[axis]]
        sizes = list(self.sizes[-1])
        while max(sizes) > 1:
            axis = sizes.index(max(sizes))
            sizes[axis] = -(-sizes[axis] // 2)
            found.append(axis)
        return found


def use_threads(count):
    """zarr reads and decodes several chunks at once; more at once only cost memory."""
    zarr.config.set({"async.concurrency": max(1, count), "threading.max_workers": max(1, count)})
