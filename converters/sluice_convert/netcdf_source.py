"""A NetCDF variable, over one file or several that follow one another in time, as a source of voxels."""

import os

import numpy as np

from .digest import little_endian
from .netcdf_pick import coordinate, opened, time_like, truncated
from .parts_in_time import PartsInTime, chunk_cache, unkept_chunk
from .plain import plain

MOST_COORDINATES = 4096


class NetcdfSource(PartsInTime):
    """`parts` is [(path, name, steps in it)]; `variable` is the first file's, which gives shape and type."""

    components = 1
    row_access = True

    def __init__(self, parts, variable_path, variable, metadata, summary):
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
        self._timed, self._squeezed = timed, variable.ndim - timed > len(spatial)
        self._parts, self._variable_path = parts, variable_path
        self._open_part = self._dataset = self._variable = None

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 of slices z0..z1 as (z, y, x), little-endian stored values."""
        part, step = self._locate(timestep)
        variable = self._use(part)
        try:
            values = self._stored(part, variable, step, z0, z1, y0, y1)
        except (OSError, RuntimeError, IndexError) as error:
            raise truncated(self._parts[part][1], str(error)) from error
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

    def _use(self, part):
        if self._open_part != part:
            if self._dataset is not None:
                self._dataset.close()
            path, name, _ = self._parts[part]
            self._dataset = opened(path, name)
            self._variable = self._dataset[self._variable_path]
            self._open_part = part
            self._keep_chunks(self._variable)
        return self._variable

    def _keep_chunks(self, variable):
        """Keep chunks decoded that several slabs meet, where they are not too large."""
        chunks = variable.chunking()
        if isinstance(chunks, list | tuple):
            size = chunk_cache(variable.shape, chunks, variable.dtype.itemsize, self.flat)
            variable.set_var_chunk_cache(size=size, nelems=10007, preemption=1.0)


def split(variable):
    """(timed, spatial shape): whether the first axis is time, and (y, x) or (z, y, x); a single z is an image."""
    timed = variable.ndim == 4 or (variable.ndim == 3 and time_like(variable))
    spatial = tuple(variable.shape[1:] if timed else variable.shape)
    return timed, spatial[1:] if len(spatial) == 3 and spatial[0] == 1 else spatial


def y_up(variable):
    """Whether y grows with its coordinate (latitudes from south to north): a picture then shows row 0 at the bottom."""
    axis = coordinate(variable, variable.dimensions[-2])
    if axis is None or axis.ndim != 1 or axis.size < 2 or getattr(axis.dtype, "kind", "") not in "iuf":
        return False
    return bool(axis[-1] > axis[0])


def fill_values(variable):
    """Stored values that mean "no data", as plain finite numbers; they stay in the data and out of the range."""
    found = []
    for attribute in ("_FillValue", "missing_value"):
        if attribute not in variable.ncattrs():
            continue
        value = getattr(variable, attribute)
        if isinstance(value, str):
            continue
        cast = np.asarray(value).ravel().astype(variable.dtype)
        found += [item for item in cast.tolist() if np.isfinite(item) and item not in found]
    return tuple(found)


def attributes(thing):
    """All attributes of a dataset or variable."""
    return {name: plain(getattr(thing, name)) for name in thing.ncattrs()}


def coordinates(variable):
    """Per dimension: its size, its coordinate's attributes and, when they are few, its values."""
    found = {}
    for name, size in zip(variable.dimensions, variable.shape):
        axis = coordinate(variable, name)
        entry = {"size": size}
        if axis is not None:
            entry["attributes"] = attributes(axis)
            if axis.ndim == 1 and axis.size <= MOST_COORDINATES and getattr(axis.dtype, "kind", "") in "iuf":
                entry["values"] = [plain(item) for item in axis[:].tolist()]
        found[name] = entry
    return found
