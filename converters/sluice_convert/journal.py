"""What a conversion has done so far, in a file beside its product, so that the next attempt goes on after a kill.

A JSON array a line: first whose work it is, then [kind, key, value] of each finished piece. What was written is safe
with the operating system, not yet on the disk: a journal holds for one boot of one machine.
"""

import hashlib
import json
import os

from . import itself

VERSION = 1
BOOT = "/proc/sys/kernel/random/boot_id"


class Journal:
    """`known(kind, key)` is what an earlier attempt noted; without a path nothing is noted and nothing is known."""

    def __init__(self, path, identity):
        self._path, self._identity, self._file, self._known = path, identity, None, {}
        self.why = None  # why the work of an earlier attempt counts for nothing
        if path is None:
            return
        length = self._read()
        self._file = open(path, "r+b" if length else "wb")
        self._file.truncate(length)
        self._file.seek(length)
        if not length:
            self._line(identity)

    @property
    def kept(self):
        """Whether an earlier attempt left something."""
        return bool(self._known)

    @property
    def on(self):
        """Whether pieces are noted at all."""
        return self._path is not None

    def known(self, kind, key):
        """The value noted by an earlier attempt, or None."""
        return self._known.get((kind, key))

    def note(self, kind, key, value):
        """A piece is whole: all its bytes were handed to the operating system."""
        if self._file is not None:
            self._line([kind, key, value])

    def forget(self, why):
        """Begin anew."""
        self.why, self._known = why, {}
        self._file.truncate(0)
        self._file.seek(0)
        self._line(self._identity)

    def _line(self, value):
        self._file.write(json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._file.flush()

    def _read(self):
        """Bytes of whole lines by the same hand; 0 = begin anew."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return 0
        length = 0
        for number, line in enumerate(lines):
            value = _parsed(line)
            if value is None or (number > 0 and not _is_note(value)):
                break  # a kill cut it off
            if number == 0:
                if value != self._identity:
                    self.why = _difference(value, self._identity)
                    return 0
            else:
                kind, key, noted = value
                self._known[kind, key] = noted
            length += len(line)
        return length


def _parsed(line):
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _is_note(value):
    return isinstance(value, list) and len(value) == 3


def _difference(old, new):
    changed = [key for key in new if not isinstance(old, dict) or old.get(key) != new[key]]
    return f"another {', '.join(changed) or 'form'}"


def opened(request):
    """The journal of a request; `request["journal"]` is its path, or absent."""
    path = request.get("journal")
    return Journal(path, identity_of(request) if path else None)


def identity_of(request):
    """Everything that the product of a piece depends on, and the boot of the machine that holds it."""
    inputs = []
    for item in request["inputs"]:
        facts = os.stat(item["path"])
        inputs.append([item["name"], facts.st_size, facts.st_mtime_ns])
    return {
        "version": VERSION, "inputs": _digest(inputs), "parameters": _digest(request.get("parameters") or {}),
        "slab_bytes": request["limits"]["slab_bytes"], "programs": itself.digest(), "boot": _boot(),
    }  # fmt: skip


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _boot():
    try:
        with open(BOOT, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return f"unknown, {os.getpid()} {os.urandom(8).hex()}"
