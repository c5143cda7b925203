"""The two libraries of the Python world: imaplib of the standard library and IMAPClient (PyPI), method by method."""
import datetime
import imaplib
import importlib
import sys
import threading
import time

import mails
from aim import mail

from harness import install

IMAPCLIENT = "IMAPClient==3.0.1"


def run(report, aim):
    with_imaplib(report, aim)
    folder = install.venv("imapclient", IMAPCLIENT)
    sys.path.extend(str(path) for path in folder.glob("lib/python*/site-packages"))
    with_imapclient(report, aim, importlib.import_module("imapclient"))


def good(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def with_imaplib(report, aim):
    server = aim.server
    box = "lib"
    with report.test("imaplib/login"):
        client = imaplib.IMAP4(server.host, server.port)
        good(client.login(server.user, server.password))
        assert "IMAP4REV1" in client.capabilities
    with report.test("imaplib/authenticate"):
        other = imaplib.IMAP4(server.host, server.port)
        good(other.authenticate("PLAIN", lambda _: f"\0{server.user}\0{server.password}".encode()))
        other.logout()
    with report.test("imaplib/mailboxes"):
        good(client.create(box))
        good(client.subscribe(box))
        assert any(b"lib" in row for row in good(client.lsub()))
        assert any(b"lib" in row for row in good(client.list()))
        good(client.create("lib2"))
        good(client.rename("lib2", "lib3"))
        good(client.delete("lib3"))
        good(client.namespace())
        assert b"MESSAGES 0" in good(client.status(box, "(MESSAGES UIDNEXT)"))[0]
    with report.test("imaplib/append-fetch"):
        data = [mails.message(number) for number in range(20)]
        for one in data:
            good(client.append(box, r"(\Seen)", imaplib.Time2Internaldate(time.time()), one))
        assert good(client.select(box)) == [b"20"]
        for number, one in enumerate(data, 1):
            assert good(client.fetch(str(number), "(RFC822)"))[0][1] == one, number
        rows = good(client.uid("FETCH", "1:*", "(FLAGS ENVELOPE BODYSTRUCTURE)"))
        assert len(rows) >= 20
        assert client.response("UIDVALIDITY")[1] != [None]
    with report.test("imaplib/store-search-sort-thread"):
        good(client.store("1:3", "+FLAGS", r"(\Flagged Work)"))
        assert good(client.search(None, "FLAGGED")) == [b"1 2 3"]
        assert good(client.search("UTF-8", "KEYWORD", "Work")) == [b"1 2 3"]
        client.literal = "Grüße".encode()
        good(client.search("UTF-8", "SUBJECT"))
        if "SORT" in client.capabilities:
            assert len(good(client.sort("(DATE)", "UTF-8", "ALL"))[0].split()) == 20
        if aim.has("THREAD=REFERENCES"):
            good(client.thread("REFERENCES", "UTF-8", "ALL"))
    with report.test("imaplib/copy-expunge-close"):
        good(client.create("lib4"))
        good(client.copy("1:5", "lib4"))
        good(client.store("6:7", "+FLAGS", r"(\Deleted)"))
        assert len(good(client.expunge())) == 2
        good(client.noop())
        good(client.check())
        good(client.close())
        assert good(client.select("lib4", readonly=True)) == [b"5"]
        if aim.has("UNSELECT") and hasattr(client, "unselect"):
            good(client.unselect())
    with report.test("imaplib/quota-and-acl"):
        if aim.has("QUOTA"):
            good(client.getquotaroot("INBOX"))
        if aim.has("ACL"):
            good(client.myrights("INBOX"))
            good(client.getacl("INBOX"))
    with report.test("imaplib/errors"):
        assert client.select("nothing-here")[0] == "NO"
        for wrong in (lambda: client.search(None, "FROB"), lambda: client.fetch("x", "FLAGS")):
            try:
                assert wrong()[0] != "OK"
            except imaplib.IMAP4.error:
                pass
        good(client.noop())
    with report.test("imaplib/logout"):
        assert client.logout()[0] == "BYE"


def with_imapclient(report, aim, imapclient):
    server = aim.server

    def login():
        client = imapclient.IMAPClient(server.host, server.port, ssl=False)
        client.login(server.user, server.password)
        return client

    client = login()
    with report.test("imapclient/folders"):
        name = "Client/Größe & 東京"
        client.create_folder("Client")
        client.create_folder(name)
        assert client.folder_exists(name)
        assert name in [row[2] for row in client.list_folders("", "Client/*")]
        client.subscribe_folder(name)
        assert name in [row[2] for row in client.list_sub_folders()]
        client.unsubscribe_folder(name)
        client.rename_folder(name, "Client/b")
        client.delete_folder("Client/b")
        assert client.namespace().personal
        assert client.find_special_folder(rb"\Sent") == "Sent" and client.find_special_folder(rb"\Trash") == "Trash"
    with report.test("imapclient/append-and-fetch"):
        client.create_folder("Client/box")
        data = [mails.message(number) for number in range(30)]
        stamp = datetime.datetime(2020, 2, 29, 12, 30, 15)
        for one in data:
            said = client.append("Client/box", one, flags=[imapclient.SEEN, b"Work"], msg_time=stamp)
            assert b"APPENDUID" in said or not aim.has("UIDPLUS"), said
        if aim.has("MULTIAPPEND"):
            client.multiappend("Client/box", [mail("multi 1"), mail("multi 2")])
        info = client.select_folder("Client/box")
        assert info[b"EXISTS"] >= 30 and info[b"UIDNEXT"] > 30 and rb"\*" in info[b"PERMANENTFLAGS"], info
        rows = client.fetch(range(1, 31), ["BODY.PEEK[]", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "FLAGS", "RFC822.SIZE"])
        for number, one in enumerate(data, 1):
            assert rows[number][b"BODY[]"] == one and rows[number][b"RFC822.SIZE"] == len(one), number
            assert rows[number][b"ENVELOPE"].message_id.decode() == mails.message_id(number - 1)
        assert b"Work" in rows[1][b"FLAGS"]
        local = rows[1][b"INTERNALDATE"]
        assert local == stamp, f"{local} is not {stamp}"
    with report.test("imapclient/flags"):
        client.add_flags([1, 2], [imapclient.FLAGGED])
        assert client.search(["FLAGGED"]) == [1, 2]
        client.remove_flags([2], [imapclient.FLAGGED])
        client.set_flags([3], [b"$Label1"])
        assert client.get_flags([3])[3] == (b"$Label1",) or set(client.get_flags([3])[3]) - {rb"\Recent"} == {b"$Label1"}
    with report.test("imapclient/search-sort-thread"):
        assert len(client.search()) >= 30
        assert client.search(["NOT", "SEEN", "SUBJECT", "multi"]) or not aim.has("MULTIAPPEND")
        assert client.search(["SINCE", stamp.date(), "UID", "1:5"]) == [1, 2, 3, 4, 5]
        client.search(["SUBJECT", "Grüße"], charset="UTF-8")
        if aim.has("SORT"):
            assert len(client.sort(["REVERSE DATE"])) >= 30
        for algorithm in ("REFERENCES", "ORDEREDSUBJECT"):
            if aim.has(f"THREAD={algorithm}"):
                assert client.thread(algorithm)
    with report.test("imapclient/copy-move-delete"):
        client.create_folder("Client/to")
        client.copy([1, 2, 3], "Client/to")
        if aim.has("MOVE"):
            client.move([4, 5], "Client/to")
            assert not client.search(["UID", "4:5"])
        client.delete_messages([6])
        client.expunge([6]) if aim.has("UIDPLUS") else client.expunge()
        assert not client.search(["UID", "6"])
        assert client.folder_status("Client/to", ["MESSAGES"])[b"MESSAGES"] == (5 if aim.has("MOVE") else 3)
    with report.test("imapclient/idle"):
        aim.need("IDLE")
        client.select_folder("INBOX")
        client.idle()
        other = login()
        threading.Timer(0.3, lambda: other.append("INBOX", mail("idle"))).start()
        started, seen = time.monotonic(), []
        while time.monotonic() - started < 10 and not any(row[1] == b"EXISTS" for row in seen):
            seen += client.idle_check(timeout=2)
        client.idle_done()
        assert any(row[1] == b"EXISTS" for row in seen), seen
        assert time.monotonic() - started < 2.5
        client.noop()
        other.logout()
    with report.test("imapclient/extensions"):
        if aim.has("QUOTA"):
            client.get_quota_root("INBOX")
        if aim.has("ACL"):
            client.getacl("Client/to")
        if aim.has("ID"):
            client.id_({"name": "conformance", "version": "1"})
        client.close_folder()
        if aim.has("ENABLE") and aim.has("CONDSTORE"):
            assert b"CONDSTORE" in client.enable("CONDSTORE")
            info = client.select_folder("Client/box")
            assert info[b"HIGHESTMODSEQ"]
            modseq = client.fetch([1], ["MODSEQ"])[1][b"MODSEQ"][0]
            client.add_flags([2], [b"Later"])
            assert list(client.fetch("1:*", ["FLAGS"], [f"CHANGEDSINCE {modseq}"]))
        if aim.has("UNSELECT"):
            client.unselect_folder()
    with report.test("imapclient/errors"):
        for wrong in (lambda: client.select_folder("nothing-here"), lambda: client.create_folder("INBOX"), lambda: client.login("a", "b")):
            try:
                wrong()
            except imapclient.exceptions.IMAPClientError:
                continue
            raise AssertionError("accepted")
        client.noop()
    with report.test("imapclient/logout"):
        assert client.logout()
