"""A NetCDF variable, over one file or several that follow one another in time, as a source of voxels."""

import os
from contextlib import ExitStack, closing

import h5py
import numpy as np

from . import coordinates, hdf5_file
from .coordinates import Coordinate
from .digest import little_endian
from .hdf5_chunks import Deflated, is_deflated
from .netcdf_pick import coordinate, opened, time_like
from .parts_in_time import PartsInTime, chunk_cache, unkept_chunk
from .plain import no_data, plain
from .report import reading


class NetcdfSource(PartsInTime):
    """`parts` is [(path, name, steps in it)]; `variable` is the first file's, which gives shape and type. Chunks of deflate
    are unpacked on some `threads`.
    """

    components = 1
    row_access = True

    def __init__(self, parts, variable_path, variable, metadata, summary, threads):
        timed, spatial = split(variable)
        self.flat = len(spatial) == 2
        self.shape = (1, *spatial) if self.flat else tuple(spatial)
        self.dtype = little_endian(variable.dtype)
        self.timesteps = sum(steps for _, _, steps in parts)
        self.ignored = fill_values(variable)
        self.y_up = y_up(variable)
        self.bytes_in = sum(os.path.getsize(path) for path, _, _ in parts)
        self.metadata, self.summary = metadata, summary
        self.chunk = unkept_chunk(variable.shape, variable.chunking(), variable.dtype.itemsize)
        self._timed, self._squeezed = timed, squeezed_axis(variable) is not None
        self._parts, self._variable_path = parts, variable_path
        self._open_part = self._variable = None
        self._open, self._threads = ExitStack(), threads

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 of slices z0..z1 as (z, y, x), little-endian stored values."""
        part, step = self._locate(timestep)
        variable = self._use(part)
        with reading(self._parts[part][1]):
            values = self._stored(part, variable, step, z0, z1, y0, y1)
        values = values.reshape(z1 - z0, y1 - y0, self.shape[2])
        return np.ascontiguousarray(values, self.dtype)

    def _stored(self, part, variable, step, z0, z1, y0, y1):
        if self._timed and self._is_small():
            return (
                self._from_batch(part, variable, step)[..., y0:y1, :]
                if self.flat
                else self._from_batch(part, variable, step)[z0:z1, y0:y1]
            )
        lead = (step,) if self._timed else ()
        depth = () if self.flat else (slice(z0, z1),)
        return variable[(*lead, *((0,) if self._squeezed else ()), *depth, slice(y0, y1))]

    def _steps(self, stored, first, last):
        values = stored[first:last]
        return values[:, 0] if self._squeezed else values

    def close(self):
        """Let go of the file and its unpacked chunks; a later read opens it again."""
        self._open.close()
        self._open_part = self._variable = None

    def _use(self, part):
        if self._open_part != part:
            self.close()
            path, name, _ = self._parts[part]
            dataset = self._open.enter_context(closing(opened(path, name)))
            self._variable = self._with_chunks_kept(path, name, dataset[self._variable_path])
            self._open_part = part
        return self._variable

    def _with_chunks_kept(self, path, name, variable):
        """The variable as it is read: chunks stay unpacked that several slabs meet, where they are not too large."""
        chunks = variable.chunking()
        if not isinstance(chunks, list | tuple):
            return variable
        size = chunk_cache(variable.shape, chunks, variable.dtype.itemsize, self.flat)
        if variable.filters().get("zlib"):
            file = self._open.enter_context(hdf5_file.opened(path, name))
            stored = hdf5_file.resolve(file, self._variable_path, name)
            # What is not written of an axis without a limit, or named otherwise, only NetCDF knows.
            if isinstance(stored, h5py.Dataset) and stored.shape == variable.shape and is_deflated(stored):
                return self._open.enter_context(closing(Deflated(stored, self._threads, size)))
        # NetCDF itself does not find one again that is named like one of its further dimensions.
        if variable.name not in variable.dimensions[1:]:
            variable.set_var_chunk_cache(size=size, nelems=10007, preemption=1.0)
        return variable


def split(variable):
    """(timed, spatial shape): whether the first axis is time, and (y, x) or (z, y, x); a single z is an image."""
    timed = variable.ndim == 4 or (variable.ndim == 3 and time_like(variable))
    spatial = tuple(variable.shape[1:] if timed else variable.shape)
    return timed, spatial[1:] if len(spatial) == 3 and spatial[0] == 1 else spatial


def squeezed_axis(variable):
    """The axis of a single level, which makes a volume an image, or None."""
    timed, spatial = split(variable)
    return int(timed) if variable.ndim - timed > len(spatial) else None


def y_up(variable):
    """Whether y grows with its coordinate (latitudes from south to north): a picture then shows row 0 at the bottom."""
    axis = coordinate(variable, variable.dimensions[-2])
    if axis is None or axis.ndim != 1 or axis.size < 2 or getattr(axis.dtype, "kind", "") not in "iuf":
        return False
    return bool(axis[-1] > axis[0])


def fill_values(variable):
    """Stored values that mean "no data", as plain finite numbers; they stay in the data and out of the range."""
    stored = [variable.getncattr(name) for name in ("_FillValue", "missing_value") if name in variable.ncattrs()]
    return no_data(stored, variable.dtype)


def attributes(thing):
    """All attributes of a dataset or variable."""
    return {name: plain(thing.getncattr(name)) for name in thing.ncattrs()}


def axes(variable, name):
    """A Coordinate for each dimension, in the order of storage. Raises truncated."""
    with reading(name):
        return [_axis(variable, dim, size) for dim, size in zip(variable.dimensions, variable.shape)]


def _axis(variable, dim, size):
    stored = coordinate(variable, dim)
    if stored is None:
        return Coordinate(dim, size)
    usable = stored.shape == (size,) and getattr(stored.dtype, "kind", "") in "iuf"
    values = coordinates.read(size, lambda part: stored[part]) if usable else None
    return Coordinate(dim, size, values, attributes(stored))


def moment(variable, name):
    """The time of a file without an axis of time, as an axis of one entry, or None: a variable of one value that counts
    `… since …`, called time or named by the attribute `coordinates`. Raises truncated.
    """
    with reading(name):
        told = str(variable.getncattr("coordinates")) if "coordinates" in variable.ncattrs() else ""
        for one in ("time", *told.split()):
            stored = coordinate(variable, one)
            if stored is None or one in variable.dimensions or stored.size != 1:
                continue
            facts = attributes(stored)
            if getattr(stored.dtype, "kind", "") in "iuf" and " since " in str(facts.get("units")):
                return Coordinate(one, 1, np.ravel(stored[...]), facts)
    return None


def told(axes, parts, squeezed, long):
    """`dimensions` of metadata.json. `parts` is [(file, its time axis)] if the first axis is time, else empty;
    `squeezed` is the name of an axis that is left out.
    """
    told = {}
    for number, axis in enumerate(axes):
        over_time = parts and number == 0
        entry = {"size": sum(one.size for _, one in parts) if over_time else axis.size}
        if axis.facts:
            entry["attributes"] = axis.facts
        entry |= coordinates.told_over_time(parts, long) if over_time else coordinates.told(axis, long)
        told[axis.name] = entry | ({"squeezed": True} if axis.name == squeezed else {})
    return told
