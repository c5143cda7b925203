"""fetchmail: takes new messages, keeps or removes them, and takes none twice."""
import subprocess

import mails
from aim import fill, on_server
from maildir import message_id

from harness import install


def run(report, aim):
    install.apt(fetchmail="fetchmail")
    server, home = aim.server, aim.folder
    rc, out = home / "fetchmailrc", home / "delivered"
    out.mkdir()
    agent = home / "deliver"
    agent.write_text(f"#!/bin/sh\ncat > {out}/$$-$(date +%N)\n", encoding="utf-8")
    agent.chmod(0o755)

    def fetch(*words):
        rc.write_text(f'poll {server.host} service {server.port} proto imap user "{server.user}" pass "{server.password}" sslproto "" mda "{agent}" {" ".join(words)}\n',
                      encoding="utf-8")
        rc.chmod(0o600)
        done = subprocess.run(["fetchmail", "-f", rc, "--idfile", home / "ids", "--pidfile", home / "pid", "-v"], capture_output=True, text=True, timeout=120, check=False,
                              env=aim.environment(FETCHMAILHOME=home))
        assert done.returncode in (0, 1), f"exit {done.returncode}: {(done.stdout + done.stderr)[-600:]}"
        return done.returncode

    def delivered():
        return sorted(message_id(path.read_bytes()) for path in out.iterdir())

    with report.test("fetchmail/keep"):
        with aim.client() as client:
            fill(client, "INBOX", [mails.message(number) for number in range(30)])
        assert fetch("keep") == 0
        assert delivered() == sorted(mails.message_id(number) for number in range(30))
        with aim.client() as client:
            found = on_server(client, "INBOX")
        assert len(found) == 30 and all("\\Seen" in flags for flags in found.values())
    with report.test("fetchmail/nothing-twice"):
        assert fetch("keep") == 1
        assert len(delivered()) == 30
    with report.test("fetchmail/new-ones-only"):
        with aim.client() as client:
            fill(client, "INBOX", [mails.message(number) for number in range(30, 35)])
        assert fetch("keep") == 0
        assert len(delivered()) == 35
    with report.test("fetchmail/removes"):
        assert fetch("fetchall", "nokeep") == 0
        with aim.client() as client:
            assert not on_server(client, "INBOX")
