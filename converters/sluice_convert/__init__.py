"""Shared parts of the converter programs: reporting, planning, digests, writing and reading OpenVisus products."""

PROGRAM = "sluice-convert"
VERSION = "1.0.0"
