"""The server that a suite runs against, with a login and a folder of its own."""
import argparse
import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.allod import Allod
from harness.peers import PASSWORD, USER, Apache, RcloneServe
from harness.wire import Wire


@dataclass
class Target:
    server: object
    name: str  # allod, apache or rclone
    url: str  # the account's root, with a trailing slash
    user: str
    password: str
    folder: Path  # for the suite's own files

    @property
    def is_allod(self):
        return self.name == "allod"

    def wire(self, path="", **options):
        return Wire(self.url + path, self.user, self.password, **options)


def arguments(description):
    """The options that every suite has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--allod", metavar="PATH", required=True, help="the binary under test")
    parser.add_argument("--server", choices=["allod", "apache", "rclone"], default="allod",
                        help="try the suite itself on another server (no ledger then)")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder for a look")
    return parser


@contextlib.contextmanager
def running(options, account="alice"):
    """A started server of the chosen kind in a temporary folder; stopped and removed at the end."""
    with workspace(options.keep) as folder:
        if options.server == "allod":
            server = Allod(options.allod, folder / "data")
            server.add_account(account)
            login = server.add_app(account, "conformance", "all")
            user, password, path = login["username"], login["password"], f"/dav/{account}/"
        else:
            server = {"apache": Apache, "rclone": RcloneServe}[options.server](folder / "peer")
            (folder / "peer").mkdir()
            user, password, path = USER, PASSWORD, "/"
        server.start()
        try:
            yield Target(server, options.server, server.base + path, user, password, folder)
        finally:
            server.stop()


@contextlib.contextmanager
def workspace(keep=False):
    """A temporary folder, removed at the end unless it is to be kept."""
    holder = tempfile.TemporaryDirectory(prefix="allod-conformance-", ignore_cleanup_errors=True)
    try:
        yield Path(holder.name)
    finally:
        if keep:
            holder._finalizer.detach()  # noqa: SLF001: 3.11 has no delete=False
            print("kept", holder.name)
        else:
            holder.cleanup()
