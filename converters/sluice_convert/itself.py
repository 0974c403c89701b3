"""What the programs are: versions of their libraries, and a digest of all. The warm interpreter works it out for all runs."""

import hashlib
import os
import sys
from functools import cache
from importlib import metadata as packages

from . import LIBRARIES, ZARR_LIBRARIES


@cache
def versions():
    """{name: version} of the libraries that a product depends on."""
    return {name: packages.version(name) for name in LIBRARIES + ZARR_LIBRARIES}


@cache
def digest():
    """Of all converters, their libraries and the interpreter."""
    found = hashlib.sha256(f"{sys.version} {list(versions().values())}".encode())
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for parent, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                with open(os.path.join(parent, name), "rb") as file:
                    found.update(file.read())
    return found.hexdigest()
