"""Writes what the bench `convert` converts: uint16, known values with noise as a detector has it, and pictures of them.

Usage: make_volume.py <directory> <slices> <images>; writes stack/slice_<n>.tif, pages.tif, volume.nc, volume.nii,
scan.h5 (four axes), plain.h5 and gzip.h5 (chunks of 16 x 128 x 128), 512 x 512 x slices;
images/image_<n>.tif, 1024 x 512 (1 MiB) each; and about as many bytes as the volume of tiles/tile_<n>.tif, 1024 x 1024
of three bands, and of photos/photo_<n>.jpg, 2048 x 1536 of three bands.
"""

import os
import struct
import sys

import h5py
import imagecodecs
import netCDF4
import numpy as np
import tifffile

SIDE = 512
CHUNK = (16, 128, 128)
TILE, PHOTO = (1024, 1024), (1536, 2048)
BANDS = 3


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
    with h5py.File(os.path.join(directory, "scan.h5"), "w") as file:
        file.create_dataset("entry/data", data=volume.reshape(-1, min(64, slices), SIDE, SIDE))
    with open(os.path.join(directory, "volume.nii"), "wb") as file:
        file.write(nifti_header(volume.shape))
        volume.tofile(file)
    write_images(os.path.join(directory, "images"), volume, images)
    side = int((volume.nbytes / (TILE[0] * TILE[1] * BANDS)) ** 0.5)
    for number, picture in enumerate(pictures(volume, side * side, TILE)):
        write(directory, f"tiles/tile_{number}.tif", tifffile.imwrite, picture, photometric="rgb")
    count = max(1, volume.nbytes // (PHOTO[0] * PHOTO[1] * BANDS))
    for number, picture in enumerate(pictures(volume, count, PHOTO)):
        write(directory, f"photos/photo_{number}.jpg", imagecodecs.imwrite, picture, level=90)


def nifti_header(shape):
    sizes = shape[::-1]
    dims = struct.pack("<8h", len(sizes), *sizes, *[1] * (7 - len(sizes)))
    kind, steps = struct.pack("<hhh", 512, 16, 0), struct.pack("<8f", *[1.0] * 8)
    head = struct.pack("<i", 348) + bytes(36) + dims + bytes(14) + kind + steps + struct.pack("<f", 352)
    return head.ljust(344, b"\0") + b"n+1\0" + bytes(4)


def pictures(volume, count, shape):
    """Smooth pictures of three bands: slices beside and below one another, eight bits of them."""
    rows, columns = shape[0] // SIDE, shape[1] // SIDE
    for number in range(count):
        picked = [[volume[(number + row * columns + column) % len(volume)] for column in range(columns)] for row in range(rows)]
        values = np.block(picked) >> 8
        yield np.stack([values.astype(np.uint8), (values // 2 + 40).astype(np.uint8), (255 - values).astype(np.uint8)], axis=-1)


def write(directory, name, how, values, **options):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    how(path, values, **options)


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
