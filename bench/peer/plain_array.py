"""The peer of the converters for NetCDF and HDF5: reads the array whole, writes it in one piece, compresses with OpenVisus."""

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
    import h5py

    with h5py.File(path, "r") as source:
        return source["density"][()]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    volume = read(request["inputs"][0]["path"])
    url = os.path.join(request["output"], "visus.idx")
    dataset = ov.CreateIdx(url=url, dims=list(volume.shape[::-1]), fields=[ov.Field("data", volume.dtype.name)])
    dataset.write(volume)
    dataset.compressDataset(["zip"])


if __name__ == "__main__":
    main()
