"""Writes archives of many small files like those of a camera: 16-bit, smooth, with noise.

Usage: make_archives.py <directory> <MiB>: makes files.zip and files.tar.gz there, 128 KiB a file and one small one.
"""

import io
import os
import sys
import tarfile
import zipfile

import numpy as np

VALUES = 64 * 1024


def files(mib):
    draw = np.random.default_rng(5)
    at = np.arange(VALUES)
    for i in range(mib * 8):
        values = 1000 + 200 * np.sin(at / 50 + i) + draw.normal(0, 6, VALUES)
        yield f"d{i % 40}/f{i}.raw", values.astype("<u2").tobytes()
    yield "readme.txt", b"many files"


def main():
    directory, mib = sys.argv[1], int(sys.argv[2])
    with (
        zipfile.ZipFile(os.path.join(directory, "files.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed,
        tarfile.open(os.path.join(directory, "files.tar.gz"), "w:gz", compresslevel=6) as tape,
    ):
        for name, data in files(mib):
            packed.writestr(name, data)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tape.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main()
