"""What the pages of a TIFF file are, where its record says it: timesteps, slices, channels."""

from dataclasses import dataclass
from itertools import product
from xml.etree.ElementTree import Element

from .report import Fault
from .tiff_facts import ome_root

AXES = "TZC"
WORDS = {"T": "timesteps", "Z": "slices", "C": "channels"}
# Programs call the slices of a stack channels when nobody told them: so many are believed without a name.
MOST_UNNAMED = 4


@dataclass(frozen=True)
class Declared:
    """`sizes` by axis; `page_of` gives the page of {axis: place}; `named` = the channels are surely channels."""

    sizes: dict
    page_of: object
    named: bool

    def __str__(self):
        return " x ".join(f"{self.sizes[axis]} {WORDS[axis]}" for axis in AXES)


class Unclear(ValueError):
    """A record that makes no sense for the pages; says why."""


def arranged(tif, count, samples, name):
    """(steps[t][z] = page numbers, one for each channel; why they are just z against what a record says, or None).

    Raises unsupported_shape for several images in one file.
    """
    plain = [[(number,) for number in range(count)]]
    if count == 1:
        return plain, None
    try:
        declared = _declared(tif, count, samples, name)
        if declared is None:
            return plain, None
        t, z, c = (declared.sizes[axis] for axis in AXES)
        if t * z * c != count:
            raise Unclear(f"{declared}, and there are {count} pages")
        if t == z == 1 and not declared.named and (c > MOST_UNNAMED or samples > 1):
            raise Unclear(f"{c} channels and nothing else")
        steps = [
            [tuple(declared.page_of({"T": i, "Z": j, "C": k}) for k in range(c)) for j in range(z)] for i in range(t)
        ]
        if {number for slices in steps for numbers in slices for number in numbers} != set(range(count)):
            raise Unclear(f"{declared}, not each of them on a page of its own")
        return steps, None
    except Unclear as why:
        return plain, f"the pages are z; the record of the file says: {why}"
    except (ValueError, TypeError, KeyError):
        return plain, "the pages are z; the record of the file cannot be read"


def _declared(tif, count, samples, name):
    if tif.is_ome:
        return _ome(tif, count, samples, name)
    if tif.is_imagej:
        return _imagej(tif.imagej_metadata or {}, count, samples)
    return _shaped(tif.shaped_metadata or (), samples)


def _imagej(record, count, samples):
    keys = {"T": "frames", "Z": "slices", "C": "channels"}
    if not any(key in record for key in keys.values()):
        return None
    sizes = {axis: int(record.get(key, 1)) for axis, key in keys.items()}
    if samples > 1 and sizes["T"] * sizes["Z"] == count:
        sizes["C"] = 1  # the colours of each page
    return Declared(sizes, _counted(sizes, "CZT"), record.get("mode") in ("color", "composite"))


def _shaped(records, samples):
    """tifffile's own: {"shape": [2, 6, 17, 23], "axes": "TZYX"}. Raises Unclear for several axes that it does not name."""
    if len(records) != 1:
        return None
    told, shape = records[0].get("axes"), [int(size) for size in records[0].get("shape", ())]
    axes, _, _ = told.partition("YX") if isinstance(told, str) else ("", "", "")
    if not axes or len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
        leading = [size for size in shape[: len(axes) or (-3 if samples > 1 else -2)] if size > 1]
        if len(leading) > 1:
            raise Unclear(f"the axes {told}" if axes else f"{' x '.join(map(str, leading))} pages and not what they are")
        return None
    sizes = dict.fromkeys(AXES, 1) | dict(zip(axes, map(int, records[0]["shape"])))
    fastest = axes[::-1] + "".join(set(AXES) - set(axes))
    return Declared(sizes, _counted(sizes, fastest), True)


def _counted(sizes, fastest):
    """Pages follow one another; `fastest` lists the axes, the one that changes with each page first."""

    def page_of(place):
        number, stride = 0, 1
        for axis in fastest:
            number, stride = number + place[axis] * stride, stride * sizes[axis]
        return number

    return page_of


def _ome(tif, count, samples, name):
    root = ome_root(tif.pages[0].description)
    images = [] if root is None else root.findall("{*}Image/{*}Pixels")
    found = [_image(pixels, root.get("UUID"), count, samples) for pixels in images]
    here = [one for one, places in found if places]
    if len(here) > 1:
        raise Fault("unsupported_shape", f"{name} holds {len(here)} images by its OME record. Save each by itself.")
    return here[0] if here else (found[0][0] if found else None)


def _image(pixels, own, count, samples):
    """(what an image declares, its planes that stand in this file)."""
    sizes = {axis: int(pixels.get(f"Size{axis}")) for axis in AXES}
    sizes["C"] = max(1, sizes["C"] // samples)
    fastest = [axis for axis in pixels.get("DimensionOrder", "XYCZT") if axis in AXES]
    named = any(channel.get("Name") for channel in pixels.findall("{*}Channel"))
    total = sizes["T"] * sizes["Z"] * sizes["C"]
    if total > count or min(sizes.values()) < 1 or sorted(fastest) != sorted(AXES):
        return Declared(sizes, None, named), {}
    places = _planes(pixels, sizes, fastest, own)
    return Declared(sizes, lambda place: places.get(tuple(place[axis] for axis in fastest)), named), places


def _planes(pixels, sizes, fastest, own):
    """{place along `fastest`: page} of the planes that stand in this file. Raises Unclear for too many."""
    order = [place[::-1] for place in product(*(range(sizes[axis]) for axis in reversed(fastest)))]
    number_of, found, seen = {place: number for number, place in enumerate(order)}, {}, 0
    for data in pixels.findall("{*}TiffData") or [Element("TiffData")]:
        uuid, page = data.find("{*}UUID"), data.get("IFD")
        if uuid is not None and own and (uuid.text or "").strip() != own:
            continue  # it stands in another file
        first = number_of.get(tuple(int(data.get(f"First{axis}", 0)) for axis in fastest), len(order))
        planes = order[first : first + int(data.get("PlaneCount", len(order) if page is None else 1))]
        seen += len(planes)
        if seen > 2 * len(order):
            raise Unclear("more planes than there are pages")
        found |= {place: int(page or 0) + step for step, place in enumerate(planes)}
    return found
