"""allod and its peers as servers for the scripts: started with accounts, and fresh again for each script.

A server has `base`, `logins` [(user, password)] in the order of the accounts, and `start`, `renew`, `stop`. `renew` throws
away what the last script left; then `furnish` makes the calendars and address books that a script finds in a new account.
"""
import re
import shutil
import subprocess
from pathlib import Path

from cyrus import Cyrus

from harness import install
from harness.allod import Allod
from harness.peers import end, free_port, wait_for_port

PYTHON_PACKAGES = {"radicale": ("radicale==3.9.0",), "xandikos": ("xandikos==0.4.10",)}
ACCOUNT = re.compile(r"\$(?:userid|pswd|principal|principaluri|calendarhome|calendarpath|inboxpath|outboxpath|taskspath|"
                     r"addressbookhome|addressbookpath|cuaddr|cuaddrurn|cuaddralt|email|notificationpath)(\d+):")

MAKE_CALENDAR = ('<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
                 '<C:supported-calendar-component-set>{}</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>')
MAKE_ADDRESSBOOK = ('<D:mkcol xmlns:D="DAV:" xmlns:A="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype>'
                    '<D:collection/><A:addressbook/></D:resourcetype></D:prop></D:set></D:mkcol>')


class AllodServer:
    """allod with accounts user01, user02 …; a fresh start is a copy of the data directory as it was made."""

    name = "allod"

    def __init__(self, folder, binary, layout, accounts):
        self.folder, self.binary = Path(folder), binary
        self.accounts = accounts
        self.logins = []
        self.allod = None

    def start(self):
        pristine = self.folder / "pristine"
        allod = Allod(self.binary, pristine)
        # While it serves, commands go through its socket: faster than opening the store for each of them.
        allod.start()
        for number in range(1, self.accounts + 1):
            name = f"user{number:02}"
            allod.add_account(name, "--email", f"{name}@example.com")
            self.logins.append((name, allod.add_app(name, "test", "all")["password"]))
        allod.stop()
        self.renew()

    def renew(self):
        self.stop()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        shutil.copytree(self.folder / "pristine", self.folder / "data",
                        ignore=lambda _, names: [name for name in names if name.endswith(".sock")])
        self.allod = Allod(self.binary, self.folder / "data")
        self.allod.start()
        self.base = self.allod.base

    def stop(self):
        if self.allod is not None:
            self.allod.kill()
            self.allod = None

    def version(self):
        done = subprocess.run([self.binary, "version"], capture_output=True, text=True, check=False)
        return (done.stdout.split() or ["?"])[-1]


class Peer:
    """Another server: a process with its state in one folder, passwords as the layout has them."""

    def __init__(self, folder, binary, layout, accounts):
        self.folder = Path(folder)
        self.logins = [(layout.variables[f"$userid{n}:"], layout.variables[f"$pswd{n}:"]) for n in range(1, layout.accounts + 1)]
        self.process = None

    def start(self):
        self.renew()

    def renew(self):
        self.stop()
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        (self.folder / "state").mkdir(parents=True)
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(port), stdout=log, stderr=log)
        wait_for_port(port, self.process)

    def stop(self):
        if self.process is not None:
            end(self.process)
            self.process = None

    def program(self, name):
        # A folder of its own: other suites want the same program with other packages beside it.
        return str(install.venv(f"caldavtester-{name}", *PYTHON_PACKAGES[name]) / "bin" / name)

    def version(self):
        return PYTHON_PACKAGES[self.name][0].rpartition("=")[2]


class Radicale(Peer):
    name = "radicale"

    def command(self, port):
        state = self.folder / "state"
        (state / "users").write_text("".join(f"{user}:{password}\n" for user, password in self.logins), encoding="ascii")
        (state / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {state}/users\n"
            f"htpasswd_encryption = plain\ndelay = 0\n[storage]\nfilesystem_folder = {state}/collections\n", encoding="utf-8")
        return [self.program("radicale"), "--config", str(state / "config")]


class Xandikos(Peer):
    """Xandikos has no accounts: every login is the first user."""

    name = "xandikos"

    def command(self, port):
        state = self.folder / "state"
        return [self.program("xandikos"), "serve", "--directory", str(state / "data"), "--listen-address", "127.0.0.1", "--port", str(port),
                "--current-user-principal", "/user01/", "--defaults"]


class Elsewhere:
    """A server that somebody else runs: it is taken as it is."""

    name = "url"

    def __init__(self, url, layout):
        self.base = url.rstrip("/")
        self.logins = [(layout.variables[f"$userid{n}:"], layout.variables[f"$pswd{n}:"]) for n in range(1, layout.accounts + 1)]

    def start(self):
        pass

    renew = stop = start

    def version(self):
        return self.base


PEERS = {"radicale": Radicale, "xandikos": Xandikos, "cyrus": Cyrus}


def accounts_of(script):
    """The numbers of the accounts that a script uses; the first one always."""
    return {1} | {int(number) for number in ACCOUNT.findall(script.text)}


def furnish(client, layout, variables, numbers):
    """Make the collections that the scripts take for granted in an account, where the server has not made them itself."""
    for number in sorted(numbers):
        login = (variables.fill(f"$userid{number}:"), variables.fill(f"$pswd{number}:"))
        kinds = ["VEVENT", "VTODO"] if "split-calendars" not in layout.features else ["VEVENT"]
        wanted = [(f"$calendarhome{number}:/", None), (f"$calendarpath{number}:/", kinds), (f"$addressbookhome{number}:/", None),
                  (f"$addressbookpath{number}:/", [])]
        if "split-calendars" in layout.features:
            wanted.insert(2, (f"$taskspath{number}:/", ["VTODO"]))
        for name, components in wanted:
            uri = variables.fill(name)
            looked = client.request("PROPFIND", uri, {"Depth": "0"}, None, login)
            # Xandikos answers 207 with a row whose status is 404.
            if looked.status != 404 and not (looked.status == 207 and b"404" in looked.body and b"propstat" not in looked.body):
                continue
            method, body = making(components)
            client.request(method, uri, {"Content-Type": "application/xml"} if body else {}, body.encode() if body else None, login)


def making(components):
    """(method, body) that makes a plain collection (None), an address book (nothing listed), or a calendar."""
    if components is None:
        return "MKCOL", ""
    if not components:
        return "MKCOL", MAKE_ADDRESSBOOK
    listed = "".join(f'<C:comp name="{name}"/>' for name in components)
    return "MKCALENDAR", MAKE_CALENDAR.format(listed)
