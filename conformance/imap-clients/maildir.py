"""A Maildir, as mbsync and offlineimap keep it."""
import os
import time
from pathlib import Path

LETTERS = {"S": "\\Seen", "R": "\\Answered", "F": "\\Flagged", "D": "\\Draft"}


class Maildir:
    def __init__(self, path):
        self.path = Path(path)

    def make(self):
        for name in ("cur", "new", "tmp"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        return self

    def files(self):
        return [path for name in ("cur", "new") if (self.path / name).exists() for path in (self.path / name).iterdir()]

    def messages(self):
        """{Message-ID: (path, flags)}; AssertionError where one occurs twice. What is marked as trashed does not count."""
        found = {}
        for path in self.files():
            letters = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
            if "T" in letters:
                continue
            identity = message_id(path.read_bytes())
            assert identity not in found, f"{identity} is there twice: {found[identity][0].name} and {path.name}"
            found[identity] = (path, {LETTERS[letter] for letter in letters if letter in LETTERS})
        return found

    def flags(self):
        return {identity: flags for identity, (_, flags) in self.messages().items()}

    def add(self, data, letters=""):
        name = f"{time.time_ns()}.{os.getpid()}.conformance"
        (self.path / "tmp" / name).write_bytes(data)
        os.rename(self.path / "tmp" / name, self.path / ("cur" if letters else "new") / (f"{name}:2,{letters}" if letters else name))

    def mark(self, identity, letters):
        """Give a message exactly these letters."""
        path = self.messages()[identity][0]
        os.rename(path, self.path / "cur" / f"{path.name.rpartition(':2,')[0] or path.name}:2,{''.join(sorted(letters))}")

    def remove(self, identity):
        self.messages()[identity][0].unlink()


def message_id(data):
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    for row in head.split(b"\n"):
        if row.lower().startswith(b"message-id:"):
            return row.partition(b":")[2].strip().decode()
    raise AssertionError(f"no Message-ID in {head[:200]!r}")


def same(data, original):
    """Whether a file of a Maildir is this message: with other line ends, and without what mbsync adds to the header."""
    rows = [row for row in data.replace(b"\r\n", b"\n").split(b"\n") if not row.startswith((b"X-TUID: ", b"X-OfflineIMAP:"))]
    return b"\n".join(rows) == original.replace(b"\r\n", b"\n")
