"""mbsync (isync): two-way synchronisation with changes on both sides; killed, and its server killed, in the middle of it."""
import random
import signal
import subprocess
import time

import mails
from aim import fill, on_server
from imap import quote
from maildir import Maildir, same

from harness import install

CONFIG = """\
IMAPAccount far
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs *
Timeout 30

IMAPStore far
Account far

MaildirStore near
SubFolders Verbatim
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns "INBOX" "Work*" "Sent"
Create Both
Remove Both
Expunge Both
SyncState *
CopyArrivalDate yes
"""
COUNT, SMALL_COUNT = 1200, 150
KILLS = 8


class Mbsync:
    def __init__(self, aim):
        self.aim, self.home = aim, aim.folder
        self.config = self.home / "mbsyncrc"
        server = aim.server
        self.config.write_text(CONFIG.format(host=server.host, port=server.port, user=server.user, password=server.password, home=self.home), encoding="utf-8")
        self.config.chmod(0o600)
        (self.home / "mail").mkdir(exist_ok=True)

    def start(self):
        return subprocess.Popen(["mbsync", "-c", self.config, "-V", "all"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.aim.environment())

    def sync(self, is_strict=True):
        """One run. Without `is_strict` it may warn: of messages whose copy it did not see arrive when it was killed."""
        process = self.start()
        said = process.communicate(timeout=600)[0].decode("utf-8", "replace")
        telling = " | ".join(row for row in said.splitlines() if "rror" in row or "arning" in row or "ost " in row)
        assert process.returncode == 0, f"exit {process.returncode}: {telling or said[-500:]}"
        assert not is_strict or not telling, telling

    def box(self, name="INBOX"):
        return Maildir(self.home / "mail" / name)


def run(report, aim):
    install.apt(mbsync="isync")
    count = SMALL_COUNT if aim.small else COUNT
    mbsync = Mbsync(aim)
    messages = [mails.message(number) for number in range(count)]
    with report.test("mbsync/first-pull"):
        with aim.client() as client:
            fill(client, "INBOX", messages)
        mbsync.sync()
        found = mbsync.box().messages()
        assert len(found) == count, f"{len(found)} of {count}"
        wrong = [number for number in range(count) if not same(found[mails.message_id(number)][0].read_bytes(), messages[number])]
        assert not wrong, f"other bytes: messages {wrong[:10]}"
    with report.test("mbsync/push"):
        for number in range(count, count + 100):
            mbsync.box().add(mails.message(number).replace(b"\r\n", b"\n"), "S" if number % 2 else "")
        mbsync.sync()
        alike(aim, mbsync, count + 100)
    with report.test("mbsync/nothing-to-do"):
        before = on_both(aim, mbsync)
        mbsync.sync()
        assert on_both(aim, mbsync) == before
    with report.test("mbsync/flags-both-ways"):
        box = mbsync.box()
        for number in range(0, 20):
            box.mark(mails.message_id(number), "FS")
        with aim.client() as client:
            client.select("INBOX")
            client.ok("STORE 31:50 +FLAGS.SILENT (\\Answered \\Flagged)")
            client.ok("STORE 1:5 +FLAGS.SILENT (\\Answered)")
        mbsync.sync()
        near, far = on_both(aim, mbsync)
        assert near == far, difference(near, far)
        assert far[mails.message_id(2)] == {"\\Flagged", "\\Seen", "\\Answered"}, far[mails.message_id(2)]
    with report.test("mbsync/removed-both-ways"):
        for number in range(60, 70):
            mbsync.box().remove(mails.message_id(number))
        with aim.client() as client:
            client.select("INBOX")
            client.ok("STORE 81:90 +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
        mbsync.sync()
        alike(aim, mbsync, count + 80)
    folders(report, aim, mbsync)
    state = {number: mails.message_id(number) for number in range(count + 100)}
    with report.test("mbsync/killed"):
        restless(aim, mbsync, random.Random(1), kill_server=False)
    with report.test("mbsync/server-killed"):
        if aim.server.pids():
            restless(aim, mbsync, random.Random(2), kill_server=True)
    with report.test("mbsync/nothing-of-the-first-is-lost"):
        found = on_both(aim, mbsync)[1]
        gone = set(range(60, 70)) | set(range(80, 90))
        lost = [number for number, identity in state.items() if number >= 100 and number < count and identity not in found]
        assert not lost, f"lost: {lost[:10]}; {len(gone)} were removed on purpose"


def folders(report, aim, mbsync):
    """This mbsync takes names as they are on the wire."""
    with report.test("mbsync/folders-both-ways"):
        with aim.client() as client:
            client.ok(f"CREATE {quote('Work/far &- wide')}")
            client.append("Work/far &- wide", mails.message(900_001))
        Maildir(mbsync.home / "mail/Work/near").make().add(mails.message(900_002).replace(b"\r\n", b"\n"))
        Maildir(mbsync.home / "mail/Work/Gr&APYA3w-e").make().add(mails.message(900_003).replace(b"\r\n", b"\n"))
        mbsync.sync()
        with aim.client() as client:
            assert len(on_server(client, "Work/near")) == 1
            assert len(on_server(client, "Work/Gr&APYA3w-e")) == 1
        assert len(mbsync.box("Work/far &- wide").messages()) == 1


def restless(aim, mbsync, source, kill_server):
    """Changes at both sides, and each time somebody dies in the middle of the synchronisation; at the end both sides are the same."""
    serial = 1_000_000 + (500_000 if kill_server else 0)
    added = set()
    for _ in range(KILLS):
        box = mbsync.box()
        present = list(box.messages())
        for _ in range(30):
            box.add(mails.message(serial).replace(b"\r\n", b"\n"), source.choice(("", "S", "F")))
            added.add(mails.message_id(serial))
            serial += 1
        for identity in source.sample(present, min(10, len(present))):
            box.mark(identity, source.choice(("S", "FS", "F", "RS")))
        with aim.client() as client:
            far = [mails.message(number) for number in range(serial, serial + 30)]
            fill(client, "INBOX", far)
            added |= {mails.message_id(number) for number in range(serial, serial + 30)}
            serial += 30
            client.select("INBOX")
            client.ok(f"STORE {source.randrange(1, 50)}:{source.randrange(50, 100)} {source.choice('+-')}FLAGS.SILENT (\\Flagged)")
        process = mbsync.start()
        time.sleep(source.uniform(0.02, 0.6))
        if kill_server:
            aim.server.kill()
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            aim.server.start()
        else:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    mbsync.sync(is_strict=False)
    mbsync.sync()
    near, far = on_both(aim, mbsync)
    assert near == far, difference(near, far)
    lost = added - set(far)
    assert not lost, f"lost: {sorted(lost)[:5]}"


def on_both(aim, mbsync):
    with aim.client() as client:
        far = on_server(client, "INBOX")
    return mbsync.box().flags(), {identity: {flag for flag in flags if flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Draft")} for identity, flags in far.items()}


def alike(aim, mbsync, count):
    near, far = on_both(aim, mbsync)
    assert near == far, difference(near, far)
    assert len(far) == count, f"{len(far)} of {count}"


def difference(near, far):
    only_near, only_far = sorted(set(near) - set(far)), sorted(set(far) - set(near))
    other = [(identity, near[identity], far[identity]) for identity in near if identity in far and near[identity] != far[identity]]
    return f"only here {only_near[:3]} ({len(only_near)}), only there {only_far[:3]} ({len(only_far)}), other flags {other[:3]} ({len(other)})"
