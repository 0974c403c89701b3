"""Writes the volume that the bench `convert` converts: uint16, known values with noise as a detector has it.

Usage: make_volume.py <directory> <slices> <images>; writes stack/slice_<n>.tif, pages.tif, volume.nc, plain.h5 and
gzip.h5 (chunks of 16 x 128 x 128), 512 x 512 x slices, and images/image_<n>.tif, 1024 x 512 (1 MiB) each.
"""

import os
import sys

import h5py
import netCDF4
import numpy as np
import tifffile

SIDE = 512
CHUNK = (16, 128, 128)


def make(slices):
    noise = np.random.default_rng(7)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    for z in range(slices):
        shape = 20000 + 12000 * np.sin(x / 40 + z / 30) * np.cos(y / 55)
        yield (shape + noise.normal(0, 300, shape.shape)).astype(np.uint16)


def main():
    directory, slices, images = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
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
    write_hdf5(os.path.join(directory, "plain.h5"), volume)
    write_hdf5(os.path.join(directory, "gzip.h5"), volume, chunks=CHUNK, compression="gzip", compression_opts=1)
    write_images(os.path.join(directory, "images"), volume, images)


def write_hdf5(path, volume, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("density", data=volume, **options)


def write_images(directory, volume, count):
    """Two neighbouring slices side by side make an image; after the last slice it begins anew."""
    os.makedirs(directory)
    for z in range(count):
        pair = [volume[z % len(volume)], volume[(z + 1) % len(volume)]]
        tifffile.imwrite(os.path.join(directory, f"image_{z}.tif"), np.hstack(pair), photometric="minisblack")


if __name__ == "__main__":
    main()
