"""Other WebDAV servers, to try the suites on and to measure against: Apache mod_dav and `rclone serve webdav`."""
import base64
import hashlib
import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from harness import install

USER, PASSWORD = "alice", "correct-horse"

APACHE = """\
ServerRoot {home}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {home}/pid
ErrorLog {home}/error.log
LogLevel warn
User www-data
Group www-data
{modules}
DocumentRoot {root}
DavLockDB {home}/locks/db
Timeout 120
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
EnableSendfile On
EnableMMAP On
LimitXMLRequestBody 0
StartServers 2
ThreadsPerChild 32
MaxRequestWorkers 128
ServerLimit 4
MinSpareThreads 32
MaxSpareThreads 128
<Directory />
  AllowOverride None
  Options FollowSymLinks
</Directory>
<Directory {root}>
  Dav On
  DavDepthInfinity On
  AuthType Basic
  AuthName conformance
  AuthUserFile {home}/htpasswd
  Require valid-user
</Directory>
"""
MODULES = ("mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Apache:
    """Apache with mod_dav, event MPM. `preload`: a library for LD_PRELOAD."""

    name = "apache"

    def __init__(self, folder, preload=None):
        install.apt(apache2="apache2-bin apache2")
        self.home, self.preload, self.process = Path(folder), preload, None
        self.root = self.home / "root"

    def start(self):
        for name in ("root", "locks"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
            shutil.chown(self.home / name, "www-data", "www-data")
        for parent in (self.home, *self.home.parents[:-1]):
            parent.chmod(parent.stat().st_mode | 0o055)
        port = free_port()
        # {SHA} is the cheapest hash htpasswd has: every server should spend its time on the work, not on the login.
        digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
        (self.home / "htpasswd").write_text(f"{USER}:{{SHA}}{digest}\n", encoding="ascii")
        modules = "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in MODULES)
        config = self.home / "httpd.conf"
        config.write_text(APACHE.format(home=self.home, root=self.root, port=port, modules=modules), encoding="utf-8")
        environment = {**os.environ, **({"LD_PRELOAD": str(self.preload), "SYNC_BELOW": str(self.root)} if self.preload else {})}
        self.process = subprocess.Popen([install.find("apache2"), "-f", str(config), "-D", "FOREGROUND"], env=environment)
        self.base = f"http://127.0.0.1:{port}"
        wait_for_port(port, self.process)

    def pids(self):
        return family(self.process.pid)

    def stop(self):
        end(self.process)

    def version(self):
        text = subprocess.run([install.find("apache2"), "-v"], capture_output=True, text=True, check=True).stdout
        return text.split()[2]


class RcloneServe:
    """`rclone serve webdav` on a local folder."""

    name = "rclone"

    def __init__(self, folder):
        install.apt(rclone="rclone")
        self.home, self.process = Path(folder), None

    def start(self):
        (self.home / "root").mkdir(parents=True, exist_ok=True)
        port = free_port()
        command = ["rclone", "serve", "webdav", str(self.home / "root"), "--addr", f"127.0.0.1:{port}", "--user", USER,
                   "--pass", PASSWORD, "--config", "/dev/null"]
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.base = f"http://127.0.0.1:{port}"
        wait_for_port(port, self.process)

    def pids(self):
        return [self.process.pid]

    def stop(self):
        end(self.process)

    def version(self):
        return subprocess.run(["rclone", "version"], capture_output=True, text=True, check=True).stdout.split()[1]


def wait_for_port(port, process):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args[0]} ended with code {process.returncode}") from None
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not listen")


def family(pid):
    """The process and its living descendants."""
    found = [pid]
    # One that ends meanwhile has none.
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            found += family(int(child))
    return found


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
