"""Counts entries and bytes against the limits: first what is announced, then what really comes."""

import threading

from sluice_convert.report import Fault

from .names import quote

# So little is harmless whatever its ratio, and a mask of zeros is real data.
RATIO_COUNTS_ABOVE = 1024 * 1024


class Meter:
    """The account of one delivered archive; archives inside it are charged to it too."""

    def __init__(self, name, size, limits):
        self.entries = self.announced = self.bytes = 0
        self._name, self._size, self._limits = name, size, limits
        self._lock = threading.Lock()
        self.mark()

    def entry(self, size):
        """An entry with its announced size."""
        self.entries += 1
        if self.entries > self._limits["entries"]:
            raise self.bomb(f"holds more than {self._limits['entries']} entries")
        self.announce(size)

    def announce(self, size):
        self.announced += size
        self._check(self.announced)

    def mark(self):
        """What was counted so far belongs to archives that were unpacked; `forget` goes back to here."""
        self._mark = (self.entries, self.announced)

    def forget(self):
        self.entries, self.announced = self._mark

    def came(self, count):
        """Bytes that were really unpacked; told before they are written. Any thread."""
        with self._lock:
            self.bytes += count
        self._check(self.bytes)

    def _check(self, count):
        if count > self._limits["bytes"]:
            raise self.bomb(f"expands beyond {self._limits['bytes']} bytes")
        if count > RATIO_COUNTS_ABOVE and count > self._size * self._limits["ratio"]:
            raise self.bomb(f"expands more than {self._limits['ratio']} times")

    def bomb(self, what, subject=None):
        return Fault("archive_bomb", f"{subject or 'The archive ' + quote(self._name)} {what}.")
