"""One store, several doors: what comes or goes by WebDAV is seen by IMAP at once, and the other way round; and what credentials may do (allod alone)."""
import re
import subprocess
import time

import mails
from aim import Checks, mail
from base import upper
from imap import Closed, Imap, Literal, numbers_of, quote

from harness.wire import Wire

checks = Checks("doors")
NOTICE_S = 2


def run(report, aim):
    if not aim.is_allod:
        report.skip("doors", "there is one door only")
        return
    checks.run(report, aim)


def inbox(aim, path=""):
    return aim.wire(aim.server.inbox_path + path)


def put(aim, name, data):
    return inbox(aim).request("PUT", name, {"Content-Type": "message/rfc822"}, data)


@checks()
def a_file_put_by_webdav_is_a_message_at_once(aim):
    data = mails.message(4)
    with aim.client() as client:
        before = client.select("INBOX").number("EXISTS")
        tag = client.idle()
        started = time.monotonic()
        put(aim, "dropped.eml", data).want(201)
        assert client.wait_for(lambda one: one.name == "EXISTS", NOTICE_S).number == before + 1
        assert time.monotonic() - started < NOTICE_S
        client.done(tag).ok()
        row = client.ok("FETCH * (RFC822.SIZE BODY.PEEK[] ENVELOPE BODYSTRUCTURE)").fetched()[before + 1]
        assert row["BODY[]"] == data and int(row["RFC822.SIZE"]) == len(data)
        assert row["ENVELOPE"][9] == mails.message_id(4).encode()


@checks()
def an_appended_message_is_a_file(aim):
    data = mails.message(7)
    with aim.client() as client:
        before = members(aim)
        client.append("INBOX", data)
        new = members(aim) - before
        assert len(new) == 1, new
        assert inbox(aim).request("GET", raw=new.pop()).want(200).body == data


def members(aim):
    body = inbox(aim).propfind("", "1").want(207).body.decode()
    return {href for href in re.findall(r"<[^>]*href>([^<]*)</", body) if not href.endswith("/")}


@checks()
def a_file_removed_by_webdav_is_expunged(aim):
    with aim.client() as client, aim.client() as other:
        put(aim, "removed.eml", mail("to be removed")).want(201)
        other.ok("ENABLE QRESYNC")
        count = client.select("INBOX").number("EXISTS")
        known = int(other.select("INBOX").codes("HIGHESTMODSEQ")[0][0])
        uid = other.ok("UID SEARCH SUBJECT \"to be removed\"").numbers()[-1]
        tag, second = client.idle(), other.idle()
        inbox(aim).request("DELETE", "removed.eml").want(204)
        assert client.wait_for(lambda one: one.name == "EXPUNGE", NOTICE_S).number == count
        assert numbers_of(other.wait_for(lambda one: one.name == "VANISHED", NOTICE_S).args[-1]) == [uid]
        client.done(tag).ok()
        other.done(second).ok()
        reply = other.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known} VANISHED)")
        assert uid in [number for one in reply.all("VANISHED") for number in numbers_of(one.args[-1])], reply


@checks()
def an_expunged_message_is_no_file(aim):
    with aim.client() as client:
        put(aim, "expunged.eml", mail("to be expunged")).want(201)
        client.select("INBOX")
        uid = client.ok("UID SEARCH SUBJECT \"to be expunged\"").numbers()[-1]
        client.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        client.ok(f"UID EXPUNGE {uid}")
        inbox(aim).request("GET", "expunged.eml").want(404)


@checks()
def overwritten_by_webdav_is_a_new_uid(aim):
    with aim.client() as client:
        put(aim, "over.eml", mail("first version")).want(201)
        client.select("INBOX")
        old = client.ok("UID SEARCH SUBJECT \"first version\"").numbers()[-1]
        reply = put(aim, "over.eml", mail("second version"))
        client.ok("NOOP")
        if reply.status // 100 == 2:
            assert not client.ok(f"UID SEARCH UID {old}").numbers(), "a UID never shows other bytes"
            assert client.ok("UID SEARCH SUBJECT \"second version\"").numbers()[-1] > old
        else:
            assert client.ok(f"UID SEARCH UID {old}").numbers() == [old], f"refused with {reply.status}, and yet gone"


@checks()
def renamed_by_webdav(aim):
    with aim.client() as client:
        name = client.fresh("webdav-rename", mail("stays"))
        before = client.select(name).codes("UIDVALIDITY")
        client.ok("UNSELECT")
        wire = aim.wire(f"/dav/{aim.server.user}/Mail/")
        target = wire.path(name + " new/")
        wire.request("MOVE", name + "/", {"Destination": f"{aim.server.base}{target}"}).want(201, 204)
        reply = client.select(name + " new")
        assert reply.codes("UIDVALIDITY") == before and reply.number("EXISTS") == 1


@checks()
def a_folder_made_by_webdav_is_a_mailbox(aim):
    wire = aim.wire(f"/dav/{aim.server.user}/Mail/")
    wire.mkcol("Made by WebDAV/").want(201)
    wire.request("PUT", "Made by WebDAV/one.eml", {"Content-Type": "message/rfc822"}, mail("inside")).want(201)
    with aim.client() as client:
        assert client.select("Made by WebDAV").number("EXISTS") == 1
        client.ok("UNSELECT")
        client.ok("DELETE \"Made by WebDAV\"")
    wire.request("PROPFIND", "Made by WebDAV/", {"Depth": "0"}).want(404)


