"""Extensions, one by one: what is announced works, and refuses what it has to refuse. A capability that is not announced is skipped.

RFC numbers stand with the checks. Sequences and searches have files of their own: `ext_sync.py` (CONDSTORE, QRESYNC, IDLE, NOTIFY) and `ext_search.py`.
"""
import base64
import hashlib
import hmac
import os
import time

from aim import Checks, mail
from base import MULTIPART, names, rows, text, upper
from imap import Closed, Literal, numbers_of, quote

checks = Checks("extensions")
run = checks.run


# RFC 2971

@checks("ID")
def id_in_every_state(aim):
    with aim.stranger() as client:  # Apple Mail sends it before login
        one = client.ok('ID ("name" "Mac OS X Mail" "version" "16.0" "os" "Mac OS X" "vendor" "Apple Inc.")').one("ID")
        assert one.args[0] is None or len(one.args[0]) % 2 == 0, one
        client.login()
        client.ok("ID NIL")
        client.select("INBOX")
        client.ok('ID ("x" NIL)')


# RFC 2342

@checks("NAMESPACE")
def namespace(aim):
    with aim.client() as client:
        one = client.ok("NAMESPACE").one("NAMESPACE")
        assert len(one.args) == 3, one
        personal = one.args[0]
        assert personal and isinstance(personal[0][0], bytes) and personal[0][1] in (b"/", b"."), one


# RFC 5161

@checks("ENABLE")
def enable(aim):
    with aim.client() as client:
        reply = client.ok("ENABLE X-NO-SUCH-THING")
        assert not reply.all("ENABLED") or reply.one("ENABLED").args == [], reply
        if aim.has("CONDSTORE"):
            assert "CONDSTORE" in upper(client.ok("ENABLE CONDSTORE X-OTHER").one("ENABLED").args)
        if aim.is_allod:
            client.command("ENABLE").bad()


# RFC 4959

@checks("SASL-IR", "AUTH=PLAIN")
def initial_response(aim):
    with aim.stranger() as client:
        client.authenticate_plain(aim.server.user, "wrong").no()
        client.authenticate_plain(aim.server.user, aim.server.password).ok()
        client.ok("SELECT INBOX")


@checks("SASL-IR", "AUTH=PLAIN")
def initial_response_as_somebody_else(aim):
    with aim.stranger() as client:
        blob = base64.b64encode(f"bob\0{aim.server.user}\0{aim.server.password}".encode()).decode()
        client.command(f"AUTHENTICATE PLAIN {blob}").no()
    with aim.stranger() as client:
        for blob in ("!!!", "AA", "=", base64.b64encode(b"no-nul-at-all").decode()):
            client.command(f"AUTHENTICATE PLAIN {blob}").refused()


@checks()
def auth_unknown(aim):
    with aim.stranger() as client:
        client.command("AUTHENTICATE X-UNKNOWN").refused()
        client.ok("NOOP")


@checks("AUTH=LOGIN")
def auth_login(aim):
    with aim.stranger() as client:
        tag = client.tag()
        client.send(f"{tag} AUTHENTICATE LOGIN\r\n".encode())
        assert base64.b64decode(client.receive().text).lower().rstrip(b"\0") in (b"username:", b"user name")
        client.send(base64.b64encode(aim.server.user.encode()) + b"\r\n")
        assert base64.b64decode(client.receive().text).lower().rstrip(b"\0:") == b"password"
        client.send(base64.b64encode(aim.server.password.encode()) + b"\r\n")
        client.finish(tag).ok()


