"""An HDF5 dataset, of one file or of several that follow one another in time, as a source of voxels."""

import os

import h5py
import numpy as np

from .digest import little_endian
from .hdf5_file import opened, resolve
from .parts_in_time import PartsInTime, chunk_cache, unkept_chunk
from .plain import plain
from .report import truncated

class Hdf5Source(PartsInTime):
    """`parts` is [(path, name, steps in it)]; `timed` = the first axis is time. Values are read as they are stored."""

    components = 1
    row_access = True
    y_up = False

    def __init__(self, parts, dataset_path, dataset, timed, ignored, metadata, summary):
        spatial = dataset.shape[1:] if timed else dataset.shape
        self.flat = len(spatial) == 2
        self.shape = (1, *spatial) if self.flat else tuple(spatial)
        self.dtype = little_endian(dataset.dtype)
        self.timesteps = sum(steps for _, _, steps in parts)
        self.ignored = ignored
        self.bytes_in = sum(os.path.getsize(path) for path, _, _ in parts)
        self.metadata, self.summary = metadata, summary
        self.chunk = unkept_chunk(dataset.shape, dataset.chunks, dataset.dtype.itemsize)
        self._parts, self._path, self._timed = parts, dataset_path, timed
        self._number = self._file = self._dataset = None

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 of slices z0..z1 as (z, y, x), little-endian."""
        part, step = self._locate(timestep)
        dataset = self._use(part)
        try:
            if self._timed and self._is_small():
                values = self._from_batch(part, dataset, step).reshape(self.shape)[z0:z1, y0:y1]
            else:
                lead = (step,) if self._timed else ()
                depth = () if self.flat else (slice(z0, z1),)
                values = dataset[(*lead, *depth, slice(y0, y1))]
        except (OSError, RuntimeError) as error:
            raise truncated(self._parts[part][1], str(error)) from error
        return np.ascontiguousarray(values.reshape(z1 - z0, y1 - y0, self.shape[2]), self.dtype)

    def close(self):
        """Let go of the file and its decoded chunks; a later read opens it again."""
        if self._file is not None:
            self._file.close()
        self._number = self._file = self._dataset = None

    def _use(self, part):
        if self._number != part:
            self.close()
            path, name, _ = self._parts[part]
            self._file = opened(path, name)
            self._dataset = cached(resolve(self._file, self._path, name), self.flat)
            self._number = part
        return self._dataset


def cached(dataset, flat):
    """The dataset with a cache for chunks that several slabs meet; `flat` = its timesteps are images.

    It counts only where nobody else has the dataset open: HDF5 opens it once for a whole process.
    """
    if dataset.chunks is None:
        return dataset
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    size = chunk_cache(dataset.shape, dataset.chunks, dataset.dtype.itemsize, flat)
    access.set_chunk_cache(10007, size, 1.0)
    name, file = dataset.name.encode("utf-8", "surrogateescape"), dataset.file
    dataset.id.close()
    return h5py.Dataset(h5py.h5d.open(file.id, name, access))


def fill_values(dataset):
    """Stored values that mean "no data" by the usual attributes; they stay in the data and out of the range."""
    found = []
    for attribute in ("_FillValue", "missing_value"):
        value = np.asarray(attributes(dataset).get(attribute, []))
        if value.dtype.kind in "iuf":
            with np.errstate(all="ignore"):
                cast = value.ravel().astype(dataset.dtype)
            found += [item for item in cast.tolist() if np.isfinite(item) and item not in found]
    return tuple(found)


def attributes(thing):
    """All readable attributes of an object as bounded JSON."""
    found = {}
    for name in thing.attrs:
        try:
            value = thing.attrs[name]
        except (OSError, TypeError, ValueError, KeyError):
            value = "not readable"
        if isinstance(value, h5py.Empty | h5py.Reference) or getattr(value, "dtype", None) == object:
            value = [plain(item) for item in list(value)[:64]] if isinstance(value, np.ndarray) else str(value)
        found[name] = value if isinstance(value, list) else plain(value)
    return found
