"""Holds a product against the values it was made of, by stock readers and by one that reads nothing but the files
(`plain_idx`), and its pictures against their middle slices.

Usage: shown.py <product> <values.npz> <upwards: 1 where row 0 is the bottom>. The file has an array for each field, the
one that is shown first, as (time, [z,] y, x[, sample]). Prints JSON: for each form the fields that differ and how many
values were compared, and for each picture its correlation, rounded down. Shares no code with the converters.
"""

import json
import math
import os
import sys

import numpy as np

saved = os.dup(1)
os.dup2(2, 1)
import OpenVisus as ov  # noqa: E402
import zarr  # noqa: E402
from imagecodecs import png_decode  # noqa: E402
from ngff_rules import broken  # noqa: E402
from plain_idx import PlainIdx  # noqa: E402


def by_openvisus(product):
    """(axes in space, function from a field's name to its values)."""
    dataset = ov.LoadDataset(os.path.join(product, "visus.idx"))
    steps = list(dataset.getTimesteps()) or [0]
    return dataset.getPointDim(), lambda field: np.stack([dataset.read(time=step, field=field) for step in steps])


def by_zarr(product):
    root = zarr.open_group(os.path.join(product, "data.zarr"), mode="r")
    paths = root.attrs["sluice"].get("fields")

    def values(field):
        image = root[paths[field]] if paths else root
        scales = image.attrs["ome"]["multiscales"][0]
        array, kinds = image[scales["datasets"][0]["path"]][...], [axis["type"] for axis in scales["axes"]]
        array = np.moveaxis(array, kinds.index("channel"), -1) if "channel" in kinds else array
        return array if "time" in kinds else array[None]

    return values


def rules(product):
    """What its images break of OME-NGFF."""
    folder = os.path.join(product, "data.zarr")
    paths = zarr.open_group(folder, mode="r").attrs["sluice"].get("fields") or {"": ""}
    return [sentence for path in paths.values() for sentence in broken(os.path.join(folder, path))]


def compared(values, fields):
    """{"values": how many were compared, "different": names of fields that are not what was written}."""
    found = {name: values(name) for name in fields}
    different = [
        name
        for name, wanted in fields.items()
        if (found[name].shape, found[name].dtype.newbyteorder("=")) != (wanted.shape, wanted.dtype.newbyteorder("="))
        or found[name].tobytes() != wanted.astype(wanted.dtype.newbyteorder("<")).tobytes()
    ]
    return {"values": sum(array.size for array in found.values()), "different": different}


def averaged(plane, height, width):
    """The plane at a picture's resolution, by plain means."""
    rows, columns = (np.linspace(0, size, count + 1).astype(int) for size, count in zip(plane.shape, (height, width)))
    wide = np.stack([plane[a : max(b, a + 1)].mean(axis=0) for a, b in zip(rows, rows[1:])])
    return np.stack([wide[:, a : max(b, a + 1)].mean(axis=1) for a, b in zip(columns, columns[1:])], axis=1)


def correlation(path, plane, colours):
    with open(path, "rb") as file:
        pixels = png_decode(file.read()).astype(float)
    wanted = averaged(colours(plane.astype(float)), *pixels.shape[:2])
    return math.floor(np.corrcoef(pixels.ravel(), wanted.ravel())[0, 1] * 100) / 100


def coloured(plane):
    """Three colours where there are three or four samples, grey (their mean) otherwise."""
    if plane.ndim == 2:
        return plane
    return plane[:, :, :3] if plane.shape[2] in (3, 4) else plane.mean(axis=2)


def brown_to_green(plane):
    """Brown at -1, white at 0, green at 1, as vegetation indices are shown."""
    low, high = -plane.clip(-1, 0)[..., None], plane.clip(0, 1)[..., None]
    return 255 - low * (255 - np.array([140, 81, 10])) - high * (255 - np.array([0, 104, 55]))


def pictures(product, field, values, rank, upwards):
    """Correlation of each picture with the slice that it shows."""
    colours = brown_to_green if field == "ndvi" else coloured
    front = values[values.shape[0] // 2] if rank == 3 else values
    planes = {"preview.png": front[::-1] if upwards else front}
    if rank == 3:
        middle = [size // 2 for size in values.shape]
        planes |= {"preview-y.png": values[:, middle[1]], "preview-x.png": values[:, :, middle[2]]}
    return {name: correlation(os.path.join(product, "sluice", name), plane, colours) for name, plane in planes.items()}


def main():
    product, path, upwards = sys.argv[1:]
    fields = dict(np.load(path))
    rank, values = by_openvisus(product)
    index = PlainIdx(os.path.join(product, "visus.idx"))
    forms = {"idx": compared(values, fields), "idx by its files": compared(index.values, fields)}
    if sorted(index.fields) != sorted(fields):
        forms["idx by its files"]["different"].append(f"fields {sorted(index.fields)}")
    if os.path.exists(os.path.join(product, "data.zarr")):
        forms["zarr"] = compared(by_zarr(product), fields)
        forms["zarr"]["different"] += rules(product)
    field, steps = next(iter(fields.items()))
    answer = {"forms": forms, "pictures": pictures(product, field, steps[0], rank, upwards == "1")}
    os.write(saved, (json.dumps(answer) + "\n").encode())


main()
