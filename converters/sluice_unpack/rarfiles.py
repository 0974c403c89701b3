"""RAR 4 and 5 by the unrar library, which unpacks into our hands and never writes a file itself."""

from sluice_convert.report import Fault

from . import rarends
from .gate import Entry
from .names import quote

_SPLIT, _ENCRYPTED, _DIRECTORY = 3, 4, 0x20
_VOLUME, _HEADERS_ENCRYPTED = 0x1, 0x80
_END, _NO_MEMORY, _MISSING_PASSWORD, _BAD_PASSWORD, _UNKNOWN, _LARGE = 10, 11, 22, 24, 14, 25
_EXTRACT, _LIST = 1, 2
_SKIP, _TEST, _DATA = 0, 1, 1
_UNIX = 3
_NAME_MOST = 8192


class RarPlan:
    """The entries of a rar; all are looked at before any is unpacked."""

    def __init__(self, archive, gate, limits):
        self.archive, self._limits = archive, limits
        self._lib = _library(archive)
        self._paths = []
        with open(archive["path"], "rb") as file:
            rarends.check_end(file, archive["size"])
        for rar, header, name in self._headers(_LIST):
            if header.Flags & _SPLIT:
                raise self._volumes()
            if header.DictSize > limits["window"] // 1024:
                raise self._hungry()
            self._paths.append(gate.admit(_entry(header, name)))
            self._process(rar, _SKIP)

    def unpack(self, sink):
        for path, (rar, header, _name) in zip(self._paths, self._headers(_EXTRACT)):
            size = header.UnpSize + (header.UnpSizeHigh << 32)
            if path is None:
                self._process(rar, _SKIP)
            else:
                sink.pushed(path, lambda push, rar=rar: self._process(rar, _TEST, push), size)
            sink.advance(header.PackSize + (header.PackSizeHigh << 32), path or "")

    def _headers(self, mode):
        """Yields each header with its name; whoever takes it processes it before the next."""
        lib = self._lib
        opening = lib.RAROpenArchiveDataEx(self.archive["path"], mode)
        rar = lib.RAROpenArchiveEx(opening.value)
        if opening.value.OpenResult != 0:
            raise self._fault(opening.value.OpenResult)
        try:
            if opening.value.Flags & _HEADERS_ENCRYPTED:
                raise self._fault(_MISSING_PASSWORD)
            if opening.value.Flags & _VOLUME:
                raise self._volumes()
            name = lib.ffi.new("wchar_t[]", _NAME_MOST)
            while True:
                data = lib.RARHeaderDataEx()
                data.FileNameEx, data.FileNameExSize = name, _NAME_MOST
                code = lib.RARReadHeaderEx(rar, data)
                if code == _END:
                    return
                if code != 0:
                    raise self._fault(code)
                yield rar, data, lib.ffi.string(name)
        finally:
            lib.RARCloseArchive(rar)

    def _process(self, rar, what, push=None):
        """Skips or unpacks the present entry; `push` gets its bytes."""
        lib, failed = self._lib, []

        def told(message, first, second):
            if message != _DATA:
                return -1  # asks for a password, a volume or more memory: it is not given
            try:
                if push is not None:
                    push(lib.ffi.buffer(lib.ffi.cast("char *", first), second)[:])
                return 1
            except BaseException as error:  # told after the library has returned
                failed.append(error)
                return -1

        handle = lib.ffi.new_handle(told)
        lib.RARSetCallbackPtr(rar, lib.PyUNRARCALLBACKStub, handle)
        code = lib.RARProcessFileW(rar, what, lib.ffi.NULL, lib.ffi.NULL)
        lib.RARSetCallbackPtr(rar, lib.ffi.NULL, lib.ffi.NULL)
        if failed:
            raise failed[0]
        if code != 0:
            raise self._fault(code)

    def _fault(self, code):
        if code in (_MISSING_PASSWORD, _BAD_PASSWORD):
            return Fault("archive_encrypted", self._say("is protected by a password"))
        if code in (_NO_MEMORY, _LARGE):
            return self._hungry()
        if code == _UNKNOWN:
            return Fault("archive_unsupported", self._say("is of a kind of RAR that is not supported"))
        return EOFError(f"the unrar library says {code}")

    def _hungry(self):
        return Fault("archive_unsupported", self._say("needs more memory to unpack than is given to it"))

    def _volumes(self):
        return Fault("archive_multivolume", self._say("is one of several volumes"))

    def _say(self, what):
        return f"The archive {quote(self.archive['name'])} {what}."


def _library(archive):
    try:
        from unrar.cffi import unrarlib
    except ImportError as error:
        say = f"The archive {quote(archive['name'])} is a RAR, and the Python package unrar2-cffi is not installed."
        raise Fault("archive_unsupported", say) from error
    return unrarlib


def _entry(header, name):
    mode = header.FileAttr & 0o170000 if header.HostOS == _UNIX else 0
    if header.RedirType != 0 or mode == 0o120000:
        type = "link"
    elif header.Flags & _DIRECTORY:
        type = "directory"
    else:
        type = "file" if mode in (0, 0o100000) else "device"
    size = header.UnpSize + (header.UnpSizeHigh << 32)
    # The library gives separators of this system; a backslash is part of a name of another one, and is refused.
    return Entry(name, type, size, bool(header.Flags & _ENCRYPTED))