@checks("AUTH=SCRAM-SHA-256|AUTH=SCRAM-SHA-1")
def scram(aim):
    """RFC 5802: the server proves that it knows the password, too."""
    name = "SHA-256" if aim.has("AUTH=SCRAM-SHA-256") else "SHA-1"
    digest = hashlib.sha256 if name == "SHA-256" else hashlib.sha1
    for password, works in ((aim.server.password, True), ("wrong", False)):
        with aim.stranger() as client:
            nonce = base64.b64encode(os.urandom(12)).decode()
            bare = f"n={aim.server.user},r={nonce}"
            tag = client.tag()
            client.send(f"{tag} AUTHENTICATE SCRAM-{name}\r\n".encode())
            assert client.receive().tag == "+"
            client.send(base64.b64encode(f"n,,{bare}".encode()) + b"\r\n")
            challenge = base64.b64decode(client.receive().text).decode()
            fields = dict(piece.split("=", 1) for piece in challenge.split(","))
            assert fields["r"].startswith(nonce) and len(fields["r"]) > len(nonce) and int(fields["i"]) >= 4096, challenge
            salted = hashlib.pbkdf2_hmac(digest().name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
            stored = digest(hmac.new(salted, b"Client Key", digest).digest()).digest()
            without = f"c=biws,r={fields['r']}"
            whole = f"{bare},{challenge},{without}".encode()
            proof = bytes(a ^ b for a, b in zip(hmac.new(salted, b"Client Key", digest).digest(), hmac.new(stored, whole, digest).digest(), strict=True))
            client.send(base64.b64encode(f"{without},p={base64.b64encode(proof).decode()}".encode()) + b"\r\n")
            one = client.receive()
            if not works:
                if one.tag == "+":  # e=… and then NO
                    client.send(b"\r\n")
                    one = client.receive()
                assert one.name == "NO", one
                continue
            final = base64.b64decode(one.text if one.tag == "+" else one.code[-1] if one.code else "").decode()
            expected = hmac.new(hmac.new(salted, b"Server Key", digest).digest(), whole, digest).digest()
            assert final == f"v={base64.b64encode(expected).decode()}", f"the server proves nothing: {one}"
            client.send(b"\r\n")
            assert client.finish(tag).ok()


# RFC 2595, 8314

@checks("STARTTLS")
def starttls(aim):
    with aim.stranger() as client:
        client.starttls()
        assert "STARTTLS" not in client.capabilities()
        client.command("STARTTLS").refused()
        client.login()
        client.ok("SELECT INBOX")


@checks("STARTTLS")
def starttls_takes_no_commands_along(aim):
    """What was sent in the clear behind STARTTLS is thrown away, or the connection; it is never run inside."""
    with aim.stranger() as client:
        import ssl
        client.send(b"s STARTTLS\r\nt CAPABILITY\r\n")
        assert client.receive().name == "OK"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            client.sock, client.buffer = context.wrap_socket(client.sock), bytearray()
            seen = client.quiet(1)
        except (OSError, Closed):
            return
        assert not [one for one in seen if one.tag == "t" or one.name == "CAPABILITY"], f"injected: {seen}"


# RFC 7888

@checks("LITERAL+|LITERAL-")
def literals_without_a_wait(aim):
    with aim.client() as client:
        name = client.fresh("literal")
        client.append(name, mail("plus"), plus=True)
        client.ok("STATUS ", Literal(name.encode(), plus=True), " (MESSAGES)")
        client.ok("LIST ", Literal(b"", plus=True), " ", Literal(b"*", plus=True))
        reply = client.command("SELECT ", Literal(b"no such mailbox", plus=True))
        reply.no()
        client.ok("NOOP")
        # A command that is wrong from the start takes its literal along.
        client.command("FROBNICATE ", Literal(b"x FROB\r\ny NOOP\r\n", plus=True)).bad()
        client.ok("NOOP")


@checks("LITERAL-")
def literal_minus_has_a_limit(aim):
    if aim.has("LITERAL+"):
        return
    with aim.client() as client:
        name = client.fresh("minus")
        client.append(name, mail("small", "x" * 3000), plus=True)
        try:
            reply = client.command(f"APPEND {quote(name)} ", Literal(mail("big", "x" * 10_000), plus=True))
            assert reply.status in ("BAD", "NO"), f"RFC 7888 §5: {reply}"
        except (Closed, ConnectionError):
            pass


@checks("APPENDLIMIT|APPENDLIMIT=")
def appendlimit(aim):
    """RFC 7889."""
    with aim.client() as client:
        found = [word for word in client.capabilities() if word.startswith("APPENDLIMIT=")]
        one = client.ok("STATUS INBOX (APPENDLIMIT)").one("STATUS")
        limit = int(found[0].partition("=")[2]) if found else int(one.args[1][1])
        assert one.args[1][0].upper() == "APPENDLIMIT", one
        client.send(f"z APPEND INBOX {{{limit + 1}}}\r\n".encode())
        answer = client.receive()
        assert answer.tag == "z" and answer.name == "NO", f"refused at once: {answer}"
        assert not answer.code or answer.code[0] in ("TOOBIG", "LIMIT"), answer


# RFC 3691

@checks("UNSELECT")
def unselect(aim):
    with aim.client() as client:
        name = client.fresh("unselect", mail("a"))
        client.select(name)
        client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        client.ok("UNSELECT")
        client.command("FETCH 1 FLAGS").refused()
        assert client.select(name).number("EXISTS") == 1
        client.ok("UNSELECT")
        client.command("UNSELECT").refused()


# RFC 4315

@checks("UIDPLUS")
def appenduid_and_copyuid(aim):
    with aim.client() as client:
        name, to = client.fresh("uidplus"), client.fresh("uidplus-to", mail("there already"))
        first = client.append(name, mail("a"))
        second = client.append(name, mail("b"))
        assert first and second and first[0] == second[0] and (first[1], second[1]) == (1, 2), f"{first} {second}"
        assert first[0] == int(client.select(name).codes("UIDVALIDITY")[0][0])
        code = client.ok(f"COPY 1:2 {quote(to)}").codes("COPYUID")[0]
        assert (numbers_of(code[1]), numbers_of(code[2])) == ([1, 2], [2, 3]), code
        assert int(code[0]) == int(client.ok(f"STATUS {quote(to)} (UIDVALIDITY)").one("STATUS").args[1][1]), "COPYUID has the target's UIDVALIDITY"
        nothing = client.ok(f"UID COPY 500:600 {quote(to)}")
        assert not nothing.codes("COPYUID"), f"no COPYUID where nothing was copied: {nothing}"


@checks("UIDPLUS")
def uid_expunge(aim):
    with aim.client() as client:
        name = client.fresh("uid-expunge", *[mail(str(number)) for number in range(5)])
        client.select(name)
        client.ok("STORE 1,3,4 +FLAGS.SILENT (\\Deleted)")
        client.ok("UID EXPUNGE 2:3")
        assert client.uids() == [1, 2, 4, 5], client.uids()
        client.command("UID EXPUNGE").bad()
        client.ok("UID EXPUNGE 999")


# RFC 6851

@checks("MOVE")
def move(aim):
    with aim.client() as client, aim.client() as other:
        name, to = client.fresh("move", *[mail(str(number)) for number in range(4)], flags="(\\Flagged Work)"), client.fresh("move-to")
        client.select(name)
        other.select(name)
        before = client.ok("FETCH 2:3 (INTERNALDATE BODY.PEEK[])").fetched()
        reply = client.ok(f"MOVE 2:3 {quote(to)}")
        assert len(reply.all("EXPUNGE")) == 2 or reply.all("VANISHED"), reply
        if aim.has("UIDPLUS"):
            order = [one for one in reply.untagged if one.name == "EXPUNGE" or (one.code and one.code[0] == "COPYUID")]
            assert order and order[0].code, f"RFC 6851 §4.3: COPYUID untagged, before EXPUNGE: {reply}"
            assert not (reply.code and reply.code[0] == "COPYUID"), reply
        assert client.uids() == [1, 4]
        assert len(other.ok("NOOP").all("EXPUNGE")) == 2
        client.command(f"MOVE 1 {quote('nowhere to be found')}").no("TRYCREATE")
        client.ok(f"UID MOVE 77 {quote(to)}")
        client.ok(f"UID MOVE 4 {quote(to)}")
        client.select(to)
        after = client.ok("FETCH 1:2 (FLAGS INTERNALDATE BODY.PEEK[])").fetched()
        for old, new in ((2, 1), (3, 2)):
            assert before[old]["BODY[]"] == after[new]["BODY[]"] and before[old]["INTERNALDATE"] == after[new]["INTERNALDATE"]
            assert {"\\FLAGGED", "WORK"} <= upper(after[new]["FLAGS"])
        client.select(name, examine=True)
        client.command(f"MOVE 1 {quote(to)}").refused()


@checks("MOVE")
def move_within_a_mailbox(aim):
    with aim.client() as client:
        name = client.fresh("move-self", mail("a"), mail("b"))
        client.select(name)
        reply = client.command(f"MOVE 1 {quote(name)}")
        client.ok("NOOP")
        assert len(client.uids()) == 2, f"a message is lost or doubled: {reply}"


# RFC 3348, 5258, 5819, 6154, 8440

@checks("CHILDREN")
def children(aim):
    with aim.client() as client:
        stem = "kids " + str(time.monotonic_ns())
        client.ok(f"CREATE {quote(stem)}")
        assert "\\HASNOCHILDREN" in rows(client.ok(f"LIST \"\" {quote(stem)}"))[stem]
        client.ok(f"CREATE {quote(stem + '/child')}")
        found = rows(client.ok(f"LIST \"\" {quote(stem + '*')}"))
        assert "\\HASCHILDREN" in found[stem] and "\\HASNOCHILDREN" in found[stem + "/child"], found
        client.ok(f"DELETE {quote(stem + '/child')}")
        assert "\\HASNOCHILDREN" in rows(client.ok(f"LIST \"\" {quote(stem)}"))[stem]


@checks("SPECIAL-USE")
def special_use(aim):
    with aim.client() as client:
        uses = {}
        for reply in (client.ok('LIST "" "*" RETURN (SPECIAL-USE)'), client.ok('LIST (SPECIAL-USE) "" "*"')):
            uses = {name: flags & {"\\SENT", "\\DRAFTS", "\\TRASH", "\\JUNK", "\\ARCHIVE", "\\ALL", "\\FLAGGED"} for name, flags in rows(reply).items()}
            found = set().union(*uses.values())
            assert found >= {"\\SENT", "\\DRAFTS", "\\TRASH", "\\JUNK"}, f"{uses}"
        assert all(uses.values()), f"LIST (SPECIAL-USE) gives those with a use only: {uses}"


@checks("CREATE-SPECIAL-USE")
def create_special_use(aim):
    with aim.client() as client:
        name = "archive " + str(time.monotonic_ns())
        reply = client.command(f"CREATE {quote(name)} (USE (\\Archive))")
        assert reply.status == "OK" or (reply.code and reply.code[0] == "USEATTR"), reply
        client.command(f"CREATE {quote(name + ' b')} (USE (\\Frob))").no("USEATTR")
        client.command(f"CREATE {quote(name + ' c')} (FROB)").bad()


@checks("LIST-EXTENDED")
def list_extended(aim):
    with aim.client() as client:
        stem = "ext " + str(time.monotonic_ns())
        for name in ("", "/in", "/in/deep", "/other"):
            client.ok(f"CREATE {quote(stem + name)}")
        client.ok(f"SUBSCRIBE {quote(stem + '/in/deep')}")
        found = rows(client.ok(f"LIST (SUBSCRIBED) \"\" {quote(stem + '*')}"))
        assert set(found) == {stem + "/in/deep"} and "\\SUBSCRIBED" in found[stem + "/in/deep"], found
        found = rows(client.ok(f"LIST \"\" {quote(stem + '*')} RETURN (SUBSCRIBED CHILDREN)"))
        assert len(found) == 4 and [name for name, flags in found.items() if "\\SUBSCRIBED" in flags] == [stem + "/in/deep"], found
        assert "\\HASCHILDREN" in found[stem + "/in"], found
        reply = client.ok(f"LIST \"\" ({quote(stem + '/in')} {quote(stem + '/o%')})")
        assert sorted(names(reply)) == [stem + "/in", stem + "/other"], reply
        reply = client.ok(f"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" {quote(stem + '/%')}")
        one = [one for one in reply.all("LIST") if text(one.args[2]) == stem + "/in"]
        assert one and text(one[0].args[3][0]).upper() == "CHILDINFO", f"RFC 5258 §4: {reply}"
        client.command('LIST (RECURSIVEMATCH) "" "*"').bad()
        client.command('LIST (FROB) "" "*"').bad()
        client.command('LIST "" "*" RETURN (FROB)').bad()
        client.ok('LIST () "" "*" RETURN ()')


@checks("LIST-EXTENDED")
def list_of_what_was_subscribed_and_deleted(aim):
    with aim.client() as client:
        name = client.fresh("gone")
        client.ok(f"SUBSCRIBE {quote(name)}")
        client.ok(f"DELETE {quote(name)}")
        found = rows(client.ok(f"LIST (SUBSCRIBED) \"\" {quote(name)}"))
        if name in found:  # RFC 5258 §3.1: \NonExistent, and no server may unsubscribe on its own (RFC 3501 §6.3.6)
            assert "\\NONEXISTENT" in found[name], found
        client.command(f"UNSUBSCRIBE {quote(name)}")


@checks("LIST-STATUS")
def list_status(aim):
    with aim.client() as client:
        name = client.fresh("liststatus", mail("a"), mail("b"))
        reply = client.ok(f"LIST \"\" {quote(name)} RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN))")
        one = reply.one("STATUS")
        assert text(one.args[0]) == name and dict(zip(one.args[1][::2], one.args[1][1::2], strict=True))["MESSAGES"] == "2", reply
        kinds = [row.name for row in reply.untagged if row.name in ("LIST", "STATUS")]
        assert kinds == ["LIST", "STATUS"], kinds
        client.command('LIST "" "*" RETURN (STATUS (FROB))').bad()


@checks("STATUS=SIZE")
def status_size(aim):
    messages = [mail("a", "x" * 100), mail("b", "y" * 1000)]
    with aim.client() as client:
        name = client.fresh("size", *messages)
        one = client.ok(f"STATUS {quote(name)} (SIZE MESSAGES)").one("STATUS")
        pairs = dict(zip(one.args[1][::2], one.args[1][1::2], strict=True))
        assert int(pairs["SIZE"]) >= sum(map(len, messages)) and int(pairs["SIZE"]) <= sum(map(len, messages)) + 2, one


# RFC 9208

@checks("QUOTA")
def quota(aim):
    with aim.client() as client:
        reply = client.ok("GETQUOTAROOT INBOX")
        root = reply.one("QUOTAROOT")
        assert text(root.args[0]).upper() == "INBOX", reply
        if len(root.args) > 1:
            one = client.ok(f"GETQUOTA {quote(text(root.args[1]))}").one("QUOTA")
            assert len(one.args[1]) % 3 == 0, one
        client.command(f"GETQUOTA {quote('no such root')}").refused()
        client.command("GETQUOTAROOT " + quote("no such mailbox"))
        client.command(f"SETQUOTA {quote(text(root.args[1]) if len(root.args) > 1 else '')} (STORAGE 1)").refused()


# RFC 3516

@checks("BINARY")
def binary(aim):
    with aim.client() as client:
        name = client.fresh("binary", MULTIPART)
        client.select(name)
        row = client.ok("FETCH 1 (BINARY.PEEK[3] BINARY.SIZE[3])").fetched()[1]
        assert row["BINARY[3]"] == b"hello" and row["BINARY.SIZE[3]"] == "5", row
        row = client.ok("FETCH 1 BINARY.PEEK[3]<1.3>").fetched()[1]
        assert [value for key, value in row.items() if key.startswith("BINARY[3]")] == [b"ell"], row
        assert client.ok("FETCH 1 BINARY.PEEK[1]").fetched()[1]["BINARY[1]"] == b"first"
        client.ok("FETCH 1 BINARY[1]")
        assert "\\SEEN" in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"])
        client.append(name, mail("odd", "x\r\n", content_transfer_encoding="x-uuencode-or-so"))
        client.ok("NOOP")
        reply = client.command("FETCH 2 BINARY.PEEK[1]")
        assert reply.status == "OK" or (reply.code and reply.code[0] == "UNKNOWN-CTE"), reply


@checks("BINARY")
def binary_append(aim):
    data = mail("nul", "a\0b\r\n", content_transfer_encoding="binary")
    with aim.client() as client:
        name = client.fresh("binary-append")
        reply = client.command(f"APPEND {quote(name)} ", Literal(data, binary=True))
        assert reply.status == "OK" or (reply.code and reply.code[0] == "UNKNOWN-CTE"), reply
        if reply.status == "OK":
            client.select(name)
            assert client.ok("FETCH 1 BINARY.PEEK[1]").fetched()[1]["BINARY[1]"] == b"a\0b\r\n"
            client.ok("FETCH 1 BODY.PEEK[]")


# RFC 3502

@checks("MULTIAPPEND")
def multiappend(aim):
    with aim.client() as client:
        name = client.fresh("multi")
        reply = client.ok(f"APPEND {quote(name)} (\\Seen) ", Literal(mail("one")), ' (\\Flagged) "01-Jan-2020 00:00:00 +0000" ', Literal(mail("two")), " ", Literal(mail("three")))
        if aim.has("UIDPLUS"):
            assert numbers_of(reply.code[2]) == [1, 2, 3], reply
        client.select(name)
        found = client.ok("FETCH 1:* FLAGS").fetched()
        assert "\\SEEN" in upper(found[1]["FLAGS"]) and "\\FLAGGED" in upper(found[2]["FLAGS"]), found
        # RFC 3502 §6.3.11: all or nothing.
        reply = client.command(f"APPEND {quote(name)} ", Literal(mail("four")), " (\\Frob) ", Literal(mail("five")))
        reply.refused()
        client.ok("NOOP")
        assert client.uids() == [1, 2, 3], "half of a refused APPEND was kept"


@checks("MULTIAPPEND")
def multiappend_cut(aim):
    with aim.client() as client:
        name = client.fresh("multi-cut")
        other = aim.client()
        one = mail("one")
        other.send(f"x APPEND {quote(name)} {{{len(one)}}}\r\n".encode())
        other.receive()
        other.send(one + b" {500}\r\n")
        assert other.receive().tag == "+"
        other.send(b"half")
        other.close()
        time.sleep(0.3)
        assert client.select(name).number("EXISTS") == 0, "the first of two was kept though the command never ended"


# RFC 8508

@checks("REPLACE")
def replace(aim):
    with aim.client() as client, aim.client() as other:
        name, to = client.fresh("replace", mail("draft 1"), mail("other")), client.fresh("replace-to")
        client.select(name)
        other.select(name)
        reply = client.ok(f"REPLACE 1 {quote(name)} (\\Draft) ", Literal(mail("draft 2")))
        assert reply.codes("APPENDUID") and (reply.all("EXPUNGE") or reply.all("VANISHED")), f"RFC 8508 §3.3: {reply}"
        assert client.uids() == [2, 3]
        assert "\\DRAFT" in upper(client.ok("UID FETCH 3 FLAGS").by_uid()[3]["FLAGS"])
        told = other.ok("NOOP")
        assert told.all("EXPUNGE") and told.number("EXISTS"), told
        client.ok(f"UID REPLACE 3 {quote(to)} ", Literal(mail("draft 3")))
        client.ok("NOOP")
        assert client.uids() == [2] and client.ok(f"STATUS {quote(to)} (MESSAGES)").one("STATUS").args[1] == ["MESSAGES", "1"]
        client.command(f"REPLACE 1 {quote('nowhere to be found')} ", Literal(mail("x"))).no("TRYCREATE")
        client.command(f"REPLACE 77 {quote(name)} ", Literal(mail("x"))).refused()
        assert client.uids() == [2]


# RFC 8474

@checks("OBJECTID")
def objectid(aim):
    with aim.client() as client:
        name = client.fresh("objectid", mail("a"), mail("Re: a", in_reply_to="<x@y>"))
        other = client.fresh("objectid-2")
        identity = client.select(name).codes("MAILBOXID")[0]
        one = client.ok(f"STATUS {quote(name)} (MAILBOXID)").one("STATUS")
        assert one.args[1] == ["MAILBOXID", identity[0]], f"{one} and {identity}"
        assert client.ok(f"STATUS {quote(other)} (MAILBOXID)").one("STATUS").args[1][1] != identity[0]
        row = client.ok("FETCH 1 (EMAILID THREADID)").fetched()[1]
        assert isinstance(row["EMAILID"], list) and len(row["EMAILID"]) == 1, row
        assert row["THREADID"] is None or len(row["THREADID"]) == 1, row
        mine = row["EMAILID"][0]
        assert client.ok(f"SEARCH EMAILID {mine}").numbers() == [1]
        client.ok(f"COPY 1 {quote(other)}")
        client.select(other)
        assert client.ok("FETCH 1 EMAILID").fetched()[1]["EMAILID"] == [mine], "RFC 8474 §5.1: a copy has the same EMAILID"
        client.ok("CLOSE")
        client.ok(f"RENAME {quote(name)} {quote(name + ' moved')}")
        assert client.select(name + " moved").codes("MAILBOXID")[0] == identity, "RFC 8474 §4: the id stays over RENAME"
        created = client.ok(f"CREATE {quote(name + ' new')}")
        assert created.codes("MAILBOXID") and created.codes("MAILBOXID")[0] != identity, created


# RFC 8514

@checks("SAVEDATE")
def savedate(aim):
    with aim.client() as client:
        name = client.fresh("savedate")
        client.append(name, mail("old"), date='"01-Jan-2001 00:00:00 +0000"')
        client.select(name)
        row = client.ok("FETCH 1 (SAVEDATE INTERNALDATE)").fetched()[1]
        assert b"2001" in row["INTERNALDATE"], row
        assert row["SAVEDATE"] is None or b"2001" not in row["SAVEDATE"], row
        assert client.ok("SEARCH SAVEDSINCE 02-Jan-2001").numbers() == [1]
        assert client.ok("SEARCH SAVEDBEFORE 02-Jan-2001").numbers() == []
        client.ok("SEARCH SAVEDATESUPPORTED")


# RFC 8970

@checks("PREVIEW")
def preview(aim):
    with aim.client() as client:
        html = mail("html", "<html><head><style>x{}</style></head><body><p>Dear <b>friend</b></p></body></html>\r\n", content_type="text/html; charset=utf-8")
        name = client.fresh("preview", mail("plain", "Hello there,\r\n\r\nhow are you?\r\n"), html, mail("long", "wörter und " * 200 + "\r\n"), mail("nothing", ""))
        client.select(name)
        found = client.ok("FETCH 1:4 PREVIEW").fetched()
        assert found[1]["PREVIEW"].decode().startswith("Hello there"), found[1]
        assert b"<" not in found[2]["PREVIEW"] and b"friend" in found[2]["PREVIEW"], found[2]
        assert len(found[3]["PREVIEW"].decode()) <= 256, "RFC 8970 §3.3: at most 256 characters"
        assert found[4]["PREVIEW"] == b"", found[4]
        lazy = client.ok("FETCH 1 (PREVIEW (LAZY))").fetched()[1]["PREVIEW"]
        assert lazy is None or lazy == found[1]["PREVIEW"], lazy
        assert "\\SEEN" not in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"])


# RFC 4978

@checks("COMPRESS=DEFLATE")
def compress(aim):
    with aim.client() as client:
        assert client.compress().status == "OK"
        name = client.fresh("compress", MULTIPART, mail("big", "compress me " * 20_000))
        client.select(name)
        row = client.ok("FETCH 1:2 BODY.PEEK[]").fetched()
        assert row[1]["BODY[]"] == MULTIPART and len(row[2]["BODY[]"]) > 200_000
        client.command("COMPRESS DEFLATE").refused()
        tag = client.idle()
        client.done(tag).ok()
    with aim.client() as client:
        client.command("COMPRESS LZW").refused()


# RFC 6855

@checks("UTF8=ACCEPT")
def utf8_accept(aim):
    with aim.client() as client:
        reply = client.ok("ENABLE UTF8=ACCEPT")
        assert "UTF8=ACCEPT" in upper(reply.one("ENABLED").args), reply
        name = f"Größe {time.monotonic_ns()} 東京"
        client.ok(f"CREATE {quote(name)}")
        assert name in names(client.ok('LIST "" "*"'))
        reply = client.command(f"APPEND {quote(name)} UTF8 (", Literal("Subject: Grüße\r\nFrom: ü@example.org\r\n\r\nx\r\n".encode(), binary=True), ")")
        assert reply.status in ("OK", "BAD", "NO"), reply
        client.append(name, mail("plain"))
        client.select(name)
        client.ok('SEARCH SUBJECT "Grüße"')
        client.command("SEARCH CHARSET UTF-8 ALL").bad()  # RFC 6855 §3
        with aim.client() as other:
            assert name not in names(other.ok('LIST "" "*"')) and any(found.startswith("Gr&APYA3w-e") for found in names(other.ok('LIST "" "*"')))


# RFC 5464

@checks("METADATA|METADATA-SERVER")
def metadata(aim):
    with aim.client() as client:
        box = quote(client.fresh("metadata")) if aim.has("METADATA") else '""'
        client.ok(f'SETMETADATA {box} (/private/comment "My own" /private/vendor/example/x ', Literal(b"line\r\nline"), ")")
        reply = client.ok(f"GETMETADATA {box} (/private/comment /private/vendor/example/x)")
        pairs = {}
        for one in reply.all("METADATA"):
            pairs.update(zip(map(text, one.args[1][::2]), one.args[1][1::2], strict=True))
        assert pairs.get("/private/comment") == b"My own" and pairs.get("/private/vendor/example/x") == b"line\r\nline", reply
        reply = client.ok(f"GETMETADATA (DEPTH infinity) {box} /private/vendor") if aim.is_allod else client.command(f"GETMETADATA (DEPTH infinity) {box} /private/vendor")
        reply = client.command(f"GETMETADATA (MAXSIZE 3) {box} /private/comment")
        if reply.status == "OK" and aim.is_allod:
            assert reply.code and reply.code[:2] == ["METADATA", "LONGENTRIES"], reply
        client.ok(f"SETMETADATA {box} (/private/comment NIL)")
        reply = client.ok(f"GETMETADATA {box} /private/comment")
        assert not [one for one in reply.all("METADATA") if one.args[1][1:2] not in ([None], [])], f"removed: {reply}"
        client.command(f'SETMETADATA {box} (comment "x")').refused()
        client.command(f'SETMETADATA {quote("no such mailbox")} (/private/comment "x")').no()


# RFC 4314

@checks("ACL")
def acl(aim):
    with aim.client() as client:
        name = client.fresh("acl")
        mine = client.ok(f"MYRIGHTS {quote(name)}").one("MYRIGHTS")
        assert set("lrswipkxtea") <= set(text(mine.args[1])) | set("pcd"), mine
        one = client.ok(f"GETACL {quote(name)}").one("ACL")
        assert text(one.args[0]) == name and len(one.args) % 2 == 1, one
        client.ok(f"LISTRIGHTS {quote(name)} {quote('bob')}")
        client.command(f"MYRIGHTS {quote('no such mailbox')}").no()
        reply = client.command(f"SETACL {quote(name)} {quote('bob')} lr")
        if reply.status == "OK":
            rights = client.ok(f"GETACL {quote(name)}").one("ACL").args[1:]
            pairs = dict(zip(map(text, rights[::2]), map(text, rights[1::2]), strict=True))
            assert set("lr") <= set(pairs.get("bob", "")), pairs
            client.ok(f"DELETEACL {quote(name)} {quote('bob')}")
            assert "bob" not in list(map(text, client.ok(f"GETACL {quote(name)}").one("ACL").args[1:]))


# RFC 5530

@checks()
def response_codes(aim):
    with aim.stranger() as client:
        reply = client.command(f"LOGIN {quote(aim.server.user)} wrong")
        reply.no("AUTHENTICATIONFAILED")
    with aim.client() as client:
        name = client.fresh("codes")
        client.command(f"CREATE {quote(name)}").no("ALREADYEXISTS")
        client.command(f"DELETE {quote('no such mailbox')}").no("NONEXISTENT", "TRYCREATE")
        client.command(f"SELECT {quote('no such mailbox')}").no("NONEXISTENT", "TRYCREATE") if aim.is_allod else None


# RFC 2221, 2193 and what no longer lives

@checks()
def what_is_not_announced_is_not_there(aim):
    with aim.client() as client:
        client.select("INBOX")
        for capability, words in (("X-GM-EXT-1", "FETCH 1 X-GM-LABELS"), ("XLIST", 'XLIST "" "*"'), ("NOTIFY", "NOTIFY NONE"), ("COMPRESS=DEFLATE", "COMPRESS DEFLATE"),
                                  ("QUOTA", "GETQUOTAROOT INBOX"), ("ACL", "MYRIGHTS INBOX"), ("METADATA", 'GETMETADATA "" /private/comment')):
            if not aim.has(capability):
                reply = client.command(words)
                assert reply.status in ("BAD", "NO") or words.startswith("XLIST"), f"{capability} is not announced, and yet: {reply}"
