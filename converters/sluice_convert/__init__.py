"""Shared parts of the converter programs: reporting, planning, digests, writing and reading OpenVisus products."""

PROGRAM = "sluice-convert"
VERSION = "1.0.0"
# What a product depends on besides the programs.
LIBRARIES = ("OpenVisusNoGui", "numpy", "tifffile", "imagecodecs", "netCDF4", "h5py", "isal")
ZARR_LIBRARIES = ("zstandard",)
