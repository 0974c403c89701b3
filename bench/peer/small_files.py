"""Writes slice.tif (64 x 64, uint16) and slices.zip (four of them) into a directory, for the bench `reaction-upload`."""

import os
import sys
import zipfile

import numpy as np
import tifffile


def main():
    directory = sys.argv[1]
    page = (np.arange(64 * 64) % 4096).astype(np.uint16).reshape(64, 64)
    path = os.path.join(directory, "slice.tif")
    tifffile.imwrite(path, page, photometric="minisblack")
    with zipfile.ZipFile(os.path.join(directory, "slices.zip"), "w") as archive:
        for z in range(4):
            archive.write(path, f"slice_{z}.tif")


if __name__ == "__main__":
    main()
