"""Walks the frames of a zstd file by their headers, without unpacking: whole or cut off, and how much comes out."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_WIDTHS = (0, 2, 4, 8)


def check_frames(file, size):
    """The announced bytes of all frames, 0 when a frame does not tell. Raises EOFError when one is not whole."""
    at, told, known = 0, 0, True
    while at < size:
        file.seek(at)
        head = file.read(18)
        if head[:4] == _MAGIC:
            length, content, summed = _frame_header(head)
            known, told = known and content is not None, told + (content or 0)
            at = _end_of_blocks(file, at + length) + (4 if summed else 0)
        elif len(head) >= 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
            at += 8 + int.from_bytes(head[4:8], "little")
        else:
            raise EOFError("something that is no zstd stands behind its data")
    if at != size:
        raise EOFError("it is cut off")
    return told if known else 0


def _frame_header(head):
    """Length of the header, announced bytes or None, whether a checksum follows the blocks."""
    flags = head[4]
    single, width = flags >> 5 & 1, _WIDTHS[flags >> 6]
    if width == 0 and single:
        width = 1
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    raw = head[at : at + width]
    content = int.from_bytes(raw, "little") + (256 if width == 2 else 0) if width else None
    return at + width, content, bool(flags & 4)


def _end_of_blocks(file, at):
    while True:
        file.seek(at)
        head = file.read(3)
        if len(head) < 3:
            raise EOFError("it is cut off")
        word = int.from_bytes(head, "little")
        kind, length = word >> 1 & 3, word >> 3
        if kind == 3:
            raise EOFError("a block of an unknown kind")
        at += 3 + (1 if kind == 1 else length)
        if word & 1:
            return at
