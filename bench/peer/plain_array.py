"""The peer of the converters for files of arrays: reads the array whole, writes it, compresses with OpenVisus.

Of four axes the first is time.
"""

import json
import os
import sys

import OpenVisus as ov


def read(path):
    if path.endswith(".nc"):
        import netCDF4

        with netCDF4.Dataset(path) as source:
            source.set_auto_maskandscale(False)
            return source["density"][:]
    if path.endswith(".nii"):
        import numpy as np

        sizes = np.fromfile(path, "<i2", 4, offset=40)
        return np.fromfile(path, "<u2", offset=352).reshape(sizes[:0:-1])
    import h5py

    with h5py.File(path, "r") as source:
        return source["density" if "density" in source else "entry/data"][()]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    values = read(request["inputs"][0]["path"])
    steps = values if values.ndim == 4 else values[None]
    url = os.path.join(request["output"], "visus.idx")
    fields = [ov.Field("data", values.dtype.name)]
    dataset = ov.CreateIdx(url=url, dims=list(steps.shape[:0:-1]), fields=fields, time=[0, len(steps) - 1, "%d/"])
    for time, volume in enumerate(steps):
        dataset.write(volume, time=time)
    dataset.compressDataset(["zip"])


if __name__ == "__main__":
    main()
