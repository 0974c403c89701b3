"""Writes Zarr v3 with a pyramid of levels: zarr.json and chunk files, packed on several threads.

Its own code, so that zarr-python, which proves the product, shares none with it. Each level is every second voxel
of the one above: no value is in it that the source does not have, and packed values, labels and fill stay true.
"""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from . import plan, zarr_axes, zarr_plan
from .zarr_codec import codec_of

FOLDER = "data.zarr"
DOWNSCALING = "nearest"
WORDS = "each level is every second voxel of the one above, along axes of more than 128"


class ZarrWriter:
    """A Zarr hierarchy being filled slab by slab; a group for each field, or the root where there is only one."""

    def __init__(self, sources, fields, output, codec, limits):
        self._root = os.path.join(output, FOLDER)
        self._pool = ThreadPoolExecutor(max(1, limits["threads"]))
        paths = [""] if len(sources) == 1 else folders_of(fields)
        self.images = [
            Image(source, field, os.path.join(self._root, path), codec_of(codec, source.dtype), limits["slab_bytes"])
            for source, field, path in zip(sources, fields, paths)
        ]
        if len(sources) > 1:
            write_json(self._root, group({"sluice": {"fields": dict(zip(fields, paths))}}))
        self._fields = [
            {"field": field, "path": "/".join(filter(None, (FOLDER, path))), "levels": len(image.levels)}
            for field, path, image in zip(fields, paths, self.images)
        ]

    def start(self, timestep, box, values, field=0):
        """Begin to write one slab; hand what is returned to `settle` before the next one."""
        image = self.images[field]
        return [self._pool.submit(*job) for job in image.jobs_of_slab(timestep, box, values)]

    def settle(self, started):
        """Wait for a slab; raises what went wrong."""
        for one in started:
            one.result()

    def write(self, timestep, box, values, field=0):
        self.settle(self.start(timestep, box, values, field))

    def read(self, timestep, box, field=0):
        """What stands in a box [[x0,y0,z0],[x1,y1,z1]] of the finest level, as (z, y, x[, samples])."""
        return self.images[field].read_box(timestep, list(zip(*box))[::-1])

    def finish(self, told, noted):
        """Make the coarser levels, `told(share)` of the work; returns (chunks, bytes on disk, what the proof says)."""
        done, total = 0, max(1, sum(image.chunks(level) for image in self.images for level in image.coarse()))
        for number, image in enumerate(self.images):
            for level in image.coarse():
                for batch, jobs in enumerate(batches(image.jobs_of_level(level), 64)):
                    key = f"{number}.{level}.{batch}"
                    if noted.known("level", key) is None:
                        self.settle([self._pool.submit(*job) for job in jobs])
                        noted.note("level", key, len(jobs))
                    done += len(jobs)
                    told(done / total)
        self._pool.shutdown()
        sizes = [os.path.getsize(path) for path in files_of(self._root)]
        record = {"path": FOLDER, "files": len(sizes), "bytes": sum(sizes), "fields": self._fields}
        chunks = sum(image.chunks(level) for image in self.images for level in range(len(image.levels)))
        return chunks, sum(sizes), record


