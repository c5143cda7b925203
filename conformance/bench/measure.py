"""One measurement: run a load against a server and say what it did and what it cost."""
import json
import os
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.allod import cpu_s

HERE = Path(__file__).resolve().parent
FOREIGN_SHARE_MAX = 0.2
COMPILERS = {"rustc", "cc1", "cc1plus", "ld", "lld", "clang"}
wait_for_quiet_s = 900  # the runner may shorten it


@dataclass
class Figure:
    per_s: float  # operations, or MiB for large files
    cpu_ms: float  # processor time of the server for each
    p50_ms: float
    p99_ms: float
    noisy: bool


class Meter:
    """Time, the server's processor time, and what others on the machine used."""

    def __init__(self, server):
        self.server = server
        wait_for_quiet()
        os.sync()
        self.cpu, self.own, self.busy = cpu_s(server.pids()), own_s(), busy_s()
        self.started = time.monotonic()

    def figure(self, count, seconds=None, p50_ms=0.0, p99_ms=0.0):
        elapsed = time.monotonic() - self.started
        cpu, own = cpu_s(self.server.pids()) - self.cpu, own_s() - self.own
        foreign = max(0.0, busy_s() - self.busy - cpu - own) / elapsed / os.cpu_count()
        noisy = foreign > FOREIGN_SHARE_MAX or compilers_at_work()
        return Figure(count / (seconds or elapsed), cpu * 1000 / count, p50_ms, p99_ms, noisy)


def wrk(server, wire, connections, seconds, kind, folder, argument):
    """A Figure in requests; AssertionError when any was refused."""
    url = f"http://{wire.host}:{wire.port}/"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", HERE / "load.lua", url, "--",
               kind, wire.login, wire.path(folder), str(argument)]
    meter = Meter(server)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["errors"] == 0 and said["requests"] > 0, f"{server.name}: {said}"
    return meter.figure(said["requests"], said["seconds"], said["p50_ms"], said["p99_ms"])


def curl(server, size, *words):
    """A Figure in MiB of one transfer."""
    meter = Meter(server)
    done = subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{time_total}", *words], capture_output=True, text=True,
                          check=True)
    return meter.figure(size / (1 << 20), float(done.stdout))


def wait_for_quiet():
    """Do not measure while somebody compiles; give up waiting after a while (the figure is marked then)."""
    deadline = time.monotonic() + wait_for_quiet_s
    while compilers_at_work() and time.monotonic() < deadline:
        time.sleep(5)


def compilers_at_work():
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text(encoding="utf-8", errors="replace").strip() in COMPILERS:
                return True
        except OSError:  # it has ended meanwhile
            continue
    return False


def own_s():
    """Processor time of this process and the load generators that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def busy_s():
    """Processor time that the whole machine has spent."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")
