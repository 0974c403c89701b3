"""The benchmark's peer, not a part of the service: the plain OpenVisus script that one would write first.

Takes the same request as tiff.py; reads the whole volume, writes it in one piece and compresses with OpenVisus.
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
    print(json.dumps({"result": {"kind": "idx", "entry": "visus.idx", "dims": list(volume.shape[::-1])}}), flush=True)


if __name__ == "__main__":
    main()
