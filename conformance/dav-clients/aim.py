"""What the parts get: a started server, a login, new calendars and address books, a folder of their own."""
import itertools
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import dav

from harness.wire import Wire


class Aim:
    def __init__(self, server, folder, small=False):
        self.server, self.folder, self.small = server, Path(folder), small
        self.folder.mkdir(parents=True, exist_ok=True)
        self.serial = itertools.count(1)

    @property
    def is_allod(self):
        return self.server.name == "allod"

    @property
    def url(self):
        return self.server.base

    def wire(self, **options):
        return Wire(self.server.base + "/", self.server.user, self.server.password, **options)

    def same(self, first, second):
        """Whether two contents are the same: to the byte but for line ends, which XML and clients change. The peers write what
        they were given anew, so for them it is enough that UID and title are the same."""
        if self.is_allod:
            return unix(first) == unix(second)
        return title(first) == title(second)

    def calendar(self, stem="calendar", *properties):
        """A new calendar; its path."""
        path = f"{self.server.calendars}{stem}-{next(self.serial)}-{secrets.token_hex(3)}/"
        properties = properties or (f"<D:displayname>{stem}</D:displayname>",)
        self.wire().request("MKCALENDAR", headers=dav.XML, body=dav.mkcalendar(*properties), raw=path).want(201)
        return path

    def book(self, stem="book"):
        """A new address book; its path."""
        path = f"{self.server.contacts}{stem}-{next(self.serial)}-{secrets.token_hex(3)}/"
        body = dav.mkcol("CARD:addressbook", properties=(f"<D:displayname>{stem}</D:displayname>",))
        self.wire().request("MKCOL", headers=dav.XML, body=body, raw=path).want(201)
        return path

    def environment(self, **more):
        """For programs; nothing of this machine's own set-up gets through."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {**kept, "HOME": str(home), "TZ": "Europe/Berlin", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1",
                **{name: str(value) for name, value in more.items()}}


def unix(data):
    return data.replace(b"\r\n", b"\n").rstrip(b"\n")


def title(data):
    """(UID, SUMMARY or FN) without backslashes and what follows a bare comma, which vobject drops."""
    rows = unix(data).replace(b"\n ", b"").split(b"\n")
    values = [row.partition(b":")[2] for row in rows if row.partition(b":")[0].partition(b";")[0].upper() in (b"UID", b"SUMMARY", b"FN")]
    return sorted(value.replace(b"\\", b"").partition(b",")[0] for value in values)


def put(wire, path, body, content_type=None, **headers):
    """PUT at a path that is quoted here; the reply."""
    kind = content_type or ("text/vcard; charset=utf-8" if path.endswith(".vcf") else "text/calendar; charset=utf-8")
    fields = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return wire.request("PUT", headers=fields, body=body, raw=quote(path))


def report(wire, path, body, depth="1"):
    """REPORT; the multistatus."""
    fields = {**dav.XML, **({"Depth": depth} if depth is not None else {})}
    return dav.Multistatus(wire.request("REPORT", headers=fields, body=body, raw=path).want(207).body)


def propfind(wire, path, *names, depth="0"):
    fields = {**dav.XML, "Depth": depth}
    return dav.Multistatus(wire.request("PROPFIND", headers=fields, body=dav.propfind(*names), raw=path).want(207).body)
