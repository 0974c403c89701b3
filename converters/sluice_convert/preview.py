"""A small grey picture of a dataset: its middle slice along z, read by OpenVisus at a coarse resolution."""

import struct
import zlib

import numpy as np

from .digest import valid_mask
from .visus import read_box

LONGEST_SIDE = 512
MOST_PIXELS = 1 << 20
LOW_PERCENT, HIGH_PERCENT = 1, 99


def draw(dataset, field, ignored, y_up, path):
    """Write the preview PNG; returns {"width", "height"}."""
    values = coarse_slice(dataset, field)
    mask = valid_mask(values, ignored)
    plane = np.where(mask, values, 0).astype(np.float64)
    if plane.ndim == 3:  # colour: the mean of the samples
        plane, mask = plane.mean(axis=2), mask.all(axis=2)
    height, width = target_size(*[int(v) for v in dataset.getLogicSize()][1::-1])
    plane, mask = shrink(plane, mask, height, width)
    grey = stretch(plane, mask)[:: -1 if y_up else 1]
    with open(path, "wb") as file:
        file.write(png(grey))
    return {"width": grey.shape[1], "height": grey.shape[0]}


def coarse_slice(dataset, field):
    """The middle slice (first timestep) as (y, x[, components]), with a power-of-two stride when it is large."""
    low, high = ([int(v) for v in corner] for corner in dataset.getLogicBox())
    rank = len(low)
    bits = dataset.getBitmask().toString()[1:]
    dropped, strides = 0, [1] * rank
    while dropped < len(bits) and pixels(low, high, strides) > MOST_PIXELS:
        dropped += 1
        strides[int(bits[-dropped])] *= 2
    if rank == 3:
        # Only slices at a multiple of the stride have samples at a coarse resolution.
        middle = (low[2] + high[2]) // 2 // strides[2] * strides[2]
        middle = max(middle, low[2])
        low[2], high[2] = middle, middle + 1
    access = dataset.createAccess()
    if dropped == 0:
        values = read_box(dataset, access, [low, high], dataset.getTimesteps()[0], field)
    else:
        values = dataset.read(
            logic_box=(low, high), time=dataset.getTimesteps()[0], field=field, access=access,
            max_resolution=len(bits) - dropped,
        )  # fmt: skip
    return values[0] if rank == 3 else values


def pixels(low, high, strides):
    """Pixels of one z slice at these strides."""
    return ((high[0] - low[0]) // strides[0]) * ((high[1] - low[1]) // strides[1])


def target_size(height, width):
    """The size of the picture: never enlarged, at most LONGEST_SIDE on the longer side."""
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(plane, mask, height, width):
    """Average the valid pixels that fall into each target pixel; (plane, mask) of at most height x width."""
    weight = mask.astype(np.float64)
    total = plane * weight
    for axis, size in ((0, height), (1, width)):
        if total.shape[axis] > size:
            starts = np.arange(size) * total.shape[axis] // size
            total, weight = np.add.reduceat(total, starts, axis=axis), np.add.reduceat(weight, starts, axis=axis)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0), weight > 0


def stretch(plane, mask):
    """8-bit grey between two percentiles of the valid pixels; invalid pixels are black."""
    if not mask.any():
        return np.zeros(plane.shape, np.uint8)
    low, high = np.percentile(plane[mask], (LOW_PERCENT, HIGH_PERCENT))
    if high <= low:
        low, high = plane[mask].min(), plane[mask].max()
    scaled = (plane - low) / ((high - low) or 1.0)
    return np.where(mask, np.clip(scaled, 0, 1) * 255, 0).round().astype(np.uint8)


def png(grey):
    """An 8-bit greyscale PNG; the format is small enough not to need an image library."""
    height, width = grey.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row starts with its filter type, 0 = none
    rows[:, 1:] = grey
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
