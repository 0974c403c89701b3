"""Looks through a TIFF file's directories once: what each page holds and where, and whether the file is whole."""

import logging
import os
import re
import struct
from dataclasses import dataclass

import numpy as np
import tifffile

from .report import Fault
from .sniff import TIFF_MAGIC, meant
from .tiff_axes import arranged
from .tiff_facts import facts_of

# Segments (strips or tiles) taller than this make reading a few rows of a page as dear as reading the page.
TALLEST_CHEAP_SEGMENT = 512
# Pictures and pages that are decoded in one piece (a PNG, a JPEG, a page without short strips or tiles).
MOST_DECODED_BYTES = 512 << 20
# Size, samples, packing and places of pixels; how tifffile names a tag in a complaint.
TAGS_THAT_COUNT = frozenset((
    256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339, 347, 513, 514,
))  # fmt: skip
# What lies behind these is not looked for: EXIF, GPS, interoperability, further directories.
POINTERS = frozenset((330, 34665, 34853, 40965))
ENTRY_BYTES = 28  # of a directory of BigTIFF with the place of the next directory, and more than those of TIFF
TAG = re.compile(r"TiffTag (\d+)")
# What tifffile raises on directories that make no sense.
DAMAGED = (
    tifffile.TiffFileError, ValueError, IndexError, KeyError, TypeError, OverflowError, ZeroDivisionError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What all slices of a volume must share."""

    height: int
    width: int
    components: int
    dtype: np.dtype

    @property
    def nbytes(self):
        """Bytes of its pixels."""
        return self.height * self.width * self.components * self.dtype.itemsize

    def __str__(self):
        samples = f" x {self.components} samples" if self.components > 1 else ""
        return f"{self.width} x {self.height} pixels{samples}, {self.dtype.name}"


@dataclass(frozen=True)
class Page:
    """One slice. `offset` is set when its pixels lie raw in the file; otherwise page `index` must be decoded."""

    path: str
    index: int
    layout: Layout
    offset: int | None
    stored: np.dtype
    cheap_rows: bool


@dataclass(frozen=True)
class Scan:
    """A file: its pages, facts of the first one, `steps[t][z]` = pages of all channels, a note on these; `apart`: it has
    one page of raw pixels, and nothing that it says lies among them.
    """

    pages: list
    facts: dict
    steps: list
    note: str | None
    apart: bool = False


class _Complaints(logging.Handler):
    """Collects what tifffile only logs: it stops at a broken directory chain and returns fewer pages."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def scan(path, name):
    """The Scan of a file. Raises Fault with a sentence naming it."""
    if os.path.getsize(path) == 0:
        raise Fault("empty_input", f"{name} is empty (0 bytes). Upload it again.")
    logger, complaints = logging.getLogger("tifffile"), _Complaints()
    logger.addHandler(complaints)
    try:
        with _opened(path, name) as tif:
            try:
                pages = [
                    _page(path, name, tif, page, index) for index, page in enumerate(tif.pages) if not _reduced(page)
                ]
                pages = _expand_single_directory(tif, pages, name)
                facts = facts_of(tif) if pages else {}
                steps, note = arranged(tif, len(pages), pages[0].layout.components, name) if pages else ([], None)
                apart = len(tif.pages) == len(pages) == 1 and _lies_apart(tif.pages[0], pages[0])
            except DAMAGED as error:
                raise truncated(name, str(error)) from error
    finally:
        logger.removeHandler(complaints)
    broken = list(filter(_counts, complaints.lines))
    if broken or not pages:
        raise truncated(name, broken[0] if broken else "no page in it")
    steps = [[tuple(pages[k] for k in numbers) for numbers in step] for step in steps]
    return Scan(pages, facts, steps, note, apart)


def _counts(line):
    """Whether a complaint is about directories or where pixels lie; odd EXIF and private tags change no pixel."""
    tag = TAG.search(line)
    if tag or "<tifffile.read_tags>" in line:
        return tag is not None and int(tag[1]) in TAGS_THAT_COUNT
    return "offset" in line or "corrupt" in line or "page" in line.lower()


def _opened(path, name):
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic not in TIFF_MAGIC:
        raise Fault(
            "not_tiff",
            f"{name} is not a TIFF file, whatever its name says.{meant(path)} "
            "Save it as TIFF, or choose another sensor.",
        )
    try:
        return tifffile.TiffFile(path)
    except DAMAGED as error:
        raise truncated(name, str(error)) from error


def truncated(name, why):
    """The fault of a file that is cut off."""
    return Fault(
        "truncated", f"{name} is cut off or damaged ({why}). Upload it again, or save it again from its program."
    )


def _reduced(page):
    # Pyramids and thumbnails ride along as extra pages; they are not slices.
    return bool(getattr(page, "is_reduced", False))


def _page(path, name, tif, page, index):
    page = page.aspage()
    if page.dtype is None or page.size == 0:
        raise Fault(
            "unsupported_type",
            f"{name}, page {index + 1}: {page.bitspersample}-bit samples of this kind are not readable.",
        )
    if page.imagedepth > 1:
        raise Fault(
            "unsupported_shape", f"{name}, page {index + 1} is a volume in a single page. Save one slice in each page."
        )
    ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.int64)
    if len(ends) and ends.max() > tif.filehandle.size:
        raise truncated(name, f"page {index + 1} reaches {ends.max() - tif.filehandle.size} bytes past its end")
    layout = Layout(page.imagelength, page.imagewidth, page.samplesperpixel, np.dtype(page.dtype).newbyteorder("="))
    separate = page.samplesperpixel > 1 and page.planarconfig == 2
    raw = page.is_memmappable and not separate and len(page.dataoffsets) > 0
    if raw and page.dataoffsets[0] + page.nbytes > tif.filehandle.size:
        raise truncated(name, f"page {index + 1} is larger than the file")
    segment_rows = page.tilelength if page.is_tiled else page.rowsperstrip
    return Page(
        path=path,
        index=index,
        layout=layout,
        offset=page.dataoffsets[0] if raw else None,
        stored=np.dtype(page.dtype).newbyteorder(tif.byteorder),
        cheap_rows=raw or (not separate and segment_rows <= TALLEST_CHEAP_SEGMENT),
    )


def _lies_apart(directory, page):
    if page.offset is None or any(tag.code in POINTERS for tag in directory.tags):
        return False
    said = [(directory.offset, directory.offset + 1)]
    said += [(tag.offset, tag.offset + ENTRY_BYTES) for tag in directory.tags]
    said += [(tag.valueoffset, tag.valueoffset + tag.valuebytecount) for tag in directory.tags]
    return all(end <= page.offset or start >= page.offset + page.layout.nbytes for start, end in said)


def _expand_single_directory(tif, pages, name):
    """ImageJ and tifffile may describe many slices by one directory; the slices follow one another in the file."""
    if len(pages) != 1 or pages[0].offset is None or not (tif.is_imagej or tif.is_shaped):
        return pages
    first = pages[0]
    slice_bytes = first.layout.nbytes
    count = _declared_slices(tif, first.layout)
    if first.offset + count * slice_bytes > tif.filehandle.size:
        raise truncated(name, f"it declares {count} slices and holds fewer")
    return [
        Page(first.path, 0, first.layout, first.offset + index * slice_bytes, first.stored, True)
        for index in range(count)
    ]


def _declared_slices(tif, layout):
    if tif.is_imagej:
        return max(1, int((tif.imagej_metadata or {}).get("images", 1)))
    shape = (tif.shaped_metadata or ({},))[0].get("shape") or (1,)
    return max(1, int(np.prod(shape)) // (layout.height * layout.width * layout.components))
