"""When files were made, as their tags say, and the axis of time that follows from it."""

import re
from datetime import datetime, timedelta, timezone

import numpy as np

from . import coordinates
from .coordinates import Coordinate
from .tiff_facts import group, ome_root

MOMENT = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6})\d*)?\s*(Z|[+-]\d\d:?\d\d)?")
OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


def moment(facts):
    """When a picture was taken (OME, EXIF), else made (the tag DateTime), or None. It has a zone where one is told."""
    tags = facts.get("tags") or {}
    image = _only_image(facts)
    acquired = None if image is None else image.findtext("{*}AcquisitionDate")
    exif = group(tags, "ExifTag")
    for told, part, zone in (
        (acquired, None, None),
        (exif.get("DateTimeOriginal"), exif.get("SubsecTimeOriginal"), exif.get("OffsetTimeOriginal")),
        (exif.get("DateTimeDigitized"), exif.get("SubsecTimeDigitized"), exif.get("OffsetTimeDigitized")),
        (tags.get("DateTime"), exif.get("SubsecTime"), exif.get("OffsetTime")),
    ):
        found = parsed(told, part, zone)
        if found is not None:
            return found
    return None


def _only_image(facts):
    """The image of an OME record; None where it tells of several, since it does not say here which one the file holds."""
    root = ome_root((facts.get("tags") or {}).get("ImageDescription"))
    images = [] if root is None else root.findall("{*}Image")
    return images[0] if len(images) == 1 else None


def parsed(told, part=None, zone=None):
    """A moment in the words of TIFF, EXIF or ISO 8601, or None. `part` are digits behind the point of the seconds."""
    words = MOMENT.match(told.strip()) if isinstance(told, str) else None
    if words is None:
        return None
    part, zone = words[7] or part, words[8] or zone
    digits = re.match(r"\d{1,6}", str(part).strip()) if part is not None else None
    try:
        micro = int(digits[0].ljust(6, "0")) if digits else 0
        return datetime(*(int(word) for word in words.groups()[:6]), micro, _zone(zone))
    except (ValueError, OverflowError):
        return None


def _zone(told):
    if told == "Z":
        return timezone.utc
    words = OFFSET.match(told.strip()) if isinstance(told, str) else None
    if words is None:
        return None
    minutes = int(words[2]) * 60 + int(words[3])
    return timezone(timedelta(minutes=-minutes if words[1] == "-" else minutes))


def with_times(told, moments, long):
    """`dimensions` whose axis `time` has coordinates where every timestep has its moment and nothing else is known.

    They are seconds since the first; where some moments have a zone and others none, the zones are left out.
    """
    if None in moments or len(set(moments)) < 2:  # each file may carry what is said of the whole series
        return told
    if len({one.tzinfo is None for one in moments}) > 1:
        moments = [one.replace(tzinfo=None) for one in moments]
    first = moments[0]
    axis = Coordinate("time", len(moments), np.array([(one - first).total_seconds() for one in moments]))
    units = f"seconds since {first.isoformat(' ')}"
    known = {"units": units} | coordinates.told(axis, long)
    return [one | known if (one["name"], one["spacing"]) == ("time", None) else one for one in told]


def with_deltas(told, facts, long):
    """`dimensions` whose axis `time` has the times that OME gives to its planes, counted from the start of the acquisition:
    those of the first slice and channel.
    """
    image = _only_image(facts)
    planes = [] if image is None else image.findall("{*}Pixels/{*}Plane")
    first = [plane for plane in planes if (plane.get("TheZ"), plane.get("TheC")) == ("0", "0")]
    try:
        times = {int(plane.get("TheT", "")): float(plane.get("DeltaT", "")) for plane in first}
    except ValueError:
        return told
    units, axis = {plane.get("DeltaTUnit", "s") for plane in first}, told[0]
    if axis["name"] != "time" or sorted(times) != list(range(axis["size"])) or len(units) != 1:
        return told
    values = np.array([times[step] for step in range(axis["size"])])
    if not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        return told
    known = {"units": units.pop(), "spacing": None} | coordinates.told(Coordinate("time", axis["size"], values), long)
    return [axis | known, *told[1:]]
