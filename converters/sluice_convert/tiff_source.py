"""A stack of TIFF pages as a source of voxels: pages are read when a slab needs them and not kept."""

import os
from collections import OrderedDict

import numpy as np
import tifffile

from .digest import little_endian
from .report import Fault
from .tiff_scan import MOST_DECODED_BYTES, truncated


class TiffSource:
    """`steps[t][z]` are the pages of its channels; all pages have the same layout. `names` maps a path to the name that
    people know.
    """

    ignored = ()
    y_up = False

    def __init__(self, steps, names, metadata, summary):
        layout, self._channels = steps[0][0][0].layout, len(steps[0][0])
        self.shape = (len(steps[0]), layout.height, layout.width)
        self.dtype = little_endian(layout.dtype)
        self.components = layout.components * self._channels
        self.timesteps = len(steps)
        self.flat = len(steps[0]) == 1
        self.row_access = all(page.cheap_rows for step in steps for pages in step for page in pages)
        self.bytes_in = sum(map(os.path.getsize, names))
        self.metadata, self.summary = metadata, summary
        self._steps, self._names = steps, names
        self._tif = self._tif_path = None
        self._raw = self._raw_path = None
        self._decoded = OrderedDict()

    def read(self, timestep, z0, z1, y0, y1):
        """Rows y0..y1 of slices z0..z1 as (z, y, width[, components]), little-endian."""
        samples = (self.components,) if self.components > 1 else ()
        values = np.empty((z1 - z0, y1 - y0, self.shape[2], *samples), self.dtype)
        for z in range(z0, z1):
            pages = self._steps[timestep][z]
            for channel, page in enumerate(pages):
                if page.offset is not None and len(pages) == 1:
                    self._read_raw(page, y0, y1, values[z - z0])
                else:
                    samples = page.layout.components
                    rows = self._page_rows(page, y0, y1).reshape(y1 - y0, self.shape[2], samples)
                    values[z - z0].reshape(y1 - y0, self.shape[2], -1)[..., channel * samples :][..., :samples] = rows
        return values

    def _page_rows(self, page, y0, y1):
        """Rows y0..y1 of a page. Raises truncated, unsupported_compression, unsupported_shape."""
        try:
            if page.offset is None:
                return self._read_packed(page, y0, y1)
            layout = page.layout
            values = np.empty((y1 - y0, layout.width, layout.components), self.dtype)
            self._read_raw(page, y0, y1, values)
            return values
        except Fault:
            raise
        except (tifffile.TiffFileError, ValueError, IndexError, RuntimeError, EOFError) as error:
            raise self._unreadable(page, error) from error

    def close(self):
        """Close the file that is open."""
        if self._tif is not None:
            self._tif.close()
        if self._raw is not None:
            self._raw.close()
        self._tif = self._tif_path = self._raw = self._raw_path = None

    def _read_raw(self, page, y0, y1, target):
        row_bytes = target[0].nbytes
        file = self._open_raw(page.path)
        file.seek(page.offset + y0 * row_bytes)
        stored = target if page.stored == self.dtype else np.empty(target.shape, page.stored)
        if file.readinto(memoryview(stored).cast("B")) != target.nbytes:
            raise truncated(self._names[page.path], f"page {page.index + 1} ends early")
        if stored is not target:
            target[...] = stored

    def _read_packed(self, page, y0, y1):
        whole = y0 == 0 and y1 == self.shape[1]
        if page.cheap_rows and not whole:
            return _rows(self._open(page.path), page, y0, y1)
        key = (page.path, page.index)
        if key not in self._decoded:
            self._check_piece(page)
            while len(self._decoded) >= self._channels:  # those of one slice are met again by its next rows
                self._decoded.popitem(last=False)
            values = self._open(page.path).pages[page.index].asarray(maxworkers=1)
            self._decoded[key] = _samples_last(values, page.layout.components, self.shape)
        values = self._decoded[key]
        if whole:
            del self._decoded[key]
        return values[y0:y1]

    def _check_piece(self, page):
        """Packed pages without short strips or tiles are decoded in one piece."""
        if page.layout.nbytes * self._channels > MOST_DECODED_BYTES:
            raise Fault(
                "unsupported_shape",
                f"{self._names[page.path]}, page {page.index + 1} is {page.layout}, packed in one piece; such are read "
                f"up to {MOST_DECODED_BYTES >> 20} MiB of pixels. Save it in tiles, or strips of at most 512 rows.",
            )

    def _open(self, path):
        if self._tif_path != path:
            if self._tif is not None:
                self._tif.close()
            self._tif, self._tif_path = tifffile.TiffFile(path), path
        return self._tif

    def _open_raw(self, path):
        """Where the pixels lie is known, so the directories need not be read again."""
        if self._raw_path != path:
            if self._raw is not None:
                self._raw.close()
            self._raw, self._raw_path = open(path, "rb", buffering=0), path
        return self._raw

    def _unreadable(self, page, error):
        name = self._names[page.path]
        text = str(error)
        if "requires the 'imagecodecs'" in text or "COMPRESSION" in text or "not support" in text:
            return Fault("unsupported_compression", f"{name}: {text}. Save it with LZW, deflate or no compression.")
        return truncated(name, f"page {page.index + 1} cannot be decoded: {text[:200]}")


def _samples_last(values, components, shape):
    """Pages with separate colour planes come as (samples, y, x)."""
    if components > 1 and values.shape[:1] == (components,) and values.shape[1:] == shape[1:]:
        return np.moveaxis(values, 0, -1)
    return values.reshape(*shape[1:], components) if components > 1 else values.reshape(shape[1:])


def _rows(tif, page, y0, y1):
    """Decode only the strips or tiles that meet rows y0..y1."""
    directory = tif.pages[page.index].aspage()
    layout = page.layout
    tall = directory.tilelength if directory.is_tiled else directory.rowsperstrip
    across = -(-layout.width // directory.tilewidth) if directory.is_tiled else 1
    values = np.full((y1 - y0, layout.width, layout.components), directory.nodata, layout.dtype)
    for index in range(y0 // tall * across, -(-y1 // tall) * across):
        count = directory.databytecounts[index]
        if count == 0:
            continue  # a tile that was never written holds the nodata value
        options = {}
        if directory.compression in (6, 7, 34892, 33007):
            options = {"jpegtables": directory.jpegtables, "jpegheader": directory.jpegheader}
        decode = directory.decode  # asking for it or for the tables moves the file
        tif.filehandle.seek(directory.dataoffsets[index])
        segment, position, size = decode(tif.filehandle.read(count), index, **options)
        top, left = position[2], position[3]
        height, width = size[1], min(size[2], layout.width - left)  # tiles at the edge are padded
        first, last = max(top, y0), min(top + height, y1)
        piece = segment[0, first - top : last - top, :width]
        values[first - y0 : last - y0, left : left + width] = piece
    return values if layout.components > 1 else values[..., 0]
