"""What a file is by its first bytes, so that a refusal can say which sensor was meant."""

import os

HEAD_BYTES = 512
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NETCDF_MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
INDEX_MARK = b"(version)"
# (place, bytes that stand there, what it is, sensors that take it)
KINDS = (
    (0, HDF5_MAGIC, "HDF5", "HDF5 (or 4D_NEXUS, NETCDF if a program of these wrote it)"),
    *((0, magic, "TIFF", "TIFF (or TIFF RGB, RGB, MAPIR for pictures)") for magic in TIFF_MAGIC),
    *((0, magic, "NetCDF", "NETCDF") for magic in NETCDF_MAGIC),
    (0, PNG_MAGIC, "a PNG image", "TIFF RGB (or RGB)"),
    (0, JPEG_MAGIC, "a JPEG image", "TIFF RGB (or RGB, MAPIR)"),
    (0, INDEX_MARK, "an OpenVisus index", "IDX"),
    (344, b"n+1\0", "NIfTI", "NIFTI"),
    (4, b"n+2\0\r\n\x1a\n", "NIfTI", "NIFTI"),
    (0, b"\x0e\x03\x13\x01", "HDF4", None),
    (0, b"PK\x03\x04", "a zip archive", None),
    (0, b"\x1f\x8b", "gzip data", None),
    (0, b"%PDF", "a PDF", None),
)


def head_of(path):
    """The first bytes of a file."""
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def is_hdf5(path):
    """Whether the signature of HDF5 stands where it may: at 0, 512, 1024, 2048, … (a user block comes before it)."""
    size, place = os.path.getsize(path), 0
    with open(path, "rb") as file:
        while place < size:
            file.seek(place)
            if file.read(len(HDF5_MAGIC)) == HDF5_MAGIC:
                return True
            place = max(512, place * 2)
    return False


def is_tiff(path):
    """Whether a file begins as TIFF or BigTIFF, of either byte order."""
    return head_of(path).startswith(TIFF_MAGIC)


def is_netcdf(path):
    """Whether a file is classic NetCDF, or HDF5 that a program of NetCDF-4 signed."""
    head = head_of(path)
    if not head.startswith(HDF5_MAGIC):
        return head.startswith(NETCDF_MAGIC)
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return "_NCProperties" in file.attrs
    except (OSError, RuntimeError):
        return False


def kind_of(path):
    """(what a file is, sensors that take it or None), or None for an unknown kind."""
    head = head_of(path)
    return next(((kind, sensors) for place, mark, kind, sensors in KINDS if head.startswith(mark, place)), None)


def meant(path, subject="It"):
    """A sentence for a refusal: ` It is HDF5: did you mean the sensor HDF5?`, or nothing for an unknown kind."""
    known = kind_of(path)
    if known:
        return f" {subject} is {known[0]}" + (f": did you mean the sensor {known[1]}?" if known[1] else ".")
    head = head_of(path)
    return f" {subject} is text." if head and all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head) else ""
