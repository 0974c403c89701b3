"""The peer of the converter for HDF5: reads the dataset whole, writes it in one piece, compresses with OpenVisus."""

import json
import os
import sys

import h5py
import OpenVisus as ov


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    with h5py.File(request["inputs"][0]["path"], "r") as source:
        volume = source["density"][()]
    url = os.path.join(request["output"], "visus.idx")
    dataset = ov.CreateIdx(url=url, dims=list(volume.shape[::-1]), fields=[ov.Field("data", volume.dtype.name)])
    dataset.write(volume)
    dataset.compressDataset(["zip"])


if __name__ == "__main__":
    main()
