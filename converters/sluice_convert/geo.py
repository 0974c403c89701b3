"""Where photos of a drone were taken: EXIF and XMP of JPEG, PNG and TIFF, as GeoJSON with estimated footprints."""

import io
import math
import re

import tifffile

from .pictures import PNG_HEADER_BYTES, png_chunks
from .sniff import PNG_MAGIC, TIFF_MAGIC
from .tiff_facts import group

METRES_PER_DEGREE = 111_320.0
FILM_WIDTH_MM = 36.0
ASSUMED_WIDTH = 50.0
XMP_NUMBER = {
    key: re.compile(rf'{key}(?:="|>)\s*([+-]?[0-9.]+)'.encode())
    for key in ("RelativeAltitude", "GimbalYawDegree", "FlightYawDegree")
}


def position(picture):
    """{"lon", "lat", …} of a photo, or None when it has no usable position."""
    with open(picture.path, "rb") as file:
        content = file.read(1 << 20)
    tags = _tags(picture.path, content)
    gps = group(tags, "GPSTag")
    lat, lon = _degrees(gps, "GPSLatitude", "S"), _degrees(gps, "GPSLongitude", "W")
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return None
    exif = group(tags, "ExifTag")
    told = {"lon": lon, "lat": lat, "altitude": _altitude(gps)}
    told["taken"] = str(exif.get("DateTimeOriginal") or tags.get("DateTime") or "")[:40] or None
    told["focal_35mm"] = _rational(exif.get("FocalLengthIn35mmFilm"))
    # That of a TIFF stands behind its pixels, mostly.
    text = content + (tags["XMP"] if isinstance(tags.get("XMP"), bytes) else b"")
    xmp = {key: found for key, pattern in XMP_NUMBER.items() if (found := _number(pattern.search(text))) is not None}
    told["height"] = xmp.get("RelativeAltitude")
    told["yaw"] = xmp.get("GimbalYawDegree", xmp.get("FlightYawDegree", 0.0))
    return told


def _number(found):
    try:
        return None if found is None else float(found[1])
    except ValueError:
        return None


def _tags(path, content):
    """Tags of the first directory of a TIFF, or of the EXIF block of a JPEG or PNG."""
    try:
        with tifffile.TiffFile(path if content.startswith(TIFF_MAGIC) else io.BytesIO(_exif(path, content))) as tif:
            return {tag.name: tag.value for tag in tif.pages[0].tags}
    except Exception:  # a photo with odd EXIF is a photo without a position
        return {}


def _exif(path, content):
    """The EXIF block of a JPEG or PNG, empty where it has none."""
    if content.startswith(PNG_MAGIC):
        with open(path, "rb") as file:
            file.seek(PNG_HEADER_BYTES)
            return next((block for kind, block in png_chunks(file) if kind == b"eXIf"), b"")
    return content.partition(b"Exif\0\0")[2]


def _rational(value):
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return value[0] / value[1]
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _altitude(gps):
    """Metres above the sea, negative below it."""
    metres, below = _rational(gps.get("GPSAltitude")), gps.get("GPSAltitudeRef") in (1, b"\1")
    return -metres if below and metres is not None else metres


def _degrees(gps, key, negative):
    parts = gps.get(key)
    if not isinstance(parts, tuple) or len(parts) != 6 or 0 in parts[1::2]:
        return None
    degrees, minutes, seconds = (above / below for above, below in zip(parts[::2], parts[1::2]))
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(gps.get(key + "Ref", "")).upper().startswith(negative) else value


class Frame:
    """Metres east and north of the middle of all positions."""

    def __init__(self, positions):
        self.lon = sum(one["lon"] for one in positions) / len(positions)
        self.lat = sum(one["lat"] for one in positions) / len(positions)
        self._east = METRES_PER_DEGREE * max(0.01, math.cos(math.radians(self.lat)))

    def metres(self, lon, lat):
        return (lon - self.lon) * self._east, (lat - self.lat) * METRES_PER_DEGREE

    def degrees(self, east, north):
        return [round(self.lon + east / self._east, 9), round(self.lat + north / METRES_PER_DEGREE, 9)]


def ground_widths(positions, frame, height):
    """(width on the ground in metres, how it was estimated) of each photo."""
    spacing = _spacing([frame.metres(one["lon"], one["lat"]) for one in positions])
    widths = []
    for one in positions:
        above = height or one["height"]
        if above and above > 0 and one["focal_35mm"]:
            widths.append((above * FILM_WIDTH_MM / one["focal_35mm"], "height and focal length"))
        else:
            widths.append((1.5 * spacing if spacing else ASSUMED_WIDTH, "distance between photos"))
    return widths


def _spacing(points):
    """Median distance to the nearest other photo, of at most 500 photos; None for one."""
    some = points[:500]
    nearest = sorted(
        distance
        for index, (x, y) in enumerate(some)
        if (distance := min((math.hypot(x - a, y - b) for k, (a, b) in enumerate(some) if k != index), default=0)) > 0
    )
    return nearest[len(nearest) // 2] if nearest else None


def corners(frame, one, width, aspect):
    """Corners of a footprint in metres: top left, top right, bottom right, bottom left of the photo, turned by yaw."""
    east, north = frame.metres(one["lon"], one["lat"])
    turn, half, tall = math.radians(one["yaw"]), width / 2, width * aspect / 2
    return [
        (east + x * math.cos(turn) + y * math.sin(turn), north - x * math.sin(turn) + y * math.cos(turn))
        for x, y in ((-half, tall), (half, tall), (half, -tall), (-half, -tall))
    ]


def collection(photos, frame, widths, aspect):
    """GeoJSON: per photo its position and its estimated footprint. `photos` = [(name, timestep, position)]."""
    features = []
    for (name, timestep, one), (width, how) in zip(photos, widths):
        ring = [frame.degrees(*corner) for corner in corners(frame, one, width, aspect)]
        point = {"type": "Point", "coordinates": [one["lon"], one["lat"]]}
        footprint = {"type": "Polygon", "coordinates": [[*ring[::-1], ring[-1]]]}
        known = {key: one[key] for key in ("altitude", "height", "yaw", "taken")}
        features.append({
            "type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": [point, footprint]},
            "properties": {"photo": name, "timestep": timestep, "footprint_from": how, **known},
        })  # fmt: skip
    return {"type": "FeatureCollection", "features": features}
