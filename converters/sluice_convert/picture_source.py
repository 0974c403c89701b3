"""Pictures side by side (a mosaic) and one after another (timesteps) as a source of voxels."""

import os
from collections import OrderedDict

import numpy as np

from .digest import little_endian
from .report import Fault
from .tiff_source import TiffSource

DECODED_BYTES = 128 << 20
OPEN_TIFFS = 16


class PictureSource:
    """`steps[t][row][column]` is a Picture; all have one layout."""

    ignored = ()
    y_up = False
    flat = True
    row_access = True

    def __init__(self, steps, metadata, summary):
        layout = steps[0][0][0].layout
        self._height, self._width = layout.height, layout.width
        self.shape = (1, len(steps[0]) * layout.height, len(steps[0][0]) * layout.width)
        self.dtype, self.components = little_endian(layout.dtype), layout.components
        self.timesteps = len(steps)
        self.bytes_in = sum(os.path.getsize(one.path) for rows in steps for row in rows for one in row)
        self.metadata, self.summary = metadata, summary
        self._steps, self._decoded, self._tiffs, self._kept = steps, OrderedDict(), OrderedDict(), 0

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 as (1, y, x[, samples]), little-endian."""
        samples = (self.components,) if self.components > 1 else ()
        values = np.empty((1, y1 - y0, self.shape[2], *samples), self.dtype)
        for row in range(y0 // self._height, -(-y1 // self._height)):
            top = row * self._height
            first, last = max(y0, top), min(y1, top + self._height)
            for column, picture in enumerate(self._steps[timestep][row]):
                left = column * self._width
                values[0, first - y0 : last - y0, left : left + self._width] = self._rows(
                    picture, first - top, last - top
                )
        return values

    def _rows(self, picture, first, last):
        if picture.page is not None and picture.page.cheap_rows:
            return self._tiff(picture).read(0, 0, 1, first, last)[0]
        return self._whole(picture)[first:last]

    def _tiff(self, picture):
        if picture.path not in self._tiffs:
            while len(self._tiffs) >= OPEN_TIFFS:
                self._tiffs.popitem(last=False)[1].close()
            self._tiffs[picture.path] = TiffSource([[(picture.page,)]], {picture.path: picture.name}, {}, {})
        self._tiffs.move_to_end(picture.path)
        return self._tiffs[picture.path]

    def _whole(self, picture):
        """All pixels, the last ones kept: bands of rows meet the tiles of a row again and again."""
        if picture.path in self._decoded:
            self._decoded.move_to_end(picture.path)
            return self._decoded[picture.path]
        values = pixels(picture)
        self._kept += values.nbytes
        while self._decoded and self._kept > DECODED_BYTES:
            self._kept -= self._decoded.popitem(last=False)[1].nbytes
        self._decoded[picture.path] = values
        return values


def pixels(picture):
    """All pixels of a picture as (y, x[, samples])."""
    if picture.page is None:
        return picture.decode()
    source = TiffSource([[(picture.page,)]], {picture.path: picture.name}, {}, {})
    try:
        return source.read(0, 0, 1, 0, picture.layout.height)[0]
    finally:
        source.close()


def check_alike(pictures):
    """All pictures have the layout of the first. Raises slice_mismatch."""
    for one in pictures[1:]:
        if one.layout != pictures[0].layout:
            raise Fault(
                "slice_mismatch",
                f"{pictures[0].name} is {pictures[0].layout}, but {one.name} is {one.layout}. "
                "All pictures of a dataset must be alike: remove or correct the odd one.",
            )
