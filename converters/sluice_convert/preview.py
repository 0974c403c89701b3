"""Pictures of a dataset, made of the product at coarse resolutions: a few MiB, whatever its size.

preview.png: the middle slice along z (the image itself in 2-D), preview-y.png and preview-x.png: along the others;
strip.png: slices (of a flat dataset: timesteps) side by side; histogram.json and histogram.png: how often which
values occur. Colour where a voxel has three or four samples; contrast between two percentiles. Some fields have a map.
"""

import json
import os
import traceback
from functools import cached_property, partial

import numpy as np

from .digest import valid_mask
from .histogram import bars, counted
from .png import write_png
from .report import NO_ROOM, Fault

LONGEST_SIDE = 512
MOST_PIXELS = 1 << 20
SIDE_PIXELS = 1 << 18
STRIP_SLICES, STRIP_SIDE, STRIP_GAP, STRIP_PIXELS = 8, 160, 2, 1 << 16
LOW_PERCENT, HIGH_PERCENT = 1, 99
COLOURS = (3, 4)
# Of fields whose values mean the same everywhere, by name: the places of the colours, and these.
COLOUR_MAPS = {"ndvi": ((-1, 0, 1), ((140, 81, 10), (255, 255, 255), (0, 104, 55)))}
X, Y, Z = 0, 1, 2


def draw(reader, field, ignored, y_up, path):
    """Write all pictures beside `path`, the preview.

    Returns ({name: {"width", "height"}} by file name, {name: why} of those that cannot be drawn: data that are proven
    do not fail for a picture). Raises a Fault of the reader, and OSError where the disk is full.
    """
    look = Look(reader, field, ignored, y_up)
    folder, drawn, undrawn = os.path.dirname(path), {}, {}
    sides = {"preview-y.png": Y, "preview-x.png": X} if look.rank == 3 else {}
    makers = {os.path.basename(path): lambda: look.picture(Z, look.middle(Z), LONGEST_SIDE, MOST_PIXELS)}
    for name, axis in sides.items():
        makers[name] = partial(look.picture, axis, look.middle(axis), LONGEST_SIDE, SIDE_PIXELS)
    makers |= {"strip.png": look.strip, "histogram.png": lambda: counted_bars(look, folder)}
    for name, make in makers.items():
        try:
            pixels = make()
            if pixels is not None:
                drawn[name] = write_png(os.path.join(folder, name), pixels)
        except Exception as error:
            if isinstance(error, Fault) or (isinstance(error, OSError) and error.errno in NO_ROOM):
                raise
            traceback.print_exc()
            undrawn[name] = f"{type(error).__name__}: {error}"[:200]
    return drawn, undrawn


def counted_bars(look, folder):
    """Write histogram.json; returns its picture."""
    counts = look.histogram()
    with open(os.path.join(folder, "histogram.json"), "w", encoding="utf-8") as file:
        json.dump(counts, file, allow_nan=False)
        file.write("\n")
    return bars(counts["samples"])


