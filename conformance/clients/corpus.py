"""Trees of files with names that clients really make, and a comparison that misses nothing."""
import hashlib
import os
import random
import unicodedata
from pathlib import Path

ODD_NAMES = (
    "plain.txt",
    "with space.txt",
    " leading space",
    "trailing space ",
    "two  spaces",
    "trailing dot.",
    "dots...",
    ".hidden",
    "..two dots first",
    "100% sure",
    "%41 is not A",
    "%2F is not a slash",
    "a%00b",
    "hash#tag",
    "question?mark",
    "amp&ersand",
    "plus+plus",
    "equals=semi;colon:comma,",
    "it's quoted",
    'say "hello"',
    "back\\slash",
    "star*angle<>pipe|",
    "[brackets] {braces} (round)",
    "at@sign!$^`~",
    "-leading-dash",
    "~tilde",
    "_underscore",
    unicodedata.normalize("NFC", "é composed"),
    unicodedata.normalize("NFD", "é composed"),
    "ÄÖÜß ŁØÞ",
    "日本語のファイル",
    "עברית العربية",
    "emoji 🦀👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "zero\u200bwidth and nbsp\u00a0",
    "CON.txt",
    "UPPER and upper",
    "upper and UPPER",
    "a" * 255,
    "é" * 127 + "x",
    "語" * 85,
)
CONTROL_NAMES = ("tab\there", "line\nbreak", "bell\x07", "escape\x1b[31m", "delete\x7f", "c1\x85")
SIZES = (0, 1, 2, 4095, 4096, 8191, 8192, 8193, 65535, 65536, 65537, 1_000_003)


def content(seed, size):
    """Bytes that only this seed and size give."""
    return random.Random(f"{seed}:{size}").randbytes(size)


def plant(root, control=False, name_bytes_max=255):
    """A tree with odd names, all sizes, empty and nested folders below `root`."""
    root = Path(root)
    names = [n for n in ODD_NAMES + (CONTROL_NAMES if control else ()) if len(n.encode()) <= name_bytes_max]
    for at, name in enumerate(names):
        write(root / "names" / name, content(name, 10 + at))
    for name in names:
        write(root / "folders" / name / "inside.bin", content(name, 100))
    for size in SIZES:
        write(root / "sizes" / f"{size}.bin", content("size", size))
    (root / "empty folder").mkdir()
    deep = root / "/".join(["deep"] * 20)
    write(deep / "bottom.txt", b"bottom\n")
    return root


def plant_many(root, count):
    """`count` small files in ten folders."""
    for at in range(count):
        write(Path(root) / f"{at % 10}" / f"file {at}.dat", content(at, 50 + at * 7 % 9000))
    return Path(root)


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    # Times that differ and lie in the past, with whole seconds: what X-OC-Mtime can carry.
    stamp = 1_000_000_000 + int.from_bytes(hashlib.sha256(os.fsencode(path.name)).digest()[:3], "big") * 17
    os.utime(path, (stamp, stamp))


def write_big(path, size, seed):
    """A large file of bytes that do not repeat; its SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in blocks(size, seed):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def blocks(size, seed, block_bytes=1 << 20):
    """The same endless stream for the same seed, cut at `size`."""
    source = random.Random(seed)
    while size > 0:
        block = source.randbytes(min(block_bytes, size))
        size -= len(block)
        yield block


def snapshot(root, times=False):
    """{path below root: digest, "folder", or (digest, mtime)}."""
    found = {}
    root = os.fsencode(root)
    for folder, folders, files in os.walk(root):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), root)] = "folder"
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            key = os.path.relpath(path, root)
            found[key] = (digest, int(os.stat(path).st_mtime)) if times else digest
    return found


def assert_same(left, right, times=False):
    """AssertionError that names the first differences of two trees."""
    one, two = snapshot(left, times), snapshot(right, times)
    missing = sorted(set(one) - set(two))
    extra = sorted(set(two) - set(one))
    other = sorted(key for key in set(one) & set(two) if one[key] != two[key])
    assert not (missing or extra or other), (
        f"{len(missing)} missing {missing[:4]}, {len(extra)} unexpected {extra[:4]}, {len(other)} differ {other[:4]}")
