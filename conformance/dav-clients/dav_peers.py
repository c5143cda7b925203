"""Calendar and contact servers that the suites try themselves on and measure against, and allod in the same shape.

Each has `base` (its address), `user`, `password`, `logins` of others too, the paths `principal`, `calendars` and `contacts` (home sets, with a slash
at the end), `start`, `stop`, `kill`, `pids`, `version`, and `durable`: what its reply to a PUT promises.
"""
import os
import signal
import subprocess
import time
from pathlib import Path

from harness import install
from harness.allod import STOP_TIMEOUT_S, Allod
from harness.peers import family, free_port, wait_for_port

RADICALE = "radicale==3.9.0"
XANDIKOS = "xandikos==0.4.10"
USER, PASSWORD = "alice", "correct-horse"
OTHERS = ("bob", "carol")  # for what takes more than one: scheduling, principals

# The file of Radicale's own tutorial, with room for a hundred clients (its default is 8 connections). The password is kept
# in plain text so that no hash stands between a request and the work.
RADICALE_CONFIG = """\
[server]
hosts = 127.0.0.1:{port}
max_connections = 256
max_content_length = 100000000
timeout = 60
[auth]
type = htpasswd
htpasswd_filename = {home}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {home}/collections
predefined_collections = {{"calendar": {{"tag": "VCALENDAR", "D:displayname": "Personal"}},
    "contacts": {{"tag": "VADDRESSBOOK", "D:displayname": "Contacts"}}}}
[web]
type = none
[logging]
level = error
"""


class AllodDav(Allod):
    """allod with one account and a credential for everything."""

    name, durable, has_login = "allod", "synced, encrypted", True

    def __init__(self, binary, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        super().__init__(binary, Path(folder) / "data")
        self.user, self.password, self.logins = USER, None, {}
        self.principal, self.calendars, self.contacts = f"/principals/{USER}/", f"/dav/{USER}/Calendars/", f"/dav/{USER}/Contacts/"

    def start(self, **options):
        if self.password is None:
            for name in (USER, *OTHERS):
                self.add_account(name, "--email", f"{name}@example.com")
                login = self.add_app(name, "conformance", "all")
                self.logins[name] = (login["username"], login["password"])
            self.user, self.password = self.logins[USER]
        super().start(**options)

    def version(self):
        return self.command("version").stdout.split()[-1]


class Peer:
    """A server from the Python package index, a process in the foreground."""

    has_login = True

    def __init__(self, folder):
        self.home = Path(folder)
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.user, self.password, self.logins = USER, PASSWORD, {name: (name, PASSWORD) for name in (USER, *OTHERS)}
        self.process, self.ready_s = None, None

    def start(self):
        started = time.monotonic()
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(list(map(str, self.command())), stdout=log, stderr=log, cwd=self.home,
                                            env={**os.environ, "PYTHONUNBUFFERED": "1"})
        wait_for_port(self.port, self.process)
        self.ready_s = time.monotonic() - started

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def pids(self):
        return family(self.process.pid)

    def version(self):
        return self.package.partition("==")[2]


class Radicale(Peer):
    name, durable, package = "radicale", "synced", RADICALE
    principal = calendars = contacts = f"/{USER}/"

    def command(self):
        python = install.venv("radicale", RADICALE, "gunicorn==23.0.0") / "bin/python"
        (self.home / "users").write_text("".join(f"{name}:{PASSWORD}\n" for name in self.logins), encoding="ascii")
        (self.home / "config").write_text(RADICALE_CONFIG.format(home=self.home, port=self.port), encoding="utf-8")
        return [python, "-m", "radicale", "--config", self.home / "config"]


class Xandikos(Peer):
    """It leaves logins to the proxy in front of it; here there is none, so it believes everybody."""

    name, durable, package, has_login = "xandikos", "a git commit, not synced", XANDIKOS, False
    principal, calendars, contacts = f"/{USER}/", f"/{USER}/calendars/", f"/{USER}/contacts/"

    def command(self):
        program = install.venv("xandikos", XANDIKOS) / "bin/xandikos"
        return [program, "serve", "--directory", self.home / "dav", "--defaults", "--current-user-principal", self.principal,
                "--listen-address", "127.0.0.1", "--port", self.port, "--state-dir", self.home / "state", "--no-detect-systemd"]


class RadicaleGunicorn(Radicale):
    """The same behind gunicorn, which its documentation names for several processes."""

    name = "radicale+gunicorn"
    package = RADICALE

    def command(self):
        super().command()
        program = install.venv("radicale", RADICALE, "gunicorn==23.0.0") / "bin/gunicorn"
        return [program, "--bind", f"127.0.0.1:{self.port}", "--env", f"RADICALE_CONFIG={self.home}/config", "--workers", "4", "--log-level", "error", "radicale"]


PEERS = ("allod", "radicale", "xandikos")


def server(name, folder, allod=None):
    if name == "allod":
        return AllodDav(allod, folder)
    return {"radicale": Radicale, "radicale+gunicorn": RadicaleGunicorn, "xandikos": Xandikos}[name](folder)
