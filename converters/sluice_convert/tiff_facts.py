"""What a TIFF file says of itself, as JSON: tags of the first page, the record of ImageJ; and how large voxels are."""

import re
import xml.etree.ElementTree as ET

import numpy as np

from .plain import LONGEST_TEXT, MOST_VALUES, cut

BULKY_TAGS = frozenset((
    "StripOffsets", "StripByteCounts", "TileOffsets", "TileByteCounts", "JPEGTables", "ColorMap", "IJMetadata",
))  # fmt: skip
LONGEST_RECORD = 16 << 20
# What a result says of the first file.
HEADLINES = (
    "ImageDescription", "Make", "Model", "Software", "DateTime", "XResolution", "YResolution", "ResolutionUnit",
)  # fmt: skip
# Of ResolutionUnit; inches are those of a printer.
RESOLUTION_UNITS = {3: "cm", 4: "mm", 5: "um"}
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def facts_of(tif):
    """Byte order, tags and ImageJ's record of the first page; `cut` names tags that are not whole or unreadable."""
    facts = {"byteorder": "little" if tif.byteorder == "<" else "big", "tags": {}}
    cut = []
    for tag in tif.pages[0].tags:
        if tag.name in BULKY_TAGS:
            continue
        try:
            value = tag.value
        except Exception:  # a private tag may point anywhere
            cut.append(tag.name)
            continue
        limit = LONGEST_RECORD if tag.name == "ImageDescription" else LONGEST_TEXT
        # A tag may stand there twice: tifffile tells of itself behind the description that somebody wrote.
        facts["tags"][f"{tag.name} 2" if tag.name in facts["tags"] else tag.name] = _plain(value, limit)
        if isinstance(value, str | tuple | list | np.ndarray) and _is_long(value, limit):
            cut.append(tag.name)
    if tif.is_imagej:
        kept = {k: v for k, v in (tif.imagej_metadata or {}).items() if k not in ("LUTs", "Overlays", "ROI")}
        facts["imagej"] = _plain(kept, LONGEST_TEXT)
    return facts | ({"cut": cut} if cut else {})


def _is_long(value, limit):
    return len(value) > limit if isinstance(value, str) else np.size(value) > MOST_VALUES


def _plain(value, limit=LONGEST_TEXT):
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str):
        return value[:limit]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value[:MOST_VALUES]]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()[:MOST_VALUES].tolist()]
    if isinstance(value, bool | int) or (isinstance(value, float) and np.isfinite(value)):
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return None if value is None else str(value)[:limit]


def headlines(facts):
    """The tags that a result tells, texts at most 500 characters long."""
    tags = facts.get("tags") or {}
    found = {tag: tags[tag] for tag in HEADLINES if tag in tags}
    return {tag: value[:500] if isinstance(value, str) else value for tag, value in found.items()}


def group(tags, key):
    """The tags of a directory below the first ("ExifTag", "GPSTag"); none where there is none, or it is cut off."""
    return tags[key] if isinstance(tags.get(key), dict) else {}


def by_path(facts):
    """{"/": tags, "ExifTag": …} with bounded texts, to be compared between files."""
    tags = {key: value for key, value in (facts.get("tags") or {}).items()}
    groups = {key: tags.pop(key) for key in ("ExifTag", "GPSTag") if isinstance(tags.get(key), dict)}
    groups |= {"/": tags | {key: facts[key] for key in ("comment", "modified") if key in facts}}
    groups |= {"text": facts["text"]} if "text" in facts else {}
    return {
        path: {key: cut(value) if isinstance(value, str) else value for key, value in group.items()}
        for path, group in groups.items()
    }


def ome_root(text):
    """The OME record in a description, or None. Entities are never expanded."""
    if not isinstance(text, str) or not text.rstrip().endswith("OME>") or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        return ET.fromstring(text.encode())
    except (ET.ParseError, ValueError):
        return None


def channel_names(facts):
    """Names that OME gives to the channels of its first image; empty where it gives none."""
    root = ome_root(facts.get("tags", {}).get("ImageDescription"))
    channels = [] if root is None else root.findall("{*}Image[1]/{*}Pixels/{*}Channel")
    names = [channel.get("Name") for channel in channels]
    return names if any(names) else []


def sizes_of(facts):
    """{axis t, z, y, x: (size of a voxel, unit)} as far as OME, ImageJ or the resolution tags tell."""
    tags, imagej = facts.get("tags") or {}, facts.get("imagej") or {}
    root = ome_root(tags.get("ImageDescription"))
    pixels = None if root is None else root.find("{*}Image/{*}Pixels")
    if pixels is not None:
        found = {axis: (pixels.get(f"PhysicalSize{axis.upper()}"), pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm"))
                 for axis in "zyx"}  # fmt: skip
        found["t"] = (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    else:
        unit = imagej.get("unit") or RESOLUTION_UNITS.get(tags.get("ResolutionUnit"))
        if not isinstance(unit, str):
            return {}
        unit = ESCAPED.sub(lambda one: chr(int(one[1], 16)), unit)
        found = {"x": (_inverse(tags.get("XResolution")), unit), "y": (_inverse(tags.get("YResolution")), unit)}
        found |= {"z": (imagej.get("spacing"), unit), "t": (imagej.get("finterval"), "s")}
    return {axis: (size, unit) for axis, (told, unit) in found.items() if (size := _number(told)) is not None}


def dimensions(facts, shape, timesteps):
    """Axes in the order of storage: name, size, units and spacing. `shape` is (z, y, x), z may be 1."""
    sizes, told = sizes_of(facts), []
    for axis, name, count in (("t", "time", timesteps), *zip("zyx", "zyx", shape)):
        if count > 1 or axis in "yx":
            spacing, units = sizes.get(axis, (None, None))
            told.append({"name": name, "size": int(count), "units": units, "spacing": spacing})
    return told


def voxel_size(told):
    """{"voxel_size": spacings in the order of storage}, or nothing when none is known."""
    spacings = [axis["spacing"] for axis in told]
    return {"voxel_size": spacings} if any(spacings) else {}


def _number(value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _inverse(ratio):
    """Size of a pixel, from pixels in a unit as a fraction."""
    usable = isinstance(ratio, list) and len(ratio) == 2 and all(isinstance(one, int | float) and one for one in ratio)
    return ratio[1] / ratio[0] if usable else None
