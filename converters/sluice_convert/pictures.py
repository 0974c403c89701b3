"""Pictures of cameras: PNG, JPEG and one-page TIFF; what each holds by its header, and its pixels when asked."""

import os
import struct
from dataclasses import dataclass

import numpy as np

from . import picture_facts
from .chosen import chosen, named
from .report import Fault
from .sniff import JPEG_MAGIC, PNG_MAGIC, TIFF_MAGIC, head_of, meant
from .tiff_scan import MOST_DECODED_BYTES, Layout, Page, scan, truncated

ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
PNG_HEADER_BYTES = 33  # its mark and its first chunk
PNG_END = b"IEND\xaeB`\x82"
PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
STARTS_OF_FRAME = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))


@dataclass(frozen=True)
class Picture:
    """One picture. `page` is set for a TIFF, `facts` are its tags, those of EXIF too."""

    path: str
    name: str
    layout: Layout
    page: Page | None
    facts: dict

    def decode(self):
        """All pixels of a PNG or JPEG as (y, x[, samples])."""
        import imagecodecs

        with open(self.path, "rb") as file:
            content = file.read()
        try:
            decode = imagecodecs.png_decode if content.startswith(PNG_MAGIC) else imagecodecs.jpeg_decode
            values = decode(content)
        except Exception as error:  # every codec raises its own
            raise truncated(self.name, str(error)[:200]) from error
        layout = self.layout
        wanted = (layout.height, layout.width, *((layout.components,) if layout.components > 1 else ()))
        if values.shape != wanted or values.dtype != layout.dtype:
            found = f"{values.shape} {values.dtype}"
            raise Fault("unsupported_samples", f"{self.name} decodes to {found}, not to {wanted} {layout.dtype}.")
        return values


def taken(inputs):
    """Inputs that are pictures by name or content. Raises no_picture naming what there is."""
    magics, by_name = (*TIFF_MAGIC, PNG_MAGIC, JPEG_MAGIC), named(ENDINGS)
    return chosen(
        inputs, "picture", lambda item: by_name(item) or head_of(item["path"]).startswith(magics),
        "no_picture", "TIFF, PNG or JPEG picture",
    )  # fmt: skip


def look(path, name):
    """The picture in a file. Raises empty_input, not_picture, truncated, unsupported_shape, unsupported_type."""
    if os.path.getsize(path) == 0:
        raise Fault("empty_input", f"{name} is empty (0 bytes). Upload it again.")
    head = head_of(path)
    if head.startswith(TIFF_MAGIC):
        found = scan(path, name)
        if len(found.pages) > 1:
            count = len(found.pages)
            raise Fault("unsupported_shape", f"{name} has {count} pages. For volumes choose the sensor TIFF.")
        return Picture(path, name, found.pages[0].layout, found.pages[0], found.facts)
    if head.startswith(PNG_MAGIC):
        layout, facts = _png(path, name)
    elif head.startswith(JPEG_MAGIC):
        layout, facts = _jpeg(path, name)
    else:
        raise Fault("not_picture", f"{name} is not a TIFF, PNG or JPEG picture, whatever its name says.{meant(path)}")
    if layout.nbytes > MOST_DECODED_BYTES:
        raise Fault(
            "unsupported_shape",
            f"{name} is {layout}; PNG and JPEG are read up to {MOST_DECODED_BYTES >> 20} MiB of pixels. "
            "Save it as a tiled TIFF.",
        )
    return Picture(path, name, layout, None, facts)


def _png(path, name):
    """(layout, facts)."""
    with open(path, "rb") as file:
        head = file.read(PNG_HEADER_BYTES)
        if len(head) < PNG_HEADER_BYTES or head[12:16] != b"IHDR":
            raise truncated(name, "its header is incomplete")
        width, height, bits, colour = struct.unpack(">IIBB", head[16:26])
        chunks = list(png_chunks(file))
        file.seek(max(0, os.path.getsize(path) - 4096))
        if PNG_END not in file.read():
            raise truncated(name, "its end is missing")
    if colour not in PNG_SAMPLES or width == 0 or height == 0:
        raise truncated(name, "its header makes no sense")
    samples = PNG_SAMPLES[colour] + any(kind == b"tRNS" for kind, _ in chunks)
    return Layout(height, width, samples, np.dtype("u2" if bits == 16 else "u1")), picture_facts.of_png(chunks)


def png_chunks(file):
    """(kind, content) of each chunk that is no pixels; content only where it tells something and is not too large."""
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        size, kind = struct.unpack(">I4s", head)
        content = file.read(size) if kind in picture_facts.CHUNKS and size <= picture_facts.LONGEST_CHUNK else b""
        file.seek(size - len(content) + 4, 1)
        if kind != b"IDAT":
            yield kind, content


def _jpeg(path, name):
    """(layout, facts)."""
    with open(path, "rb") as file:
        content = file.read()
    place, layout, segments = 2, None, []
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker, size = content[place + 1], struct.unpack(">H", content[place + 2 : place + 4])[0]
        if marker == 0xFF:
            place += 1
            continue
        if marker in STARTS_OF_FRAME and place + 10 <= len(content):
            bits, height, width, samples = struct.unpack(">BHHB", content[place + 4 : place + 10])
            layout = Layout(height, width, samples, np.dtype("u1" if bits <= 8 else "u2"))
        if marker in picture_facts.SEGMENTS:
            segments.append((marker, content[place + 4 : place + 2 + size]))
        place += 2 + size
        if marker == 0xDA:
            # Within the packed pixels these two bytes cannot occur.
            if layout is None or content.find(b"\xff\xd9", place) < 0:
                raise truncated(name, "its end is missing")
            if layout.width == 0 or layout.height == 0:
                raise truncated(name, "its header makes no sense")
            return layout, picture_facts.of_jpeg(segments)
    raise truncated(name, "its pixels are missing")