@checks()
def copy_and_move_by_webdav(aim):
    with aim.client() as client:
        client.ok("CREATE doors")
        client.select("doors")
        put(aim, "travels.eml", mail("travels")).want(201)
        wire = inbox(aim)
        to = f"{aim.server.base}/dav/{aim.server.user}/Mail/doors/"
        wire.request("COPY", "travels.eml", {"Destination": to + "copy.eml"}).want(201)
        assert client.ok("NOOP").number("EXISTS") == 1
        wire.request("MOVE", "travels.eml", {"Destination": to + "moved.eml"}).want(201)
        assert client.ok("NOOP").number("EXISTS") == 2
        rows = client.ok("FETCH 1:2 (UID BODY.PEEK[])").fetched()
        assert rows[1]["BODY[]"] == rows[2]["BODY[]"] == mail("travels")


@checks()
def a_locked_file_is_not_removed_by_imap(aim):
    put(aim, "locked.eml", mail("locked away")).want(201)
    wire = inbox(aim)
    body = b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    token = wire.request("LOCK", "locked.eml", {"Timeout": "Second-60"}, body).want(200).headers["lock-token"]
    with aim.client() as client:
        client.select("INBOX")
        uid = client.ok("UID SEARCH SUBJECT \"locked away\"").numbers()[-1]
        client.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        client.command(f"UID EXPUNGE {uid}")
        wire.request("GET", "locked.eml").want(200)
        wire.request("UNLOCK", "locked.eml", {"Lock-Token": token}).want(204)


@checks()
def a_credential_without_mail_is_refused(aim):
    server = aim.server
    for grant in ("files", "calendar", "contacts"):
        login = server.add_app(server.user, f"no mail: {grant}", grant)
        with Imap(server) as client:
            reply = client.command(f"LOGIN {quote(login['username'])} {quote(login['password'])}")
            if reply.status == "OK":
                # `files` may open the door, but sees no mail.
                assert client.command("SELECT INBOX").status != "OK", f"{grant}: reads mail"
                client.command("APPEND INBOX ", Literal(mail("x"))).refused()


@checks()
def a_credential_for_mail_opens_nothing_else(aim):
    server = aim.server
    login = server.add_app(server.user, "mail only", "mail")
    with Imap(server) as client:
        client.ok(f"LOGIN {quote(login['username'])} {quote(login['password'])}")
        client.ok("SELECT INBOX")
        listed = [one for one in client.ok('LIST "" "*"').all("LIST")]
        assert not [one for one in listed if "Calendars" in repr(one) or "Contacts" in repr(one)], listed
    wire = Wire(f"{server.base}/dav/{server.user}/", login["username"], login["password"])
    assert wire.request("PUT", "note.txt", {}, b"x").status in (403, 404)


@checks()
def a_credential_that_reads_only(aim):
    server = aim.server
    login = server.add_app(server.user, "mail to read", "/Mail:r@imap")
    with aim.client() as client:
        client.append("INBOX", mail("to be read"))
    with Imap(server) as client:
        client.ok(f"LOGIN {quote(login['username'])} {quote(login['password'])}")
        reply = client.select("INBOX")
        assert reply.code[0] == "READ-ONLY", reply
        client.command("STORE 1 +FLAGS (\\Flagged)").refused()
        client.command("EXPUNGE").refused()
        client.command("APPEND INBOX ", Literal(mail("x"))).refused()
        client.command("CREATE nothing").refused()
        client.ok("FETCH 1 BODY[]")
        assert "\\FLAGGED" not in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"])


@checks()
def a_revoked_credential_is_out_at_once(aim):
    server = aim.server
    login = server.add_app(server.user, "to be revoked", "mail")
    clients = [Imap(server) for _ in range(2)]
    for client in clients:
        client.ok(f"LOGIN {quote(login['username'])} {quote(login['password'])}")
        client.ok("SELECT INBOX")
    clients[1].idle()
    server.command("app", "revoke", login["id"])
    for client in clients:
        client.sock.settimeout(NOTICE_S)
        try:
            while True:
                one = client.receive()
                assert one.name == "BYE", f"goes on: {one}"
        except Closed:
            pass
        except TimeoutError:
            raise AssertionError("the open session of a revoked credential stays") from None
    with Imap(server) as client:
        client.command(f"LOGIN {quote(login['username'])} {quote(login['password'])}").no()


@checks()
def no_mail_of_others(aim):
    with aim.client("bob") as client:
        client.append("INBOX", mail("bob's own"))
    with aim.client() as client:
        assert not [one for one in client.ok('LIST "" "*"').all("LIST") if "bob" in repr(one)]
        for name in ("../bob/Mail/INBOX", "/bob/Mail/INBOX", "Other Users/bob/INBOX", "~bob/INBOX"):
            client.command(f"SELECT {quote(name)}").refused()


@checks()
def what_is_no_message_is_refused_in_a_mailbox(aim):
    reply = put(aim, "noise.eml", b"\0\1\2" * 100)
    assert reply.status in (201, 400, 403, 409, 415, 422), reply.status
    with aim.client() as client:
        client.select("INBOX")
        client.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE RFC822.SIZE)")


@checks()
def the_account_password_opens_no_imap(aim):
    server = aim.server
    subprocess.run([server.binary, "account", "add", "dora", "--password-stdin", "--data", str(server.data)], input="dora's own password\n", text=True, check=True,
                   capture_output=True)
    with Imap(server) as client:
        client.command('LOGIN dora "dora\'s own password"').no()
