"""The Rust crate object_store, by a small program of ours (object-store/) that does what the crate's own integration tests do."""
import subprocess
from pathlib import Path

from harness import install

HERE = Path(__file__).resolve().parent


def run(report, aim):
    target = install.CACHE / "object-store-target"
    binary = target / "release/allod-object-store-probe"
    command = ["nice", "-n", "15", "cargo", "build", "--release", "--locked", "-j1", "--manifest-path", HERE / "object-store/Cargo.toml",
               "--target-dir", target]
    built = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    with report.test("object-store/build"):
        assert built.returncode == 0, built.stderr[-600:]
    if built.returncode:
        return
    install.apt(curl="curl")
    bucket = aim.bucket("rust")
    done = subprocess.run([str(binary), aim.url, bucket], env=aim.environment(), capture_output=True, text=True, timeout=600, check=False)
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        name, _, detail = rest.partition(": ")
        if word in ("ok", "FAILED"):
            report.record(f"object-store/{name}", "pass" if word == "ok" else "fail", detail)
    with report.test("object-store/ran-to-its-end"):
        assert done.returncode in (0, 1) and done.stdout.rstrip().endswith("done"), (done.stdout[-200:], done.stderr[-400:])
