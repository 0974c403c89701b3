"""Writes slice.tif (64 x 64, uint16), slices.zip (four of them) and volume.tif (1 MiB of noise) into a directory.

For the benches `reaction-upload` and `small-datasets`.
"""

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
    volume = np.random.default_rng(7).integers(0, 1 << 16, (32, 128, 128), np.uint16)
    tifffile.imwrite(os.path.join(directory, "volume.tif"), volume, photometric="minisblack")


if __name__ == "__main__":
    main()
