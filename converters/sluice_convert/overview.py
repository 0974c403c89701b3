"""A picture of all photos at their places: each pixel shows the photo whose middle is nearest. No photogrammetry."""

import json
import math
import os

import numpy as np

from .geo import Frame, collection, corners, ground_widths, position
from .picture_source import pixels

LONGEST_SIDE = 2048
THUMBNAIL = 512


def georeference(pictures, output, height=None):
    """Write photos.geojson and overview.png; returns what was found, or None when no photo has a position."""
    photos = [(one.name, step, place) for step, one in enumerate(pictures) if (place := position(one)) is not None]
    if not photos:
        return None
    places = [place for _, _, place in photos]
    frame, layout = Frame(places), pictures[0].layout
    widths, aspect = ground_widths(places, frame, height), layout.height / layout.width
    found = collection(photos, frame, widths, aspect)
    found["overview"] = draw([pictures[step] for _, step, _ in photos], places, frame, widths, aspect, output)
    with open(os.path.join(output, "photos.geojson"), "w", encoding="utf-8") as file:
        json.dump(found, file, ensure_ascii=False, allow_nan=False)
    return {"photos_with_position": len(photos), "photos": len(pictures), "bbox": found["overview"]["bbox"]}


def draw(pictures, places, frame, widths, aspect, output):
    """Write overview.png; returns its file and the degrees that it covers."""
    import imagecodecs

    rings = [corners(frame, place, width, aspect) for place, (width, _) in zip(places, widths)]
    xs, ys = ([corner[axis] for ring in rings for corner in ring] for axis in (0, 1))
    west, east, south, north = min(xs), max(xs), min(ys), max(ys)
    scale = LONGEST_SIDE / max(east - west, north - south)
    # Not finer than the photos are.
    scale = min(scale, max(THUMBNAIL / width for width, _ in widths))
    wide, tall = (max(1, math.ceil(span * scale)) for span in (east - west, north - south))
    canvas, nearest = np.zeros((tall, wide, 3), np.uint8), np.full((tall, wide), np.inf, np.float32)
    for picture, place, ring, (width, _) in zip(pictures, places, rings, widths):
        columns = _span([(x - west) * scale for x, _ in ring], wide)
        rows = _span([(north - y) * scale for _, y in ring], tall)
        middle = frame.metres(place["lon"], place["lat"])
        dx = (np.arange(*columns)[None, :] + 0.5) / scale + west - middle[0]
        dy = north - (np.arange(*rows)[:, None] + 0.5) / scale - middle[1]
        _paste(thumbnail(picture), dx, dy, math.radians(place["yaw"]), (width, width * aspect),
               canvas[slice(*rows), slice(*columns)], nearest[slice(*rows), slice(*columns)])  # fmt: skip
    with open(os.path.join(output, "overview.png"), "wb") as file:
        file.write(imagecodecs.png_encode(canvas))
    return {"file": "overview.png", "bbox": [*frame.degrees(west, south), *frame.degrees(east, north)]}


def _span(values, size):
    return max(0, math.floor(min(values))), min(size, math.ceil(max(values)))


def _paste(small, dx, dy, turn, ground, canvas, nearest):
    """Draw a photo where no other photo's middle is nearer."""
    across = (dx * math.cos(turn) - dy * math.sin(turn)) / ground[0] + 0.5
    down = 0.5 - (dx * math.sin(turn) + dy * math.cos(turn)) / ground[1]
    distance = (dx * dx + dy * dy).astype(np.float32)
    inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1) & (distance < nearest)
    rows, columns = (down[inside] * small.shape[0]).astype(int), (across[inside] * small.shape[1]).astype(int)
    canvas[inside] = small[rows, columns]
    nearest[inside] = distance[inside]


def thumbnail(picture):
    """At most THUMBNAIL pixels on the longer side, 8 bits, three samples."""
    values = pixels(picture)
    step = -(-max(values.shape[:2]) // THUMBNAIL)
    small = values[::step, ::step]
    small = small[..., None] if small.ndim == 2 else small
    small = small[..., :3] if small.shape[2] >= 3 else np.repeat(small[..., :1], 3, axis=2)
    if small.dtype == np.uint8:
        return small
    top = float(small.max()) or 1.0
    return (small.astype(np.float32).clip(0) * (255 / top)).astype(np.uint8)
