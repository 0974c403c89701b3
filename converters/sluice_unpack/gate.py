"""What every entry must pass before anything is written for it."""

from sluice_convert.report import Fault

from .names import quote, safe_path


class Entry:
    """An entry as its archive tells it; nothing of it is trusted yet. `type` is file, directory, link or device."""

    __slots__ = ("name", "type", "size", "encrypted", "at")

    def __init__(self, name, type, size, encrypted=False, at=None):
        self.name, self.type, self.size, self.encrypted, self.at = name, type, size, encrypted, at


class Gate:
    """Admits the entries of one archive, one after the other."""

    def __init__(self, name, meter, limits):
        self._what, self._meter, self._limits = name, meter, limits
        self._files, self._directories = set(), set()

    def again(self):
        """A gate for the second look at the same entries, which counts none of them twice."""
        self._meter.forget()
        return Gate(self._what, self._meter, self._limits)

    def announce(self, size):
        """Bytes that are told without a name."""
        self._meter.announce(size)

    def admit(self, entry):
        """The path to write the entry at; None when there is nothing to write.

        Raises `archive_unsafe`, `archive_encrypted`, `archive_bomb`.
        """
        self._meter.entry(entry.size if entry.type == "file" else 0)

        def fault(code, why):
            say = f"The entry {quote(entry.name)} of the archive {quote(self._what)} {why}."
            return Fault(code, say)

        if entry.type == "link":
            raise fault("archive_unsafe", "is a link")
        if entry.type == "device":
            raise fault("archive_unsafe", "is neither a file nor a directory")
        if entry.encrypted:
            raise fault("archive_encrypted", "is protected by a password")
        path = safe_path(entry.name, fault, self._limits["depth"])
        if path is None:
            return None
        return self._place(path, entry.type == "file", fault)

    def _place(self, path, is_file, fault):
        if is_file and path in self._files:
            raise fault("archive_unsafe", "stands there twice")
        if path in (self._directories if is_file else self._files) or self._below_a_file(path):
            raise fault("archive_unsafe", "is a file and a directory at once")
        (self._files if is_file else self._directories).add(path)
        return path if is_file else None

    def _below_a_file(self, path):
        """Whether one of its directories is a file; notes them as directories."""
        slash = path.rfind("/")
        while slash > 0:
            parent = path[:slash]
            if parent in self._directories:
                return False
            if parent in self._files:
                return True
            self._directories.add(parent)
            slash = parent.rfind("/")
        return False
