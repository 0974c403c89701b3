"""What an uploaded .idx or .midx may say: it is text that names files, and OpenVisus would open whatever it names.

Only files inside the dataset's own directory are allowed: no absolute paths, no `..`, no addresses, no program text.
"""

import re
import xml.etree.ElementTree as ET

from .report import Fault
from .sniff import meant

LARGEST_TEXT = 4 << 20
WORD_BREAKS = re.compile(r"[\s'\"=,;<>()\[\]|]+")
DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
LOCAL_PREFIX = re.compile(r"^file://(?=[^/])")
# The blending rules that OpenVisus knows by name; any other text of a <code> element is a program.
HARMLESS_CODE = re.compile(r"^output\s*=\s*(voronoi|average|averageBlend|noBlend)\(\)\s*;?$")


def unsafe(name, why):
    return Fault(
        "unsafe_idx",
        f"{name} {why}. Only files inside the dataset's own directory may be named; correct it and upload again.",
    )


def checked_text(path, name):
    """The text of an index file. Raises unsafe_idx, or no_idx when it is not text."""
    with open(path, "rb") as file:
        raw = file.read(LARGEST_TEXT + 1)
    if len(raw) > LARGEST_TEXT or b"\0" in raw:
        say = f"{name} is not an OpenVisus index: it is not a text file.{meant(path)} Upload the dataset again."
        raise Fault("no_idx", say)
    text = raw.decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        _check_xml(text, name)
    else:
        _check_words(text, name)
    return text


def child_addresses(text):
    """The relative addresses of the datasets that a .midx joins."""
    if not text.lstrip().startswith("<"):
        return []
    root = ET.fromstring(text)
    return [LOCAL_PREFIX.sub("", node.get("url")) for node in root.iter("dataset") if node.get("url")]


def _check_xml(text, name):
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise unsafe(name, "defines XML entities")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise Fault("no_idx", f"{name} is not an OpenVisus index: {error}. Upload the dataset again.") from error
    for node in root.iter():
        if node.tag in ("code", "script"):
            if not HARMLESS_CODE.match((node.text or "").strip() or "output=voronoi()"):
                raise unsafe(name, "contains program text")
            continue
        for value in (*node.attrib.values(), node.text or "", node.tail or ""):
            _check_words(value, name)


def _check_words(text, name):
    for word in filter(None, WORD_BREAKS.split(text)):
        place = LOCAL_PREFIX.sub("", word)
        if "://" in place:
            raise unsafe(name, f"names an address ({word[:80]})")
        if place.startswith(("/", "\\", "~")) or DRIVE.match(place) or "$" in place:
            raise unsafe(name, f"names a path outside its directory ({word[:80]})")
        if ".." in re.split(r"[\\/]", place):
            raise unsafe(name, f"climbs out of its directory ({word[:80]})")
