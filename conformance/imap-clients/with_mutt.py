"""mutt and neomutt at a pseudo-terminal, driven by the keys a person would press; and their header cache with CONDSTORE and QRESYNC."""
import os
import pty
import subprocess
import threading

import mails
from aim import fill, mail, on_server

from harness import install

CONFIG = """\
set imap_user="{user}"
set imap_pass="{password}"
set folder="imap://{host}:{port}/"
set spoolfile="+INBOX"
set mbox_type=Maildir
set header_cache="{home}/{name}-cache"
set message_cachedir="{home}/{name}-bodies"
set imap_condstore=yes
set imap_qresync={qresync}
set imap_check_subscribed=no
set ssl_starttls=no
set ssl_force_tls=no
set confirmappend=no
set confirmcreate=no
set delete=yes
set move=no
set quit=yes
set wait_key=no
set sleep_time=0
set record=""
set postponed="+Drafts"
set edit_headers=no
set sendmail="/bin/true"
set from="alice@example.com"
set realname="Alice"
set editor="true"
set abort_unmodified=no
set abort_nosubject=no
set sort=mailbox-order
set mark_old=no
bind index,pager q exit
macro index Z "<sync-mailbox><exit>"
"""
TIMEOUT_S = 20


class Mutt:
    def __init__(self, aim, name, qresync="yes"):
        self.aim, self.name = aim, name
        server = aim.server
        self.config = aim.folder / f"{name}rc"
        text = CONFIG.format(user=server.user, password=server.password, host=server.host, port=server.port, home=aim.folder, name=name, qresync=qresync)
        (aim.folder / f"{name}-bodies").mkdir(exist_ok=True)
        self.config.write_text(text, encoding="utf-8")

    def keys(self, keys, box="INBOX", read_only=False):
        """Open a mailbox, press keys, and wait for the program's end; what it wrote to the terminal."""
        master, slave = pty.openpty()
        quoted = keys.replace("'", "\\'")
        command = [self.name, "-n", "-F", self.config, *(["-R"] if read_only else []), "-f", f"+{box}", "-e", f"push '{quoted}'"]
        process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                   env=self.aim.environment(LINES=50, COLUMNS=160))
        os.close(slave)
        seen = bytearray()
        reader = threading.Thread(target=drain, args=(master, seen), daemon=True)
        reader.start()
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not end; on the screen: {bytes(seen)[-400:]!r}") from None
        finally:
            reader.join(2)
            os.close(master)
        assert code == 0, f"exit {code}: {bytes(seen)[-400:]!r}"
        return bytes(seen).decode("utf-8", "replace")


def drain(master, into):
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:
            return
        if not block:
            return
        into += block


def run(report, aim):
    install.apt(neomutt="neomutt", mutt="mutt")
    with aim.client() as client:
        fill(client, "INBOX", [mails.message(number) for number in range(60)])
        client.append("INBOX", mail("needle in the hay", "find me\r\n", message_id="<needle@x>"))
        client.append("INBOX", mail("second needle", "körper\r\n", message_id="<needle2@x>"))
        for name in ("neomutt-saved", "mutt-saved"):
            client.ok(f"CREATE {name}")
    for name in ("neomutt", "mutt"):
        one(report, aim, Mutt(aim, name), name)


def flags(aim, identity, box="INBOX"):
    with aim.client() as client:
        return on_server(client, box).get(identity)


def one(report, aim, mutt, name):
    with report.test(f"{name}/open"):
        seen = mutt.keys("<exit>", read_only=True)
        assert "needle" in seen or "Msgs" in seen, seen[-300:]
    with report.test(f"{name}/flag-by-limit"):
        mutt.keys("<limit>~s second<enter><set-flag>!Z")
        assert "\\Flagged" in flags(aim, "<needle2@x>"), flags(aim, "<needle2@x>")
    with report.test(f"{name}/read"):
        mutt.keys("<limit>~s hay<enter><display-message><exit>Z")
        assert "\\Seen" in flags(aim, "<needle@x>")
    with report.test(f"{name}/body-search-on-the-server"):
        mutt.keys("<limit>=b \"find me\"<enter><set-flag>!Z")
        assert "\\Flagged" in flags(aim, "<needle@x>")
    with report.test(f"{name}/copy-to-folder"):
        mutt.keys(f"<limit>~s second<enter><copy-message>+{name}-saved<enter>Z")
        assert flags(aim, "<needle2@x>", f"{name}-saved") is not None and flags(aim, "<needle2@x>") is not None
    with report.test(f"{name}/save-to-folder"):
        with aim.client() as client:
            client.append("INBOX", mail("to be saved", message_id=f"<save-{name}@x>"))
        mutt.keys(f"<limit>~s \"to be saved\"<enter><save-message>+{name}-saved<enter>Z")
        assert flags(aim, f"<save-{name}@x>", f"{name}-saved") is not None and flags(aim, f"<save-{name}@x>") is None
    with report.test(f"{name}/delete"):
        with aim.client() as client:
            client.append("INBOX", mail("to be deleted", message_id=f"<gone-{name}@x>"))
        mutt.keys("<limit>~s \"to be deleted\"<enter><delete-message>Z")
        assert flags(aim, f"<gone-{name}@x>") is None
    with report.test(f"{name}/tagged-many"):
        mutt.keys("<tag-pattern>~m 1-20<enter><tag-prefix><set-flag>!Z")
        with aim.client() as client:
            client.select("INBOX")
            assert set(range(1, 21)) <= set(client.ok("SEARCH FLAGGED").numbers())
    with report.test(f"{name}/header-cache-follows"):
        # Changes by another client while this one was away; its cache has to show them.
        with aim.client() as client:
            client.select("INBOX")
            client.ok("STORE 30 +FLAGS.SILENT (\\Flagged)")
            client.ok("STORE 25:27 +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
            client.append("INBOX", mail(f"while away {name}", message_id=f"<away-{name}@x>"))
            count = client.ok("STATUS INBOX (MESSAGES)").one("STATUS").args[1][1]
        seen = mutt.keys("<exit>", read_only=True)
        assert f"Msgs:{count}" in seen.replace(" ", ""), f"want {count} messages on {seen[-500:]!r}"
        mutt.keys(f"<limit>~s \"while away {name}\"<enter><set-flag>!Z")
        assert "\\Flagged" in flags(aim, f"<away-{name}@x>")
    with report.test(f"{name}/cache-after-another-uidvalidity"):
        with aim.client() as client:
            client.ok(f"CREATE {name}-again")
            client.append(f"{name}-again", mail("old one"))
        mutt.keys("<exit>", f"{name}-again", read_only=True)
        with aim.client() as client:
            client.ok(f"DELETE {name}-again")
            client.ok(f"CREATE {name}-again")
            client.append(f"{name}-again", mail("new one"))
        seen = mutt.keys("<exit>", f"{name}-again", read_only=True)
        assert "new one" in seen and "old one" not in seen, seen[-300:]
    with report.test(f"{name}/postpone-and-recall"):
        mutt.keys("<mail>bob@example.com<enter>A draft by hand<enter><postpone-message>Z")
        with aim.client() as client:
            client.select("Drafts")
            assert client.ok("SEARCH SUBJECT \"A draft by hand\"").numbers()