class Image:
    """One field: arrays `0`, `1`, ... of a group, of axes t, c, z, y, x as far as the source has them."""

    def __init__(self, source, field, root, codec, slab_bytes):
        self._codec, self._root, self._flat, self._timed = codec, root, source.flat, source.timesteps > 1
        self._components, self._dtype, self._timesteps = source.components, source.dtype, source.timesteps
        voxel_bytes = source.dtype.itemsize * source.components
        thickness, rows = plan.slab_size(
            source.shape, voxel_bytes, slab_bytes, source.row_access, getattr(source, "chunk", None)
        )
        self._sides = zarr_plan.chunk_sides(source.shape, voxel_bytes, thickness, rows)
        self.levels = zarr_plan.levels(source.shape)
        self._known = set()
        self._describe(source, field)

    def coarse(self):
        return range(1, len(self.levels))

    def chunks(self, level):
        """How many chunks a level has."""
        count = self._timesteps
        for size, side in zip(self.levels[level][0], self._sides):
            count *= -(-size // side)
        return count

    def jobs_of_slab(self, timestep, box, values):
        """Calls that write the chunks of a slab of the finest level."""
        z0, z1, y0, y1 = box
        whole = ((z0, z1), (y0, y1), (0, values.shape[2]))
        for start in zarr_plan.chunk_starts(whole, self._sides):
            inside = [slice(first - low, first - low + side)
                      for first, (low, _), side in zip(start, whole, self._sides)]  # fmt: skip
            yield self._write, 0, timestep, start, values[tuple(inside)]

    def jobs_of_level(self, level):
        """Calls that make the chunks of a coarser level."""
        shape = self.levels[level][0]
        for timestep in range(self._timesteps):
            for start in zarr_plan.chunk_starts([(0, size) for size in shape], self._sides):
                yield self._shrink, level, timestep, start

    def _shrink(self, level, timestep, start):
        """Every second voxel of the chunks of the level above that lie over this one."""
        above, shape = self.levels[level - 1][0], self.levels[level][0]
        steps = [2 if coarse < fine else 1 for fine, coarse in zip(above, shape)]
        sizes = [min(side, size - first) for side, size, first in zip(self._sides, shape, start)]
        box = [(first * step, min((first + size) * step, limit))
               for first, size, step, limit in zip(start, sizes, steps, above)]  # fmt: skip
        values = np.empty((*sizes, *self._samples()), self._dtype)
        for fine in zarr_plan.chunk_starts(box, self._sides):
            # The first voxel of the chunk that is kept, and where it goes.
            skipped = [-place % step for place, step in zip(fine, steps)]
            if any(skip >= size - place for skip, size, place in zip(skipped, above, fine)):
                continue
            if any(skip >= side for skip, side in zip(skipped, self._sides)):
                continue
            kept = self._read(level - 1, timestep, fine)
            kept = kept[tuple(slice(skip, None, step) for skip, step in zip(skipped, steps))]
            to = [(place + skip) // step - first for place, skip, step, first in zip(fine, skipped, steps, start)]
            values[tuple(slice(low, low + count) for low, count in zip(to, kept.shape))] = kept
        self._write(level, timestep, start, values)

    def _write(self, level, timestep, start, values):
        """One chunk; where the array ends inside it, the rest is zeros."""
        sides = self._chunk(level)
        chunk = np.zeros((*sides, *self._samples()), self._dtype)
        chunk[tuple(slice(0, size) for size in values.shape[:3])] = values
        if self._components > 1:
            chunk = np.ascontiguousarray(np.moveaxis(chunk, -1, 0))
        path = self._path(level, timestep, start)
        self._make(os.path.dirname(path))
        with open(path, "wb") as file:
            file.write(self._codec.pack(chunk))

    def read_box(self, timestep, box):
        """[(low, high)] along z, y, x of the finest level."""
        values = np.empty((*(high - low for low, high in box), *self._samples()), self._dtype)
        for start in zarr_plan.chunk_starts(box, self._sides):
            kept = self._read(0, timestep, start)
            firsts = [max(first, low) for first, (low, _) in zip(start, box)]
            ends = [min(first + size, high) for first, size, (_, high) in zip(start, kept.shape, box)]
            to, of = ([slice(a - o, b - o) for a, b, o in zip(firsts, ends, origin)]
                      for origin in ([low for low, _ in box], start))  # fmt: skip
            values[tuple(to)] = kept[tuple(of)]
        return values

    def _read(self, level, timestep, start):
        """The voxels of a chunk that are inside the array, as (z, y, x[, samples])."""
        with open(self._path(level, timestep, start), "rb") as file:
            raw = self._codec.unpack(file.read())
        sides = self._chunk(level)
        values = np.frombuffer(raw, self._dtype).reshape(*self._samples(), *sides)
        values = np.moveaxis(values, 0, -1) if self._components > 1 else values
        shape = self.levels[level][0]
        return values[tuple(slice(0, size - first) for size, first in zip(shape, start))]

    def _samples(self):
        return (self._components,) if self._components > 1 else ()

    def _chunk(self, level):
        return [min(side, size) for side, size in zip(self._sides, self.levels[level][0])]

    def _path(self, level, timestep, start):
        place = [first // side for first, side in zip(start, self._sides)]
        place = place[1:] if self._flat else place
        key = [*([timestep] if self._timed else []), *([0] if self._components > 1 else []), *place]
        return os.path.join(self._root, str(level), "c", *map(str, key))

    def _make(self, directory):
        if directory not in self._known:
            os.makedirs(directory, exist_ok=True)
            self._known.add(directory)

    def _describe(self, source, field):
        """zarr.json of the group, with OME-NGFF's multiscales, and of each array."""
        axes, meaning = zarr_axes.axes_of(source), zarr_axes.meaning_of(source)
        names, datasets = [axis["name"] for axis in axes], []
        first = [axis["first"] for axis in axes]
        # The first voxel of every level is that of the data.
        moved = [{"type": "translation", "translation": first}] if any(first) else []
        for level, (shape, strides) in enumerate(self.levels):
            spatial, steps, sides = shape, strides, self._chunk(level)
            if self._flat:
                spatial, steps, sides = shape[1:], strides[1:], sides[1:]
            leading = ([self._timesteps] if self._timed else []) + [*self._samples()]
            chunk = ([1] if self._timed else []) + [*self._samples()]
            scale = [axis["scale"] * step for axis, step in zip(axes, [1] * len(leading) + [*steps])]
            transformed = [{"type": "scale", "scale": scale}, *moved]
            datasets.append({"path": str(level), "coordinateTransformations": transformed})
            write_json(os.path.join(self._root, str(level)), {
                "zarr_format": 3, "node_type": "array", "shape": [*leading, *spatial],
                "data_type": np.dtype(self._dtype).name, "fill_value": 0, "codecs": self._codec.codecs,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [*chunk, *sides]}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "dimension_names": names, "attributes": meaning,
            })  # fmt: skip
        told = {axis["name"]: axis["told"] for axis in axes if "told" in axis}
        known = [{key: axis[key] for key in ("name", "type", "unit") if key in axis} for axis in axes]
        scales = {"name": field, "axes": known, "datasets": datasets, "type": DOWNSCALING}
        scales["metadata"] = {"description": WORDS}
        ours = {"field": field, "units": told, "ignored": list(source.ignored), "values": meaning}
        ours |= {key: source.metadata[key] for key in ("dimensions", "affine") if key in source.metadata}
        ours |= {"source": source.summary}
        write_json(self._root, group({"ome": {"version": "0.5", "multiscales": [scales]}, "sluice": ours}))


def group(attributes):
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def write_json(directory, value):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "zarr.json"), "w", encoding="utf-8", errors="replace") as file:
        json.dump(value, file, ensure_ascii=False, allow_nan=False)


def folders_of(fields):
    """A directory for each field: its name where that can be one, made different by its number."""
    plain = [re.sub(r"[^A-Za-z0-9_.-]", "_", field).lstrip("._") for field in fields]
    return [name if name and plain.count(name) == 1 else f"field{k}_{name}" for k, name in enumerate(plain)]


def batches(items, size):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def files_of(root):
    """Every file below a directory."""
    return [os.path.join(parent, name) for parent, _, names in os.walk(root) for name in names]
