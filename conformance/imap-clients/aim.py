"""What the parts get: a started server, connections to it, messages, a folder of their own; and how checks are written."""
import os
import time
from pathlib import Path

from imap import Imap, Literal, quote

from harness.report import Skip
from harness.wire import Wire


class Aim:
    def __init__(self, server, folder, small=False):
        self.server, self.folder, self.small = server, Path(folder), small
        self.folder.mkdir(parents=True, exist_ok=True)
        self._announced = None

    @property
    def is_allod(self):
        return self.server.name == "allod"

    @property
    def announced(self):
        """The capabilities before and after login."""
        if self._announced is None:
            with self.stranger() as client:
                before = client.capabilities()
                self._announced = before | client.login().capabilities()
        return self._announced

    def has(self, need):
        """Whether it is announced; `A|B` is one of them, `X=` anything that begins so."""
        return any(word in self.announced or (word[-1:] == "=" and any(one.startswith(word) for one in self.announced)) for word in need.split("|"))

    def need(self, *needs):
        lacking = [need for need in needs if not self.has(need)]
        if lacking:
            raise Skip(f"not announced: {' '.join(lacking)}")

    def client(self, who=None):
        """A connection that is logged in."""
        return Imap(self.server).login(who)

    def stranger(self):
        """A connection that is not logged in."""
        return Imap(self.server)

    def wire(self, path=""):
        """WebDAV to the same account (allod alone)."""
        if not self.is_allod:
            raise Skip("there is one door only")
        return Wire(self.server.base + path, self.server.user, self.server.password)

    def environment(self, **more):
        """For programs; nothing of this machine's own set-up gets through."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {**kept, "HOME": str(home), "TZ": "Europe/Berlin", "LC_ALL": "C.UTF-8", "TERM": "xterm", "PYTHONUTF8": "1",
                **{name: str(value) for name, value in more.items()}}


class Checks:
    """A list of checks, in the order in which they are written: `@checks("CAPABILITY", …)` above a function of one Aim."""

    def __init__(self, part):
        self.part, self.rows = part, []

    def __call__(self, *needs):
        def mark(function):
            self.rows.append((f"{self.part}/{function.__name__.replace('_', '-')}", needs, function))
            return function
        return mark

    def run(self, report, aim):
        for name, needs, function in self.rows:
            with report.test(name):
                aim.need(*needs)
                function(aim)


def mail(subject="A subject", body="Hello\r\n", sender="Anna <anna@example.org>", **headers):
    """A small message; `x_some_name=…` is a header X-Some-Name."""
    rows = {"From": sender, "To": "Bob <bob@example.com>", "Subject": subject, "Date": "Tue, 03 Feb 2026 10:00:00 +0100",
            "Message-ID": f"<{abs(hash((subject, body, sender)))}@conformance.example>", "MIME-Version": "1.0", "Content-Type": "text/plain; charset=utf-8"}
    given = {name.replace("_", "-").title().replace("-Id", "-ID"): value for name, value in headers.items()}
    rows.update({name.replace("Mime-", "MIME-"): value for name, value in given.items()})
    return ("".join(f"{name}: {value}\r\n" for name, value in rows.items() if value is not None) + "\r\n" + body).encode()


def fill(client, mailbox, messages, flags="", is_multi=None):
    """APPEND many messages, several with one command where that is announced."""
    is_multi = "MULTIAPPEND" in client.capabilities() if is_multi is None else is_multi
    step = 50 if is_multi else 1
    messages = list(messages)
    for at in range(0, len(messages), step):
        parts = []
        for message in messages[at:at + step]:
            parts += [f" {flags} " if flags else " ", Literal(message)]
        client.ok(f"APPEND {quote(mailbox)}", *parts)


def on_server(client, mailbox):
    """{Message-ID: set of flags, without \\Recent} of a mailbox; AssertionError where a Message-ID occurs twice."""
    reply = client.command(f"EXAMINE {quote(mailbox)}").ok()
    found = {}
    if not reply.number("EXISTS"):
        return found
    for row in client.ok("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").fetched().values():
        identity = next(value for key, value in row.items() if key.startswith("BODY["))
        identity = identity.partition(b":")[2].strip().decode()
        assert identity not in found, f"{identity} is there twice in {mailbox}"
        found[identity] = {flag for flag in row["FLAGS"] if flag.upper() != "\\RECENT"}
    return found


def wait_until(what, message, seconds=30):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{message} within {seconds} s"
        time.sleep(0.2)
