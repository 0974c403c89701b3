"""What a PNG or JPEG says of itself beside its pixels, in the form of the tags of a TIFF: EXIF, resolution, words."""

import io
import struct
import zlib

import tifffile

from .moments import moment, with_times
from .plain import Differing, cut
from .tiff_facts import by_path, dimensions, facts_of, headlines, voxel_size

EXIF_MARK, JFIF_MARK = b"Exif\0\0", b"JFIF\0"
CHUNKS = frozenset((b"eXIf", b"pHYs", b"tIME", b"tEXt", b"zTXt", b"iTXt"))
SEGMENTS = frozenset((0xE0, 0xE1, 0xFE))
LONGEST_CHUNK = 1 << 20
DENSITY_UNITS = {1: "inch", 2: "cm"}


def told_of(pictures, shape, steps, long):
    """(for metadata.json, for the result) what pictures say of axes, times, camera, and otherwise than the first.

    `shape` is (1, y, x); `steps` are as many as there are pictures, or one for all (a mosaic).
    """
    first, more = pictures[0].facts, Differing()
    for one in pictures:
        more.add(one.name, by_path(one.facts))
    moments = [moment(one.facts) for one in pictures]
    told = dimensions(first, shape, steps)
    told = with_times(told, moments, long) if steps == len(pictures) else told
    summary = voxel_size(told) | headlines(first)
    summary |= {"taken": moments[0].isoformat(" ")} if moments[0] else {}
    return {"dimensions": told, "first_page": first, **more.found()}, summary


def of_png(chunks):
    """Facts of [(kind, content)] of a PNG's chunks that are no pixels."""
    facts, words = {}, {}
    for kind, content in chunks:
        if kind == b"eXIf":
            facts |= of_exif(content)
        elif kind == b"pHYs" and len(content) == 9:
            across, down, metres = struct.unpack(">IIB", content)
            facts["resolution"] = {"x": across, "y": down, "unit": "m" if metres == 1 else None}
        elif kind == b"tIME" and len(content) == 7:
            facts["modified"] = "%04d:%02d:%02d %02d:%02d:%02d" % struct.unpack(">H5B", content)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            words |= _words(kind, content)
    return facts | ({"text": words} if words else {})


def of_jpeg(segments):
    """Facts of [(marker, content)] of a JPEG's segments before its pixels."""
    facts = {}
    for marker, content in segments:
        if marker == 0xE1 and content.startswith(EXIF_MARK):
            facts |= of_exif(content[len(EXIF_MARK) :])
        elif marker == 0xE0 and content.startswith(JFIF_MARK) and len(content) >= 12:
            unit, across, down = struct.unpack(">BHH", content[7:12])
            facts["resolution"] = {"x": across, "y": down, "unit": DENSITY_UNITS.get(unit)}
        elif marker == 0xFE:
            facts["comment"] = cut(content.decode("utf-8", "replace").rstrip("\0"))
    return facts


def of_exif(block):
    """The tags of an EXIF block, which is a TIFF without pixels; odd ones are named and refuse nothing."""
    try:
        with tifffile.TiffFile(io.BytesIO(block)) as tif:
            return facts_of(tif)
    except Exception:  # tifffile raises many kinds
        return {"cut": ["Exif"]}


def _words(kind, content):
    """{keyword: text} of one chunk."""
    key, _, rest = content.partition(b"\0")
    packed, encoding = kind == b"zTXt", "latin1"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        packed, encoding = rest[:1] == b"\1", "utf-8"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # behind the language and the translated keyword
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, LONGEST_CHUNK)  # a small chunk may unpack to a huge one
        except zlib.error:
            return {}
    return {key.decode("latin1"): cut(rest.decode(encoding, "replace"))}
