"""Postfix from Debian's package, unpacked beside whatever mail server the machine has: the packages exclude each other.

POSTFIX_ROOT may name a folder in which the package was unpacked before.
"""
import os
import subprocess
from pathlib import Path

from harness import install

# What its programs are linked with; all of them are in Debian's base or come with other packages here.
LIBRARIES = ("libicu72", "libdb5.3", "libnsl2", "libsasl2-2", "libssl3", "libcdb1")


def root():
    """The folder that the package was unpacked in."""
    named = os.environ.get("POSTFIX_ROOT")
    if named:
        return Path(named)
    folder = install.CACHE / "postfix"
    if not (folder / "usr/sbin/smtp-source").exists():
        folder.mkdir(parents=True, exist_ok=True)
        print("unpacking postfix", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install.quietly(["apt-get", "update"], environment)
        lacking = [name for name in LIBRARIES if subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode]
        if lacking:
            install.quietly(["apt-get", "install", "-y", "--no-install-recommends", *lacking], environment)
        subprocess.run(["apt-get", "download", "postfix"], cwd=folder, check=True, capture_output=True)
        package = next(folder.glob("postfix_*.deb"))
        install.quietly(["dpkg", "-x", str(package), str(folder)])
        package.unlink()
    return folder


def environment():
    """With the libraries that the programs look for."""
    return {**os.environ, "LD_LIBRARY_PATH": str(root() / "usr/lib/postfix")}


def program(name):
    """The path of one of its programs: `smtp-source`, `smtp-sink`, `postconf`."""
    for folder in ("usr/sbin", "usr/lib/postfix/sbin"):
        path = root() / folder / name
        if path.exists():
            return str(path)
    raise FileNotFoundError(name)


def source(address, *words, timeout=600, check=True):
    """smtp-source, Postfix's load generator; the finished process."""
    return subprocess.run([program("smtp-source"), *words, address], env=environment(), capture_output=True, text=True,
                          timeout=timeout, check=check)
