"""Writes files below one directory, hashed on the way. Makes directories and plain files, and nothing else ever."""

import errno
import hashlib
import os

from sluice_convert.report import Fault

from .names import quote

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Sink:
    """The tree of one archive. Several threads may write different files."""

    def __init__(self, tree, meter, reporter, archive):
        self.tree, self.meter, self.archive = tree, meter, archive
        self.untouched = True
        self._reporter, self._packed = reporter, 0
        self._made, self._files = set(), {}
        os.makedirs(tree, exist_ok=True)

    def whole(self, path, data):
        """A file whose bytes are all at hand."""
        self.meter.came(len(data))
        file = self._create(path)
        try:
            _write(file, data)
        finally:
            os.close(file)
        self._files[path] = (len(data), hashlib.sha256(data).hexdigest())

    def chunks(self, path, chunks, told=None):
        """A file that comes in pieces; `told` is its announced size. Raises EOFError when it has another one."""

        def work(push):
            for chunk in chunks:
                push(chunk)

        self.pushed(path, work, told)

    def pushed(self, path, work, told):
        """A file whose bytes come through a function that `work` is given."""
        size, digest, file = 0, hashlib.sha256(), self._create(path)

        def push(data):
            nonlocal size
            self.meter.came(len(data))
            _write(file, data)
            digest.update(data)
            size += len(data)

        try:
            work(push)
        finally:
            os.close(file)
        if told is not None and size != told:
            raise EOFError(f"{quote(path)} has {size} bytes instead of {told}")
        self._files[path] = (size, digest.hexdigest())

    def advance(self, packed, note):
        """So many more packed bytes are done."""
        self._packed += packed
        self.at(self._packed, note)

    def at(self, packed, note):
        """So many packed bytes are done in all."""
        self._packed = packed
        self._reporter.progress(packed, max(1, self.archive["size"]), note)

    def inside(self, archive, below):
        """Where an archive of this tree is unpacked to: below `below`, or at it when the path is empty."""
        return Inside(self, archive, below)

    def paths(self):
        return sorted(self._files)

    def taken(self, path):
        return path in self._files or os.path.lexists(os.path.join(self.tree, path))

    def drop(self, path):
        """Removes a file that was replaced by what it held."""
        self.untouched = False
        os.unlink(os.path.join(self.tree, path))
        del self._files[path]

    def files(self):
        return [
            {"path": path, "size": size, "sha256": sha256} for path, (size, sha256) in sorted(self._files.items())
        ]

    def _create(self, path):
        directory = os.path.dirname(path)
        if directory not in self._made:
            os.makedirs(os.path.join(self.tree, directory), exist_ok=True)
            self._made.add(directory)
        try:
            return os.open(os.path.join(self.tree, path), _CREATE, 0o644)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ELOOP, errno.EISDIR, errno.ENOTDIR):
                raise
            # The disk takes two names of the archive for one (upper and lower case).
            say = f"The archive {quote(self.archive['name'])} has two files that the disk keeps under one name: "
            raise Fault("archive_unsafe", f"{say}{quote(path)}.") from error


class Inside:
    """A part of a tree, for an archive that lay in it."""

    def __init__(self, outer, archive, below):
        self.archive, self._outer, self._below, self._all = archive, outer, below, outer.archive["size"]

    def whole(self, path, data):
        self._outer.whole(self._at(path), data)

    def chunks(self, path, chunks, told=None):
        self._outer.chunks(self._at(path), chunks, told)

    def pushed(self, path, work, told):
        self._outer.pushed(self._at(path), work, told)

    def advance(self, _packed, note):
        self.at(0, note)

    def at(self, _packed, note):
        self._outer.at(self._all, note)

    def _at(self, path):
        return f"{self._below}/{path}" if path else self._below


def _write(file, data):
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
