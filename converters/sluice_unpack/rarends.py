"""Walks the blocks of a rar to its end mark: the unrar library takes one that was cut between two files for whole."""

_END4, _FILE4, _END5, _ENCRYPTED5 = 0x7B, 0x74, 5, 4
# Since this version of the format an end mark is always written.
_MARKED = 29


def check_end(file, size):
    """Raises EOFError when the blocks do not lead to an end mark."""
    head = file.read(8)
    whole = _walk5(file, size) if head[6:8] == b"\x01\x00" else _walk4(file, size)
    if not whole:
        raise EOFError("it is cut off")


def _walk5(file, size):
    at = 8
    while at < size:
        file.seek(at)
        head = file.read(48)
        length, start = _vint(head, 4)
        kind, after = _vint(head, start)
        flags, after = _vint(head, after)
        if kind in (_END5, _ENCRYPTED5):
            return start + length <= len(head) and at + start + length <= size or kind == _ENCRYPTED5
        if flags & 1:
            _extra, after = _vint(head, after)
        data = _vint(head, after)[0] if flags & 2 else 0
        at += start + length + data
    return False


def _walk4(file, size):
    at, newest = 7, 0
    while at < size:
        file.seek(at)
        head = file.read(40)
        if len(head) < 7:
            return False
        kind, flags, length = head[2], int.from_bytes(head[3:5], "little"), int.from_bytes(head[5:7], "little")
        if kind == _END4:
            return at + length <= size
        data = int.from_bytes(head[7:11], "little") if flags & 0x8000 else 0
        if kind == _FILE4:
            newest = max(newest, head[24] if len(head) > 24 else 0)
            data += int.from_bytes(head[32:36], "little") << 32 if flags & 0x100 else 0
        if kind == 0x73 and flags & 0x80:
            return True  # what follows is encrypted
        if length < 7:
            return False
        at += length + data
    return at == size and newest < _MARKED


def _vint(data, at):
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for i in range(10):
        if at + i >= len(data):
            break
        value |= (data[at + i] & 0x7F) << 7 * i
        if not data[at + i] & 0x80:
            return value, at + i + 1
    raise EOFError("it is cut off")
