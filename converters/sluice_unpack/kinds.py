"""What kind of archive a file is, by its content (src/activities/fetch/archive-kind.ts knows the same of uploads)."""

import re

STREAMS = ("gz", "bz2", "xz", "zst")
# Longest first, so that `.tar.gz` goes as a whole.
_ENDING = re.compile(
    r"\.(zip|tar|tar\.(gz|bz2|xz|zst|zstd)|tgz|tbz2?|txz|tzst|7z|rar|gz|bz2|xz|zst|zstd)$", re.IGNORECASE
)
_MAGICS = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07\x00", "rar"),
    (b"Rar!\x1a\x07\x01\x00", "rar"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
)
# A zip with one of these as its first entry is a document, a program or a book, and stays a file.
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype", b"META-INF/")


def kind_of(head):
    """The kind by the first 512 bytes; None for a file that is no archive."""
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return None if kind == "zip" and is_document(head) else kind
    if head[:3] == b"BZh" and head[4:10] in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    if head[:3] == b"\x1f\x8b\x08" and not is_blocked_gzip(head):
        return "gz"
    return "tar" if is_tar_header(head) else None


def is_document(head):
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    return head.startswith(b"PK\x03\x04") and name.startswith(_DOCUMENTS)


def is_blocked_gzip(head):
    """BGZF (bam, bgzipped vcf): programs seek in it, so it stays as it is."""
    return len(head) > 16 and bool(head[3] & 4) and head[12:16] == b"BC\x02\x00"


def is_tar_header(head):
    """The header's own checksum holds; that is true of every kind of tar, and of nothing else in practice."""
    if len(head) < 512 or head[0] == 0:
        return False
    told = re.match(rb" *([0-7]+)[ \0]", head[148:156])
    return told is not None and has_checksum(head, int(told[1], 8))


def has_checksum(head, told):
    """Whether a tar header has this sum, of unsigned bytes or, as some old programs take it, of signed ones."""
    rest = head[:148] + b" " * 8 + head[156:512]
    total = sum(rest)
    return total == told or total - 256 * sum(byte > 127 for byte in rest) == told


def stem_of(path):
    """The path without the ending of an archive; None when it has none."""
    bare = _ENDING.sub("", path)
    return None if bare == path or bare == "" or bare.endswith("/") else bare
