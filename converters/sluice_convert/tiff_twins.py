"""TIFF files that differ in their pixels alone: one is looked through, its twins are known by the bytes around the pixels.

A stack of thousands of slices is mostly that, and looking through a file costs ten times as much as reading these bytes.
"""

import os
from dataclasses import replace

from .tiff_scan import scan

MOST_AROUND = 64 << 10


class Twins:
    """Looks through files, one after another."""

    def __init__(self):
        self._last = self._around = None

    def scan(self, path, name):
        """The Scan of a file. Raises Fault with a sentence naming it."""
        if self._around is not None and self._around == around(path, self._last.pages[0]):
            return moved(self._last, path)
        found = scan(path, name)
        self._last, self._around = found, around(path, found.pages[0]) if found.apart else None
        return found


def around(path, page):
    """(size of the file, its bytes before and behind the pixels of `page`), or None where these are many or missing."""
    with open(path, "rb", buffering=0) as file:
        size, end = os.fstat(file.fileno()).st_size, page.offset + page.layout.nbytes
        if size < end or size - page.layout.nbytes > MOST_AROUND:
            return None
        return size, os.pread(file.fileno(), page.offset, 0), os.pread(file.fileno(), size - end, end)


def moved(scan, path):
    """The same of another file."""
    page = replace(scan.pages[0], path=path)
    return replace(scan, pages=[page], steps=[[(page,)]])
