"""The peer of the converters for pictures: reads each, writes it as a timestep or all as a mosaic, compresses with OpenVisus.

Takes their request; `parameters.columns` makes a mosaic of them, `parameters.ndvi` adds the vegetation index as a field.
"""

import json
import os
import sys

import imagecodecs
import numpy as np
import OpenVisus as ov
import tifffile


def read(path):
    return tifffile.imread(path) if path.endswith(".tif") else imagecodecs.imread(path)


def ndvi(picture):
    red, nir = picture[..., 0].astype(np.float32), picture[..., 2].astype(np.float32)
    with np.errstate(all="ignore"):
        return (nir - red) / (nir + red)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    paths, wanted = [item["path"] for item in request["inputs"]], request["parameters"]
    columns, with_ndvi = wanted.get("columns"), wanted.get("ndvi", False)
    pictures = [mosaic([read(path) for path in paths], columns)] if columns else map(read, paths)
    dataset = None
    for time, picture in enumerate(pictures):
        if dataset is None:
            steps = 1 if columns else len(paths)
            dataset = create(os.path.join(request["output"], "visus.idx"), picture, steps, with_ndvi)
        dataset.write(picture, field="data", time=time)
        if with_ndvi:
            dataset.write(ndvi(picture), field="ndvi", time=time)
    dataset.compressDataset(["zip"])


def mosaic(tiles, columns):
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)])


def create(url, picture, steps, with_ndvi):
    height, width, bands = picture.shape
    fields = [ov.Field("data", f"uint8[{bands}]"), *([ov.Field("ndvi", "float32")] if with_ndvi else [])]
    return ov.CreateIdx(url=url, dims=[width, height], fields=fields, time=[0, steps - 1, "%d/"])


if __name__ == "__main__":
    main()
