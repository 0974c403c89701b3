"""Writes the volume that the bench `convert` converts: uint16, known values with noise as a detector has it.

Usage: make_volume.py <directory> <slices>; writes stack/slice_<n>.tif, pages.tif and volume.nc, 512 x 512 x slices.
"""

import os
import sys

import netCDF4
import numpy as np
import tifffile

SIDE = 512


def make(slices):
    noise = np.random.default_rng(7)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    for z in range(slices):
        shape = 20000 + 12000 * np.sin(x / 40 + z / 30) * np.cos(y / 55)
        yield (shape + noise.normal(0, 300, shape.shape)).astype(np.uint16)


def main():
    directory, slices = sys.argv[1], int(sys.argv[2])
    volume = np.stack(list(make(slices)))
    stack = os.path.join(directory, "stack")
    os.makedirs(stack)
    for z, page in enumerate(volume):
        tifffile.imwrite(os.path.join(stack, f"slice_{z}.tif"), page, photometric="minisblack")
    tifffile.imwrite(os.path.join(directory, "pages.tif"), volume, photometric="minisblack")
    with netCDF4.Dataset(os.path.join(directory, "volume.nc"), "w") as file:
        for axis, size in zip("zyx", volume.shape):
            file.createDimension(axis, size)
        file.createVariable("density", "u2", tuple("zyx"))[:] = volume


if __name__ == "__main__":
    main()
