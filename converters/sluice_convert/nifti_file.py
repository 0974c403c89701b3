"""Opens NIfTI files, plain or packed by gzip, and reads their bytes front to back, however large they are."""

import os
import zlib

from .nifti_header import MARK1_PLACE, NIFTI1_BYTES, NIFTI2_BYTES, looks_like, parsed
from .product import DECLARED_BYTES, MOST_EXPANSION
from .report import Fault, truncated
from .sniff import meant

GZIP_MAGIC = b"\x1f\x8b"
PAIR = b"ni1\0"
SIZES = (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")
SKIPPED_AT_ONCE = 1 << 20


def is_packed(path):
    """Whether a file is packed by gzip."""
    with open(path, "rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def is_nifti(path):
    """Whether a file that is not packed is NIfTI, by its content."""
    with open(path, "rb") as file:
        return looks_like(file.read(NIFTI2_BYTES)) is not None


def opened(path, name):
    """The header of a file that is as long as it says, or is packed. Raises Fault."""
    size = os.path.getsize(path)
    if size == 0:
        raise Fault("empty_input", f"{name} is empty (0 bytes). Upload it again.")
    file = Bytes(path, name)
    head = file.head()
    file.close()
    found = looks_like(head)
    if found is None:
        raise other_kind(path, name, head)
    version, order = found
    if len(head) < (NIFTI1_BYTES if version == 1 else NIFTI2_BYTES):
        raise truncated(name, "it ends inside its header")
    header = parsed(head, version, order, name)
    declared = header.end - header.offset
    if declared > DECLARED_BYTES and declared > MOST_EXPANSION * size:
        raise Fault(
            "declared_too_large",
            f"{name} declares {declared} bytes of values and holds {size}. Save only what was written.",
        )
    if not file.packed and header.end > size:
        raise truncated(name, f"its values end at byte {header.end} and it has {size}")
    return header


def other_kind(path, name, head):
    """The fault of a file that is not NIfTI, with what it is."""
    if head.startswith(SIZES) and len(head) < NIFTI1_BYTES:
        return truncated(name, "it ends inside its header")
    if head.startswith(PAIR, MARK1_PLACE):
        say = " It is the header of a pair (.hdr and .img). Save both as one .nii file."
    elif head.startswith(SIZES):
        say = " It has a header of the kind of Analyze 7.5, or a damaged one. Save it as one .nii file."
    elif is_packed(path):
        say = " What is packed in it is something else."
    else:
        say = meant(path)
    return Fault("not_nifti", f"{name} is not a NIfTI file, whatever its name says.{say}")


class Bytes:
    """Ranges of a file's bytes, unpacked where it is packed. Then it goes front to back, and begins anew to go back."""

    def __init__(self, path, name):
        self.packed = is_packed(path)
        self._path, self._name = path, name
        self._file, self._at = None, 0

    def head(self):
        """The first bytes, as many as the longer header has, or fewer."""
        head = bytearray(NIFTI2_BYTES)
        return bytes(head[: self._fill(0, memoryview(head))])

    def fill(self, place, view):
        """Fill `view` with the bytes from `place` on. Raises truncated."""
        if self._fill(place, view) < len(view):
            raise truncated(self._name, "its values end too early")

    def check_end(self):
        """Read a packed file on to its end, where its checksum stands, if that is near."""
        if self.packed:
            self._fill(self._at, memoryview(bytearray(SKIPPED_AT_ONCE)))

    def close(self):
        if self._file is not None:
            self._file.close()
            self._file = None

    def _fill(self, place, view):
        if self._file is None or (self.packed and place < self._at):
            self._open()
        try:
            self._go(place)
            done = 0
            while done < len(view) and (count := self._file.readinto(view[done:])):
                done += count
        except (EOFError, zlib.error, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk, not the content
            raise truncated(self._name, str(error)) from error
        self._at += done
        return done

    def _go(self, place):
        if not self.packed:
            self._at = self._file.seek(place)
        while self._at < place:
            skipped = len(self._file.read(min(SKIPPED_AT_ONCE, place - self._at)))
            if skipped == 0:
                raise EOFError("its values end too early")
            self._at += skipped

    def _open(self):
        from isal import igzip

        self.close()
        self._file = igzip.open(self._path, "rb") if self.packed else open(self._path, "rb", buffering=0)
        self._at = 0
