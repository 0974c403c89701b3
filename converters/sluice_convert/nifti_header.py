"""The header of a NIfTI-1 or NIfTI-2 file: what it declares, checked before anything else is read.

After the public definitions of the format, nifti1.h and nifti2.h.
"""

import math
import struct
from dataclasses import dataclass

import numpy as np

from .report import Fault

NIFTI1_BYTES, NIFTI2_BYTES = 348, 540
MARK1, MARK1_PLACE = b"n+1\0", 344
MARK2, MARK2_PLACE = b"n+2\0\r\n\x1a\n", 4
# Behind the header four bytes say whether extensions follow.
FIRST_DATA = {1: 352, 2: 544}
# Name: place and form in NIfTI-1, place and form in NIfTI-2.
FIELDS = {
    "dim": (40, "8h", 16, "8q"), "datatype": (70, "h", 12, "h"), "pixdim": (76, "8f", 104, "8d"),
    "vox_offset": (108, "f", 168, "q"), "scl_slope": (112, "f", 176, "d"), "scl_inter": (116, "f", 184, "d"),
    "xyzt_units": (123, "B", 500, "i"), "cal_max": (124, "f", 192, "d"), "cal_min": (128, "f", 200, "d"),
    "toffset": (136, "f", 216, "d"), "descrip": (148, "80s", 240, "80s"), "qform_code": (252, "h", 344, "i"),
    "sform_code": (254, "h", 348, "i"), "quatern": (256, "3f", 352, "3d"), "qoffset": (268, "3f", 376, "3d"),
    "srow": (280, "12f", 400, "12d"), "intent_code": (68, "h", 504, "i"), "intent_name": (328, "16s", 508, "16s"),
}  # fmt: skip
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
COLOURS = {128: 3, 2304: 4}
REFUSED = {0: "unknown", 1: "single bits", 32: "complex64", 1536: "float128", 1792: "complex128", 2048: "complex256"}
SPACE_UNITS = {1: "m", 2: "mm", 3: "um"}
TIME_UNITS = {8: "s", 16: "ms", 24: "us", 32: "Hz", 40: "ppm", 48: "rad/s"}
MOST_BYTES = 1 << 62


@dataclass(frozen=True)
class Header:
    """What a file declares. `spatial` is (depth, height, width), `affine` three rows from voxels to the world.

    `scaling` is (slope, intercept), or None where the values mean themselves; `raw` the fields as they are stored.
    """

    version: int
    spatial: tuple
    flat: bool
    steps: int
    dtype: np.dtype
    components: int
    offset: int
    scaling: tuple | None
    space_unit: str | None
    time_unit: str | None
    voxel_size: tuple
    time_step: float | None
    affine: tuple
    affine_from: str
    raw: dict

    @property
    def step_bytes(self):
        """Bytes of the values of one timestep."""
        depth, height, width = self.spatial
        return depth * height * width * self.components * self.dtype.itemsize

    @property
    def end(self):
        """The byte behind the last value."""
        return self.offset + self.steps * self.step_bytes

    @property
    def type_words(self):
        return self.dtype.name + (f" x {self.components} samples" if self.components > 1 else "")


def looks_like(head):
    """(version, byte order) by the first bytes of a file, or None. A pair of .hdr and .img is none."""
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", head) if len(head) >= 4 else (0,)
        if size == NIFTI2_BYTES and head.startswith(MARK2, MARK2_PLACE):
            return 2, order
        if size == NIFTI1_BYTES and head.startswith(MARK1, MARK1_PLACE):
            return 1, order
    return None


def parsed(head, version, order, name):
    """The header. Raises Fault: truncated (it makes no sense), empty_input, unsupported_shape, unsupported_type."""
    raw = {key: _field(head, place, version, order) for key, place in FIELDS.items()}
    spatial, flat, steps = _shape(raw["dim"], name)
    dtype, components = _type(raw["datatype"], name)
    pixdim, units = raw["pixdim"], raw["xyzt_units"]
    affine, affine_from = _affine(raw)
    header = Header(
        version=version, spatial=spatial, flat=flat, steps=steps, dtype=dtype.newbyteorder(order),
        components=components, offset=_offset(raw["vox_offset"], version, name), scaling=_scaling(raw),
        space_unit=SPACE_UNITS.get(units & 7), time_unit=TIME_UNITS.get(units & 56),
        voxel_size=tuple(_size(value) for value in pixdim[3:0:-1]), time_step=_size(pixdim[4]) if steps > 1 else None,
        affine=affine, affine_from=affine_from, raw=raw,
    )  # fmt: skip
    if header.end > MOST_BYTES:
        raise no_sense(name, f"it declares {header.end} bytes")
    return header


