"""NIfTI files, one or several that follow one another in time, as a source of voxels."""

import os

import numpy as np

from .digest import little_endian
from .nifti_file import Bytes, is_packed
from .nifti_header import qform_rows
from .parts_in_time import PartsInTime
from .plain import plain

SPACES = {1: "scanner", 2: "aligned", 3: "talairach", 4: "mni152", 5: "template"}
# From minus to plus along the three axes of the world.
DIRECTIONS = (("L", "R"), ("P", "A"), ("I", "S"))
NUMBERS = ("cal_min", "cal_max", "toffset", "intent_code", "scl_slope", "scl_inter")


class NiftiSource(PartsInTime):
    """`parts` is [(path, name, steps in it)], `headers` what each declares; the first describes all of them."""

    ignored = ()

    def __init__(self, parts, headers):
        first, names = headers[0], [name for _, name, _ in parts]
        self.shape, self.flat, self.components = first.spatial, first.flat, first.components
        self.dtype = little_endian(first.dtype)
        self.timesteps = sum(header.steps for header in headers)
        # What is packed is read front to back: whole slices, or all rows of one after another.
        self.row_access = not any(is_packed(path) for path, _, _ in parts)
        self.y_up = toward(first.affine, 1) in ("R", "A", "S")
        self.bytes_in = sum(os.path.getsize(path) for path, _, _ in parts)
        self.summary = summary_of(first, names, self.timesteps)
        self.metadata = metadata_of(first, names, self.timesteps)
        self._parts, self._headers = parts, headers
        self._number = self._bytes = None

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 of slices z0..z1 as (z, y, x[, samples]), little-endian stored values."""
        number, step = self._locate(timestep)
        header, file = self._headers[number], self._use(number)
        depth, height, width = self.shape
        samples = (self.components,) if self.components > 1 else ()
        values = np.empty((z1 - z0, y1 - y0, width, *samples), header.dtype)
        slices = values.reshape(z1 - z0, -1).view("u1")
        if y1 - y0 == height:
            slices = slices.reshape(1, -1)
        row_bytes = header.step_bytes // (depth * height)
        first = header.offset + step * header.step_bytes + (z0 * height + y0) * row_bytes
        for index, rows in enumerate(slices):
            file.fill(first + index * height * row_bytes, memoryview(rows))
        if (step + 1, z1, y1) == (header.steps, depth, height):
            file.check_end()
        return np.ascontiguousarray(values, self.dtype)

    def _use(self, number):
        if self._number != number:
            if self._bytes is not None:
                self._bytes.close()
            path, name, _ = self._parts[number]
            self._bytes, self._number = Bytes(path, name), number
        return self._bytes


def summary_of(header, names, steps):
    """What the result tells: axes, voxel sizes in the order of storage, units, orientation, scaling."""
    axes = ["x", "y"] + ([] if header.flat else ["z"]) + (["time"] if steps > 1 else [])
    told = {
        "axes": axes, "file_count": len(names), "time_axis": "time" if steps > 1 else None,
        "voxel_size": sizes_of(header, steps), "units": {"space": header.space_unit, "time": header.time_unit},
        "orientation": "".join(toward(header.affine, axis) for axis in range(3)),
    }  # fmt: skip
    return told | (dict(zip(("scale_factor", "add_offset"), header.scaling)) if header.scaling else {})


def sizes_of(header, steps):
    return ([header.time_step] if steps > 1 else []) + list(header.voxel_size[1 if header.flat else 0 :])


def metadata_of(header, names, steps):
    """What metadata.json keeps: axes, every form of orientation, what the header says of the values."""
    raw, sizes = header.raw, header.spatial[1 if header.flat else 0 :]
    axes = [("time", steps, header.time_unit)] if steps > 1 else []
    axes += [(name, size, header.space_unit) for name, size in zip("zyx"[-len(sizes) :], sizes)]
    told = {
        "format": "nifti", "version": header.version, "files": names, "stored_type": header.dtype.str,
        "dimensions": [
            {"name": name, "size": size} | ({"units": unit} if unit else {}) | ({"spacing": spacing} if spacing else {})
            for (name, size, unit), spacing in zip(axes, sizes_of(header, steps))
        ],
        "attributes": {key: plain(raw[key]) for key in NUMBERS} | {key: text(raw[key]) for key in ("descrip", "intent_name")},
        "affine": rows_of(header.affine), "affine_from": header.affine_from,
    }  # fmt: skip
    if raw["sform_code"] > 0:
        srow = raw["srow"]
        told["sform"] = {"space": space(raw["sform_code"]), "rows": rows_of((srow[0:4], srow[4:8], srow[8:12]))}
    rows = qform_rows(raw) if raw["qform_code"] > 0 else None
    if rows is not None:
        told["qform"] = {"space": space(raw["qform_code"]), "rows": rows_of(rows)}
    return told


def text(stored):
    return stored.split(b"\0")[0].decode("latin1").strip()


def rows_of(rows):
    return [[plain(value) for value in row] for row in rows]


def space(code):
    return SPACES.get(code, f"code {code}")


def toward(affine, axis):
    """The direction of the world that an axis of voxels mostly goes to: one of L R P A I S."""
    column = [row[axis] for row in affine]
    world = max(range(3), key=lambda k: abs(column[k]))
    return DIRECTIONS[world][column[world] > 0]
