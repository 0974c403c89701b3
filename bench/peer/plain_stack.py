"""The peer of the converter for TIFF: the plain OpenVisus script that one would write first.

Takes the same request; reads the whole volume, writes it in one piece and compresses with OpenVisus.
It checks nothing and keeps no digests.
"""

import json
import os
import sys

import numpy as np
import OpenVisus as ov
import tifffile


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    paths = [item["path"] for item in request["inputs"]]
    volume = tifffile.imread(paths[0]) if len(paths) == 1 else np.stack([tifffile.imread(path) for path in paths])
    url = os.path.join(request["output"], "visus.idx")
    dataset = ov.CreateIdx(url=url, dims=list(volume.shape[::-1]), fields=[ov.Field("data", volume.dtype.name)])
    dataset.write(volume)
    dataset.compressDataset(["zip"])


if __name__ == "__main__":
    main()
