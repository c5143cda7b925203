"""IMAP servers that the suites try themselves on and measure against, and allod in the same shape.

Each has `host` and `port` (plain text with STARTTLS where `has_tls`), `user`, `password`, `logins` of others too, `start`, `stop`, `kill`,
`pids`, `version`, and `durable`: what its OK to an APPEND promises. `inbox_path` is the place of the inbox in WebDAV (allod alone).
"""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness import install
from harness.allod import STOP_TIMEOUT_S, Allod
from harness.peers import family, free_port, wait_for_port

USER, PASSWORD = "alice", "correct-horse"
OTHERS = ("bob", "carol")  # for what takes more than one: ACL, rights

DOVECOT = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-1 scram-sha-256
default_internal_user = dovecot
default_login_user = dovenull
default_process_limit = 2000
default_client_limit = 4000
mail_max_userip_connections = 2000
mail_location = {location}
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
mail_fsync = {fsync}
mailbox_idle_check_interval = 1 secs
mail_attribute_dict = file:%h/dovecot-attributes
mail_plugins = quota acl zlib
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
protocol imap {{
  mail_plugins = quota acl zlib imap_quota imap_acl imap_zlib
  imap_metadata = yes
}}
plugin {{
  quota = count:User quota
  quota_rule = *:storage=20G
  quota_vsizes = yes
  acl = vfile
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  process_limit = 2000
}}
service stats {{
  client_limit = 8000
}}
"""
LOCATIONS = {"maildir": "maildir:~/Maildir", "sdbox": "sdbox:~/sdbox", "mdbox": "mdbox:~/mdbox"}


class AllodImap(Allod):
    """allod with an account, credentials for everything, and its IMAP listener on a free port."""

    name, durable, has_tls = "allod", "synced, encrypted", False
    host = "127.0.0.1"

    def __init__(self, binary, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        super().__init__(binary, Path(folder) / "data")
        self.user, self.password, self.logins, self.port = USER, None, {}, None
        self.inbox_path = f"/dav/{USER}/Mail/INBOX/"

    def start(self, wait=True, flags=()):
        if self.password is None:
            for name in (USER, *OTHERS):
                self.add_account(name, "--email", f"{name}@example.com")
                login = self.add_app(name, "conformance", "all")
                self.logins[name] = (login["username"], login["password"])
            self.user, self.password = self.logins[USER]
        # The same port after a restart, as the clients have it in their settings.
        self.port = self.port or free_port()
        super().start(wait, ("--imap", f"{self.host}:{self.port}", *flags))

    def quiet_doors(self):
        return [flag for flag in super().quiet_doors() if flag != "--no-imap"]

    def version(self):
        return self.command("version").stdout.split()[-1]


class Dovecot:
    """Debian's Dovecot with a configuration of its own; every login has the same password."""

    host, has_tls = "127.0.0.1", True

    def __init__(self, folder, storage="maildir", fsync="optimized", is_lean=False):
        if not (install.find("dovecot") and Path("/usr/lib/dovecot/imap").exists()):
            install.apt(dovecot="dovecot-imapd")
        self.name = f"dovecot-{storage}"
        self.durable = {"optimized": "synced before OK where it matters to it (its default)", "always": "synced always", "never": "not synced"}[fsync]
        self.home, self.storage, self.fsync, self.is_lean = Path(folder), storage, fsync, is_lean
        self.home.mkdir(parents=True, exist_ok=True)
        self.port, self.process, self.ready_s = free_port(), None, None
        self.user, self.password = USER, PASSWORD
        self.logins = {name: (name, PASSWORD) for name in (USER, *OTHERS)}

    def start(self, wait=True, flags=()):
        del wait, flags
        started = time.monotonic()
        (self.home / "run").mkdir(exist_ok=True)
        (self.home / "mail").mkdir(exist_ok=True)
        shutil.chown(self.home / "mail", "nobody", "nogroup")
        for parent in (self.home, *self.home.parents[:-1]):
            parent.chmod(parent.stat().st_mode | 0o055)
        if not (self.home / "cert.pem").exists():
            install.quietly(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(self.home / "key.pem"), "-out", str(self.home / "cert.pem")])
        config = self.home / "dovecot.conf"
        text = DOVECOT.format(home=self.home, port=self.port, password=PASSWORD, location=LOCATIONS[self.storage], fsync=self.fsync)
        if self.is_lean:
            text = "\n".join(row for row in text.splitlines() if not row.strip().startswith(("mail_plugins", "quota", "acl", "imap_metadata", "mail_attribute"))) + "\n"
        config.write_text(text, encoding="utf-8")
        with open(self.home / "stderr", "ab") as log:
            self.process = subprocess.Popen([install.find("dovecot"), "-F", "-c", str(config)], stdout=log, stderr=log, start_new_session=True)
        wait_for_port(self.port, self.process)
        self.ready_s = time.monotonic() - started

    def stop(self):
        self.end(signal.SIGTERM)
        return 0

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, how):
        if self.process is None:
            return
        known = self.pids()
        for pid in known if how == signal.SIGKILL else known[:1]:
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        (self.home / "run/master.pid").unlink(missing_ok=True)

    def pids(self):
        return family(self.process.pid)

    def check(self):
        """(exit code, what it says) like `allod check`: Dovecot has no such thing."""
        return 0, "none"

    def last_words(self):
        log = self.home / "log"
        return " | ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]) if log.exists() else "(none)"

    def version(self):
        return subprocess.run([install.find("dovecot"), "--version"], capture_output=True, text=True, check=True).stdout.split()[0]


class Elsewhere:
    """A server that runs already: HOST:PORT, with its login in IMAP_USER and IMAP_PASSWORD."""

    durable, has_tls = "unknown", False

    def __init__(self, address):
        self.name = address
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self.user, self.password = os.environ["IMAP_USER"], os.environ["IMAP_PASSWORD"]
        self.logins = {self.user: (self.user, self.password)}

    def start(self, **_):
        """It runs."""

    stop = kill = start

    def check(self):
        return 0, "none"

    def pids(self):
        return []

    def last_words(self):
        return "(none)"

    def version(self):
        return "unknown"


PEERS = ("allod", "dovecot", "dovecot-maildir", "dovecot-sdbox", "dovecot-mdbox", "dovecot-maildir+fsync", "dovecot-sdbox+fsync")


def server(name, folder, binary=None, is_lean=False):
    """A server by its name, not yet started; a HOST:PORT is one that runs already. `is_lean`: Dovecot without plugins, for measurements."""
    if name == "allod":
        return AllodImap(binary, folder)
    if name not in PEERS:
        return Elsewhere(name)
    storage, _, fsync = name.partition("-")[2].partition("+")
    made = Dovecot(folder, storage or "maildir", "always" if fsync else "optimized", is_lean)
    made.name = name
    return made
