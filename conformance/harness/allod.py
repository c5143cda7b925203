"""allod as a process: its commands, a running server, accounts and app passwords."""
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
OTHER_LISTENERS = ("s3", "imap", "submission", "mx")


class Allod:
    """One data directory and the server on it. `base` is the HTTP address while it runs."""

    def __init__(self, binary, data):
        self.binary, self.data = str(binary), Path(data)
        self.log = Path(f"{data}.log")
        self.process = None
        self.base = None
        self.ready_s = None

    def command(self, *words, check=True, stdin=None):
        """Run `allod WORDS --data DIR`; the finished process."""
        return subprocess.run([self.binary, *words, "--data", str(self.data)], input=stdin, check=check,
                              capture_output=True, text=True, timeout=3600)

    def add_account(self, name, *flags):
        self.command("account", "add", name, *flags)

    def add_app(self, account, label, *grants):
        """A credential: the object that `app add --json` prints."""
        words = [word for grant in grants for word in ("--grant", grant)]
        return json.loads(self.command("app", "add", account, label, *words, "--json").stdout)

    def start(self, wait=True, flags=()):
        """Serve on a free loopback port. Without `wait` the call returns as soon as the process exists."""
        command = [self.binary, "serve", "--data", str(self.data), "--http", "127.0.0.1:0", *self.quiet_doors(), *flags]
        started = time.monotonic()
        log = open(self.log, "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        self.base, self.ready_s = None, None
        is_ready = threading.Event()
        threading.Thread(target=self._listen, args=(self.process, started, is_ready), daemon=True).start()
        if wait:
            is_ready.wait(READY_TIMEOUT_S)
            if self.ready_s is None or self.base is None:
                self.kill()
                raise RuntimeError(f"allod did not become ready; its last words: {self.last_words()}")

    def quiet_doors(self):
        """Flags that put the listeners that no suite here uses on free ports too, so that servers can run side by side."""
        helped = subprocess.run([self.binary, "serve", "--help"], capture_output=True, text=True, check=False).stdout
        return [f"--no-{name}" for name in OTHER_LISTENERS if f"--no-{name}" in helped]

    def _listen(self, process, started, is_ready):
        for line in process.stdout:
            found = re.search(r"\bhttp\b.*?(\d+\.\d+\.\d+\.\d+:\d+)", line)
            if found and self.process is process and self.base is None:
                self.base = f"http://{found.group(1)}"
            if line.strip() == "ready" and self.process is process:
                self.ready_s = time.monotonic() - started
                break
        is_ready.set()
        for _ in process.stdout:
            pass

    def stop(self):
        """SIGTERM; its exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"allod was still there {STOP_TIMEOUT_S} s after SIGTERM") from None
        self.process = None
        return code

    def kill(self):
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def check(self):
        """(exit code, what it says) of `allod check --json`."""
        done = self.command("check", "--json", check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def pids(self):
        return [self.process.pid]

    def last_words(self):
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return " | ".join(text.strip().splitlines()[-5:]) or "(none)"


def rss_bytes(pid):
    """(resident set, its peak since the last reset)."""
    fields = {}
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key in ("VmRSS", "VmHWM"):
            fields[key] = int(value.split()[0]) * 1024
    return fields["VmRSS"], fields["VmHWM"]


def reset_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def cpu_s(pids):
    """Processor time that the processes and their children that ended have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        ticks += sum(int(fields[at]) for at in (11, 12, 13, 14))
    return ticks / os.sysconf("SC_CLK_TCK")
