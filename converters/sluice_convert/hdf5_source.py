"""An HDF5 dataset, of one file or of several that follow one another in time, as a source of voxels."""

import os
from contextlib import ExitStack

import h5py
import numpy as np

from .digest import little_endian
from .hdf5_chunks import Deflated, is_deflated
from .hdf5_file import check_storage, opened, resolve
from .parts_in_time import PartsInTime, chunk_cache, unkept_chunk
from .plain import no_data, plain
from .report import reading


class Hdf5Source(PartsInTime):
    """`parts` is [(path, name, steps in it)]; `timed` = the first axis is time. Values are read as they are stored,
    chunks of deflate on some `threads`.

    A volume of one slice is an image.
    """

    components = 1
    row_access = True
    y_up = False

    def __init__(self, parts, dataset_path, dataset, timed, ignored, metadata, summary, threads):
        squeezed = squeezed_axis(dataset, timed)
        spatial = [size for axis, size in enumerate(dataset.shape) if axis >= timed and axis != squeezed]
        self.flat = len(spatial) == 2
        self.shape = (1, *spatial) if self.flat else tuple(spatial)
        self.dtype = little_endian(dataset.dtype)
        self.timesteps = sum(steps for _, _, steps in parts)
        self.ignored = ignored
        self.bytes_in = sum(os.path.getsize(path) for path, _, _ in parts)
        self.metadata, self.summary = metadata, summary
        self.chunk = unkept_chunk(dataset.shape, dataset.chunks, dataset.dtype.itemsize)
        self._parts, self._path, self._timed, self._squeezed = parts, dataset_path, timed, squeezed is not None
        self._number = self._dataset = None
        self._open, self._threads = ExitStack(), threads

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 of slices z0..z1 as (z, y, x), little-endian."""
        part, step = self._locate(timestep)
        dataset = self._use(part)
        with reading(self._parts[part][1]):
            if self._timed and self._is_small():
                values = self._from_batch(part, dataset, step).reshape(self.shape)[z0:z1, y0:y1]
            else:
                lead = (step,) if self._timed else ()
                depth = () if self.flat and not self._squeezed else (slice(z0, z1),)
                values = dataset[(*lead, *depth, slice(y0, y1))]
        return np.ascontiguousarray(values.reshape(z1 - z0, y1 - y0, self.shape[2]), self.dtype)

    def close(self):
        """Let go of the file and its decoded chunks; a later read opens it again."""
        self._open.close()
        self._number = self._dataset = None

    def _use(self, part):
        if self._number != part:
            self.close()
            path, name, _ = self._parts[part]
            file = self._open.enter_context(opened(path, name))
            dataset = resolve(file, self._path, name)
            check_storage(dataset, self._path, name)
            self._dataset = cached(dataset, self.flat, self._threads)
            if isinstance(self._dataset, Deflated):
                self._open.callback(self._dataset.close)
            self._number = part
        return self._dataset


def squeezed_axis(dataset, timed):
    """The axis of a single slice, which makes a volume an image, or None."""
    first = 1 if timed else 0
    return first if dataset.ndim - first == 3 and dataset.shape[first] == 1 else None


def cached(dataset, flat, threads):
    """The dataset with a cache for chunks that several slabs meet; `flat` = its timesteps are images.

    HDF5's own counts only where nobody else has the dataset open: it opens it once for a whole process.
    """
    if dataset.chunks is None:
        return dataset
    size = chunk_cache(dataset.shape, dataset.chunks, dataset.dtype.itemsize, flat)
    if is_deflated(dataset):
        return Deflated(dataset, threads, size)
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(10007, size, 1.0)
    name, file = dataset.name.encode("utf-8", "surrogateescape"), dataset.file
    dataset.id.close()
    return h5py.Dataset(h5py.h5d.open(file.id, name, access))


def fill_values(dataset):
    """Stored values that mean "no data" by the usual attributes; they stay in the data and out of the range."""
    stored = [dataset.attrs[name] for name in ("_FillValue", "missing_value") if name in dataset.attrs]
    return no_data(stored, dataset.dtype)


def attributes(thing):
    """All readable attributes of an object as bounded JSON."""
    found = {}
    for name in thing.attrs:
        try:
            value = thing.attrs[name]
        except (OSError, RuntimeError, TypeError, ValueError, KeyError):
            value = "not readable"
        found[name] = plain(value)
    return found