def no_sense(name, why):
    """The fault of a header that cannot be true."""
    return Fault("truncated", f"{name} is damaged: its header makes no sense ({why}). Upload it again.")


def _field(head, places, version, order):
    place, form = places[:2] if version == 1 else places[2:]
    values = struct.unpack_from(order + form, head, place)
    if form.endswith("f"):  # in the digits that whoever wrote it had in mind: 0.1, not 0.10000000149
        values = tuple(float(str(np.float32(value))) for value in values)
    return values if len(values) > 1 else values[0]


def _shape(dim, name):
    """((depth, height, width), flat, steps). Axes of one voxel at the end do not count."""
    rank, sizes = dim[0], dim[1 : 1 + max(0, min(dim[0], 7))]
    words = " x ".join(map(str, sizes)) or "nothing"
    if not 1 <= rank <= 7 or any(size < 0 for size in sizes):
        raise no_sense(name, f"{rank} axes of {words} voxels")
    if 0 in sizes:
        raise Fault("empty_input", f"{name} holds no voxels: it is {words}.")
    if any(size > 1 for size in sizes[4:]):
        raise Fault(
            "unsupported_shape",
            f"{name} has {rank} axes of {words} voxels; up to four (x, y, z, time) are possible. "
            "Save vectors or statistics of a voxel as files of their own.",
        )
    if rank < 2:
        raise Fault("unsupported_shape", f"{name} is a row of {words} values; an image has at least two axes.")
    width, height, depth, steps = (*sizes[:4], 1, 1)[:4]
    return (depth, height, width), depth == 1, steps


def _type(code, name):
    """(dtype, samples in a voxel)."""
    if code in TYPES:
        return np.dtype(TYPES[code]), 1
    if code in COLOURS:
        return np.dtype("u1"), COLOURS[code]
    words = f"values of type {REFUSED[code]}" if code in REFUSED else f"values of an unknown type (datatype {code})"
    raise Fault(
        "unsupported_type",
        f"{name} holds {words}, which a product cannot keep unchanged. Save it as an integer type of 8 to 64 bits or "
        "as float32 or float64.",
    )


def _offset(told, version, name):
    first = FIRST_DATA[version]
    if told == 0:  # some programs leave it out
        return first
    if not math.isfinite(told) or told != int(told) or not first <= told <= MOST_BYTES:
        raise no_sense(name, f"its values begin at {told}")
    return int(told)


def _scaling(raw):
    """A slope of zero says that the values mean themselves."""
    slope, inter = raw["scl_slope"], raw["scl_inter"]
    plain = slope == 0 or not (math.isfinite(slope) and math.isfinite(inter)) or (slope, inter) == (1, 0)
    return None if plain else (slope, inter)


def _size(value):
    return abs(value) if math.isfinite(value) and value != 0 else None


def _affine(raw):
    """(rows, which form of the header): the sform where it is set, else the qform, else the voxel sizes alone."""
    srow = raw["srow"]
    if raw["sform_code"] > 0 and all(map(math.isfinite, srow)):
        return (srow[0:4], srow[4:8], srow[8:12]), "sform"
    rows = qform_rows(raw) if raw["qform_code"] > 0 else None
    if rows is not None:
        return rows, "qform"
    x, y, z = (_size(value) or 1.0 for value in raw["pixdim"][1:4])
    return ((x, 0.0, 0.0, 0.0), (0.0, y, 0.0, 0.0), (0.0, 0.0, z, 0.0)), "pixdim"


def qform_rows(raw):
    """The affine of a quaternion, its offsets and the voxel sizes; None when these are no numbers."""
    (b, c, d), offsets, pixdim = raw["quatern"], raw["qoffset"], raw["pixdim"]
    if not all(map(math.isfinite, (b, c, d, *offsets, *pixdim[:4]))):
        return None
    a = math.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    turn = (
        (a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)),
        (2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)),
        (2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c),
    )
    x, y, z = (_size(value) or 1.0 for value in pixdim[1:4])
    sizes = (x, y, -z if pixdim[0] < 0 else z)
    return tuple((*(r * s for r, s in zip(row, sizes)), offset) for row, offset in zip(turn, offsets))
