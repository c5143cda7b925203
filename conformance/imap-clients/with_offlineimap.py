"""offlineimap3: a first copy, changes on both sides, folders, a program killed in the middle."""
import signal
import subprocess
import time

import mails
from aim import fill, on_server
from maildir import Maildir

from harness import install

CONFIG = """\
[general]
accounts = conf
metadata = {home}/metadata
maxsyncaccounts = 1
ui = basic
[Account conf]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/mail
sep = /
nametrans = lambda name: name
[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
auth_mechanisms = PLAIN, LOGIN
idlefolders = []
folderfilter = lambda name: name in ("INBOX", "Sent", "Offline", "Offline/near")
createfolders = True
"""
COUNT, SMALL_COUNT = 300, 60


def run(report, aim):
    install.apt(offlineimap3="offlineimap3") if not install.find("offlineimap3") and not install.find("offlineimap") else None
    program = install.find("offlineimap3") or install.find("offlineimap")
    server, home = aim.server, aim.folder
    config = home / "config"
    config.write_text(CONFIG.format(home=home, host=server.host, port=server.port, user=server.user, password=server.password), encoding="utf-8")
    inbox = Maildir(home / "mail/INBOX")
    count = SMALL_COUNT if aim.small else COUNT

    def start():
        return subprocess.Popen([program, "-c", config, "-o", "-1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=aim.environment())

    def sync():
        process = start()
        said = process.communicate(timeout=300)[0].decode("utf-8", "replace")
        assert process.returncode == 0 and "ERROR" not in said, f"exit {process.returncode}: {said[-800:]}"

    def alike(expected=None):
        with aim.client() as client:
            far = {key: {flag for flag in flags if flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Draft")} for key, flags in on_server(client, "INBOX").items()}
        near = inbox.flags()
        assert near == far, f"only here {sorted(set(near) - set(far))[:3]}, only there {sorted(set(far) - set(near))[:3]}"
        assert expected is None or len(far) == expected, f"{len(far)} of {expected}"

    with report.test("offlineimap/first-copy"):
        with aim.client() as client:
            fill(client, "INBOX", [mails.message(number) for number in range(count)])
            client.ok("CREATE Offline")
            client.append("Offline", mails.message(800_000))
        sync()
        alike(count)
        assert len(Maildir(home / "mail/Offline").messages()) == 1
    with report.test("offlineimap/changes-both-ways"):
        inbox.add(mails.message(700_000).replace(b"\r\n", b"\n"))
        inbox.mark(mails.message_id(3), "FS")
        inbox.remove(mails.message_id(4))
        with aim.client() as client:
            client.select("INBOX")
            client.ok("STORE 11:15 +FLAGS.SILENT (\\Seen \\Answered)")
            client.ok("STORE 21:22 +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
            client.append("INBOX", mails.message(700_001))
        sync()
        sync()
        alike(count + 2 - 3)
        assert inbox.flags()[mails.message_id(10)] == {"\\Seen", "\\Answered"}
    with report.test("offlineimap/folder-made-here"):
        Maildir(home / "mail/Offline/near").make().add(mails.message(700_002).replace(b"\r\n", b"\n"))
        sync()
        with aim.client() as client:
            assert len(on_server(client, "Offline/near")) == 1
    with report.test("offlineimap/killed"):
        for at in range(3):
            with aim.client() as client:
                fill(client, "INBOX", [mails.message(710_000 + at * 100 + number) for number in range(20)])
            inbox.add(mails.message(720_000 + at).replace(b"\r\n", b"\n"))
            process = start()
            time.sleep(0.5 + at * 0.3)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        sync()
        sync()
        with aim.client() as client:
            found = set(on_server(client, "INBOX"))
        lost = [at for at in range(3) for number in range(20) if mails.message_id(710_000 + at * 100 + number) not in found]
        assert not lost and all(mails.message_id(720_000 + at) in found for at in range(3)), f"lost {lost}"
        alike()
