"""The Zarr form of an OpenVisus dataset that was handed over: written from the slabs that its digests are taken of.

Arrays begin at 0 wherever the dataset's box does, and count timesteps; the proof's record says how places move.
"""

import os
import re
import shutil

import numpy as np

from .digest import sha256_of
from .idx_input import checked_box
from .report import Fault
from .zarr_write import FOLDER, ZarrWriter

CODEC = "zstd"
TYPE = re.compile(r"(u?int|float)(8|16|32|64)(?:\[(\d+)\])?")


class Field:
    """What the writer has to know of a field; nothing is read through it."""

    row_access, ignored = True, ()

    def __init__(self, name, word, shape, timesteps, metadata, summary):
        found = TYPE.fullmatch(word)
        if found is None or found[0].startswith("float8"):
            raise Fault(
                "unsupported_type", f"The field {name} holds {word}, which Zarr has no word for. Leave the output out."
            )
        self.dtype = np.dtype(f"{found[1]}{found[2]}").newbyteorder("<")
        self.components, self.timesteps = int(found[3] or 1), timesteps
        self.shape, self.flat = shape, len(shape) == 2
        self.shape = (1, *shape) if self.flat else tuple(shape)
        self.metadata, self.summary = metadata, summary


class Nothing:
    """Where no Zarr is wished."""

    copies, entry = 0, {}

    def write(self, *_):
        pass

    def holds(self, _):
        return True

    def finish(self, *_):
        return 0, 0, {}


class Beside:
    """A Zarr product being filled beside the files of the dataset."""

    copies, entry = 1, {"zarr": FOLDER, "compression": {"zarr": CODEC}}

    def __init__(self, dataset, request, noted, metadata, summary):
        output = request["output"]
        if not noted.kept:
            shutil.rmtree(os.path.join(output, FOLDER), ignore_errors=True)
        self._low, high = checked_box(dataset, "The dataset")
        self._times = list(dataset.getTimesteps())
        self._steps = {time: step for step, time in enumerate(self._times)}
        self._names = list(dataset.getFields())
        shape, sources = [b - a for a, b in zip(self._low, high)][::-1], []
        for name in self._names:
            field = dataset.getField(name)  # kept: its dtype is a bare reference into it
            sources.append(Field(name, field.dtype.toString(), shape, len(self._times), metadata, summary))
        self._writer = ZarrWriter(sources, self._names, output, CODEC, request["limits"])

    def write(self, field, timestep, slab, values):
        """A slab (z0, z1, y0, y1) as (z, y, x[, samples]), counted from the first voxel of the box."""
        self._writer.write(self._steps[timestep], slab, values, self._names.index(field))

    def holds(self, records):
        """Whether the blocks of a slab that an earlier attempt noted can be read back."""
        try:
            return all(sha256_of(self._read(record)) == record["sha256"] for record in records)
        except Exception:  # whatever the reason: it is not there
            return False

    def _read(self, record):
        low = [*self._low, 0][:3]
        box = [[place - first for place, first in zip(corner, low)] for corner in record["box"]]
        return self._writer.read(self._steps[record["timestep"]], box, self._names.index(record["field"]))

    def finish(self, told, noted):
        """Make the coarser levels, `told(share)` of the work; returns (chunks, bytes, for the proof)."""
        chunks, size, record = self._writer.finish(told, noted)
        moved = {"first": [*self._low, 0][:3]} if any(self._low) else {}
        moved |= {} if self._times == list(range(len(self._times))) else {"times": self._times}
        return chunks, size, {"zarr": record | moved}


def beside(dataset, request, noted, joined, metadata, summary):
    """What writes Zarr too, where it is wished. Raises unsupported_shape, unsupported_type."""
    if (request.get("parameters") or {}).get("output", "idx") == "idx":
        return Nothing()
    if joined:
        raise Fault(
            "unsupported_shape", "A .midx joins several datasets. For Zarr send each by itself, or leave the output out."
        )
    return Beside(dataset, request, noted, metadata, summary)