class Look:
    """One field of a dataset, its first timestep unless another is asked for, seen from afar."""

    def __init__(self, reader, field, ignored, y_up):
        self.rank = reader.rank
        self._reader, self._field, self._ignored, self._y_up = reader, field, ignored, y_up
        self._floating = False  # whether its values are no whole numbers: known once some are read
        self._low, self._high, self._steps, self._halvings = reader.low, reader.high, reader.steps, reader.halvings

    def middle(self, axis):
        """The place of the middle slice along an axis."""
        return (self._low[axis] + self._high[axis]) // 2 if axis < self.rank else 0

    def size(self, axis):
        return self._high[axis] - self._low[axis] if axis < self.rank else 1

    def picture(self, axis, place, side, most_pixels, limits=None, timestep=None):
        """A slice across `axis` as 8-bit pixels of at most `side` on the longer side; rows run downwards."""
        plane, mask = self.plane(axis, place, side, most_pixels, timestep)
        pixels = self._pixels(plane, mask, limits)
        return pixels[:: -1 if self._y_up and axis == Z else 1]

    def plane(self, axis, place, side, most_pixels, timestep=None):
        """(values, mask of the valid ones) of a slice, shrunk by averaging."""
        return self._shrunk(self._slice(axis, place, most_pixels, timestep), axis, side)

    def _shrunk(self, values, axis, side):
        """(values, mask of the valid ones) of one slice in its true proportions, whatever strides it was read with."""
        mask, self._floating = valid_mask(values, self._ignored), values.dtype.kind == "f"
        plane = np.where(mask, values, 0).astype(np.float64)
        if plane.ndim == 3 and plane.shape[2] in COLOURS:
            plane, mask = plane[:, :, :3], mask[:, :, :3].all(axis=2)
        elif plane.ndim == 3:  # bands that are no colours: their mean
            plane, mask = plane.mean(axis=2), mask.all(axis=2)
        across = [self.size(k) for k in (Z, Y, X) if k != axis]
        return shrink(plane, mask, *target_size(*across, side, plane.shape))

    def strip(self):
        """Slices along z, or the timesteps of a flat dataset, side by side with one contrast; None when there is one."""
        sample, _ = self._sample if self.rank == 3 else (self._steps, None)
        shown = min(STRIP_SLICES, len(sample))
        if shown < 2:
            return None
        # In the middle of equal parts, so the very ends, often empty, are left out.
        chosen = [sample[(2 * k + 1) * len(sample) // (2 * shown)] for k in range(shown)]
        planes = [
            self._shrunk(one, Z, STRIP_SIDE) if self.rank == 3 else self.plane(Z, 0, STRIP_SIDE, STRIP_PIXELS, one)
            for one in chosen
        ]
        limits = contrast(np.concatenate([plane[mask].ravel() for plane, mask in planes]))
        tiles = [self._pixels(plane, mask, limits)[:: -1 if self._y_up else 1] for plane, mask in planes]
        gap = np.full((tiles[0].shape[0], STRIP_GAP, *tiles[0].shape[2:]), 255, np.uint8)
        return np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)

    def _pixels(self, plane, mask, limits):
        """8-bit pixels by the colour map of the field where it has one, else between two limits."""
        stops = COLOUR_MAPS.get(self._field) if plane.ndim == 2 and self._floating else None
        return stretch(plane, mask, limits) if stops is None else mapped(plane, mask, *stops)

    def histogram(self):
        """Counts of a regular sample of all voxels (all of them where they are few), for each sample of a voxel."""
        values, strides = self._sample
        samples = values.reshape(-1, values.shape[-1]) if values.ndim > self.rank else values.reshape(-1, 1)
        counts = [counted(samples[:, k], self._ignored) for k in range(samples.shape[1])]
        return {
            "field": self._field, "timestep": self._steps[0], "values": int(samples.shape[0]), "strides": strides,
            "complete": all(stride == 1 for stride in strides), "samples": counts,
        }  # fmt: skip

    @cached_property
    def _sample(self):
        """(values, strides) of the finest resolution that has few voxels."""
        dropped, strides = 0, [1] * self.rank
        while dropped < len(self._halvings) and self._voxels(strides) > MOST_PIXELS:
            strides[self._halvings[dropped]] *= 2
            dropped += 1
        return self._read(self._low, self._high, dropped, self._steps[0]), strides

    def _voxels(self, strides):
        voxels = 1
        for low, high, stride in zip(self._low, self._high, strides):
            voxels *= max(1, (high - low) // stride)
        return voxels

    def _slice(self, axis, place, most_pixels, timestep):
        """One slice as (row, column[, samples]), with power-of-two strides when it is large."""
        low, high, dropped, strides = list(self._low), list(self._high), 0, [1] * self.rank
        while dropped < len(self._halvings) and self._across(axis, strides) > most_pixels:
            strides[self._halvings[dropped]] *= 2
            dropped += 1
        if axis < self.rank:
            # Only slices at a multiple of the stride have voxels at a coarse resolution.
            low[axis] = max(place // strides[axis] * strides[axis], low[axis])
            high[axis] = low[axis] + 1
        values = self._read(low, high, dropped, self._steps[0] if timestep is None else timestep)
        return np.squeeze(values, axis=self.rank - 1 - axis) if axis < self.rank else values

    def _across(self, axis, strides):
        pixels = 1
        for k in range(self.rank):
            pixels *= 1 if k == axis else max(1, self.size(k) // strides[k])
        return pixels

    def _read(self, low, high, dropped, timestep):
        return self._reader.read(low, high, timestep, self._field, dropped)


def target_size(height, width, side, read):
    """The size of a picture: never enlarged, at most `side` on the longer side, in proportion; `read` is what there is
    of its rows and columns.
    """
    scale = min(1.0, side / max(height, width), read[0] / height, read[1] / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(plane, mask, height, width):
    """Average the valid pixels that fall into each target pixel; (plane, mask) of at most height x width."""
    weight = mask.astype(np.float64)
    total = plane * (weight if plane.ndim == 2 else weight[:, :, None])
    for axis, size in ((0, height), (1, width)):
        if total.shape[axis] > size:
            starts = np.arange(size) * total.shape[axis] // size
            total, weight = np.add.reduceat(total, starts, axis=axis), np.add.reduceat(weight, starts, axis=axis)
    divisor = weight if plane.ndim == 2 else np.broadcast_to(weight[:, :, None], total.shape)
    return np.divide(total, divisor, out=np.zeros_like(total), where=divisor > 0), weight > 0


def contrast(values):
    """(low, high) that become black and white: two percentiles, or the extremes where these coincide."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (LOW_PERCENT, HIGH_PERCENT))
    return (low, high) if high > low else (values.min(), values.max())


def mapped(plane, mask, places, colours):
    """8-bit colours between those at given values; invalid pixels are black."""
    channels = [np.interp(plane, places, channel) for channel in zip(*colours)]
    return np.where(mask[:, :, None], np.stack(channels, axis=2), 0).round().astype(np.uint8)


def stretch(plane, mask, limits=None):
    """8-bit pixels between two limits, one contrast for all colours; invalid pixels are black."""
    low, high = limits or contrast(plane[mask])
    scaled = np.clip((plane - low) / ((high - low) or 1.0), 0, 1) * 255
    return np.where(mask if plane.ndim == 2 else mask[:, :, None], scaled, 0).round().astype(np.uint8)
