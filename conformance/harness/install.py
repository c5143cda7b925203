"""Bring in what a suite needs and the machine lacks, by name, from the package registries."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "allod-conformance"
_updated = False


def apt(**packages):
    """Make sure each command exists: apt(litmus="litmus") installs the package of the value when the command is missing.

    An underscore in a command's name stands for a dot or a dash: mount_davfs finds mount.davfs.
    """
    lacking = [package for command, package in packages.items() if not find(command)]
    if not lacking:
        return
    global _updated
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if not _updated:
        quietly(["apt-get", "update"], environment)
        _updated = True
    names = sorted({name for package in lacking for name in package.split()})
    print("installing", *names, flush=True)
    quietly(["apt-get", "install", "-y", "--no-install-recommends", *names], environment)
    # A package may start a service of its own; the suites start what they need themselves.
    still = [command for command in packages if not find(command)]
    if still:
        sys.exit(f"installed {names}, but there is no command {still}")


def find(command):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in (command, command.replace("_", "-"), command.replace("_", ".")):
        found = shutil.which(name, path=path)
        if found:
            return found
    return None


def venv(name, *packages):
    """A virtual environment with the packages, kept between runs; its folder."""
    folder = CACHE / f"venv-{name}"
    stamp = folder / "packages"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != " ".join(packages):
        print("installing", *packages, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        quietly([sys.executable, "-m", "venv", str(folder)])
        quietly([str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *packages])
        stamp.write_text(" ".join(packages), encoding="utf-8")
    return folder


def node_modules(name, *packages):
    """A folder whose node_modules has the packages, kept between runs."""
    if not find("node"):
        apt(node="nodejs", npm="npm")
    folder = CACHE / f"node-{name}"
    stamp = folder / "packages"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != " ".join(packages):
        print("installing", *packages, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}\n', encoding="utf-8")
        quietly(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), *packages])
        stamp.write_text(" ".join(packages), encoding="utf-8")
    return folder


def quietly(command, environment=None):
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        tail = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()[-6:]
        sys.exit(f"`{' '.join(command)}` failed:\n  " + "\n  ".join(tail))
