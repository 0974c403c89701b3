"""One door to all kinds of archives: looked at, then unpacked; every kind of damage becomes one code."""

import lzma
import os
import struct
import zlib

from sluice_convert.report import Fault

from . import kinds, tarfiles, zstframes
from .gate import Gate
from .names import quote
from .streams import open_stream

_MEMORY = ("Memory usage limit", "Memory limit", "requires too much memory", "exceeds", "too much memory")


class TarPlan:
    """A plain tar, whose entries were all looked at."""

    def __init__(self, archive, gate, limits):
        self._archive, self._limits = archive, limits
        tarfiles.announce(archive["path"], archive["size"], gate)

    def unpack(self, sink, gate):
        source = tarfiles.FileBytes(self._archive["path"], self._archive["size"])
        tarfiles.unpack(source, gate, sink, source.tell)


class StreamPlan:
    """A compressed file: a tar, or one file. What is inside can only be counted while it is unpacked."""

    def __init__(self, archive, gate, limits):
        self._archive, self._limits = archive, limits
        if archive["kind"] == "zst":
            with open(archive["path"], "rb") as file:
                gate.announce(zstframes.check_frames(file, archive["size"]))

    def unpack(self, sink, gate, path):
        """Whether it was a single file, which is then at `path`."""
        pieces, tell = open_stream(self._archive["kind"], self._archive["path"], self._limits)
        first = bytes(next(pieces, b""))
        while len(first) < 512 and (more := next(pieces, b"")):
            first += bytes(more)
        if not kinds.is_tar_header(first[:512]):
            sink.chunks(path, _told(first, pieces, sink, tell, path))
            return True
        source = tarfiles.StreamBytes(_chained(first, pieces))
        tarfiles.unpack(source, gate, sink, tell)
        return False


def _chained(first, pieces):
    yield first
    yield from pieces


def _told(first, pieces, sink, tell, path):
    for piece in _chained(first, pieces):
        yield piece
        sink.at(tell(), path)


def inspect(archive, meter, limits):
    """Looks at everything that the archive tells without being unpacked. Nothing is written."""
    gate = Gate(archive["name"], meter, limits)
    return gate, damage_worded(archive, lambda: _plan(archive, gate, limits))


def _plan(archive, gate, limits):
    kind = "gz" if archive["kind"] == "tar.gz" else archive["kind"]
    archive["kind"] = kind
    if kind == "zip":
        from .zipfiles import ZipPlan

        return ZipPlan(archive, gate, limits)
    if kind == "7z":
        from .sevenzip import SevenZipPlan

        return SevenZipPlan(archive, gate, limits)
    if kind == "rar":
        from .rarfiles import RarPlan

        return RarPlan(archive, gate, limits)
    return TarPlan(archive, gate, limits) if kind == "tar" else StreamPlan(archive, gate, limits)


def unpack(archive, plan, sink, gate, limits, path):
    """Writes everything. Whether the archive was a single compressed file, which is then at `path`."""
    if isinstance(plan, StreamPlan):
        return damage_worded(archive, lambda: plan.unpack(sink, gate.again(), path))
    if isinstance(plan, TarPlan):
        damage_worded(archive, lambda: plan.unpack(sink, gate.again()))
    else:
        damage_worded(archive, lambda: plan.unpack(sink))
    return False


def damage_worded(archive, work):
    """Does the work; whatever a library says of bad bytes becomes `archive_broken`."""
    try:
        return work()
    except OSError as error:
        if error.errno is not None:
            raise
        raise _broken(archive, error) from error
    except MemoryError as error:
        raise _hungry(archive) from error
    except (EOFError, lzma.LZMAError, zlib.error, struct.error, UnicodeDecodeError) as error:
        raise _hungry(archive) if _is_hunger(error) else _broken(archive, error) from error
    except Fault:
        raise
    except Exception as error:
        # The error classes of isal and zstandard, without loading what is not needed.
        if type(error).__name__ not in ("IsalError", "ZstdError", "error"):
            raise
        raise _hungry(archive) if _is_hunger(error) else _broken(archive, error) from error


def _is_hunger(error):
    return any(words in str(error) for words in _MEMORY)


def _hungry(archive):
    say = f"The archive {quote(archive['name'])} needs more memory to unpack than is given to it."
    return Fault("archive_unsupported", say)


def _broken(archive, error):
    if os.path.splitext(archive["name"])[1] == ".001":
        return Fault("archive_multivolume", f"The archive {quote(archive['name'])} is one of several volumes.")
    return Fault("archive_broken", f"The archive {quote(archive['name'])} is damaged or cut off ({error}).")
