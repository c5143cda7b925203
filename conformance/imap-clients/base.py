"""IMAP4rev1 and rev2 themselves: every command, at least one thing that has to work and one that has to be refused."""

import base64

from aim import Checks, mail
from imap import Closed, Imap, Literal, quote

checks = Checks("base")
run = checks.run
FLAGS = {"\\ANSWERED", "\\FLAGGED", "\\DELETED", "\\SEEN", "\\DRAFT"}


def upper(flags):
    return {flag.upper() for flag in flags}


@checks()
def greeting(aim):
    with aim.stranger() as client:
        assert client.greeting.name == "OK" and client.greeting.tag == "*", client.greeting
        found = client.capabilities()
        assert {"IMAP4REV1"} & found, f"no IMAP4rev1 among {found}"
        if client.greeting.code and client.greeting.code[0] == "CAPABILITY":
            assert upper(client.greeting.code[1:]) == found, f"the greeting says {client.greeting.code}, CAPABILITY {found}"


@checks()
def capability_after_login_is_the_same_everywhere(aim):
    with aim.stranger() as client:
        reply = client.ok(f"LOGIN {quote(aim.server.user)} {quote(aim.server.password)}")
        told = [*reply.codes("CAPABILITY"), *([reply.one("CAPABILITY").args] if reply.all("CAPABILITY") else [])]
        if told:
            assert upper(told[0]) == client.capabilities(), f"{told[0]}"
        assert not [word for word in client.capabilities() if word in ("STARTTLS", "LOGINDISABLED")], "offered after login"


@checks()
def not_authenticated(aim):
    for words in ("SELECT INBOX", 'LIST "" "*"', "STATUS INBOX (MESSAGES)", "CREATE x", "FETCH 1 FLAGS", "IDLE", "NAMESPACE", "UID SEARCH ALL"):
        with aim.stranger() as client:
            client.command(words).refused()
    with aim.stranger() as client:
        client.ok("NOOP")
        client.ok("CAPABILITY")


@checks()
def wrong_password(aim):
    with aim.stranger() as client:
        client.command(f"LOGIN {quote(aim.server.user)} {quote('wrong-' + aim.server.password)}").no()
        client.command(f"LOGIN {quote('nobody-here')} {quote('x')}").no()
        client.command("SELECT INBOX").refused()
        client.login()
        client.ok("SELECT INBOX")


@checks()
def login_as_literals(aim):
    with aim.stranger() as client:
        client.ok("LOGIN ", Literal(aim.server.user.encode()), " ", Literal(aim.server.password.encode()))


@checks("AUTH=PLAIN")
def authenticate_plain_in_two_steps(aim):
    with aim.stranger() as client:
        tag = client.tag()
        client.send(f"{tag} AUTHENTICATE PLAIN\r\n".encode())
        one = client.receive()
        assert one.tag == "+", one
        client.send(base64.b64encode(f"\0{aim.server.user}\0{aim.server.password}".encode()) + b"\r\n")
        client.finish(tag).ok()
        client.ok("SELECT INBOX")


@checks("AUTH=PLAIN")
def authenticate_cancelled(aim):
    with aim.stranger() as client:
        tag = client.tag()
        client.send(f"{tag} AUTHENTICATE PLAIN\r\n".encode())
        assert client.receive().tag == "+"
        client.send(b"*\r\n")
        client.finish(tag).bad()
        client.login()


@checks()
def unknown_commands_and_wrong_arguments(aim):
    with aim.client() as client:
        for words in ("FROBNICATE", "SELECT", "FETCH", "STORE 1", "FETCH 1 FLAGS", "LIST", "STATUS INBOX", "STATUS INBOX ()", "CREATE",
                      "APPEND INBOX", "UID", "UID FROB 1", "SELECT INBOX ("):
            client.command(words).bad()
        client.select("INBOX")
        for words in ("FETCH 1:x FLAGS", "FETCH 0 FLAGS", "FETCH 1 (FROB)", "FETCH 1 ()", "STORE 1 FLAGS (\\Frob)", "SEARCH FROB", "SEARCH",
                      "FETCH 1 BODY[", "FETCH 1 BODY[0]", "SEARCH BEFORE 31-Feb", "FETCH 99999999999 FLAGS", "SEARCH (ALL", "LOGIN a b"):
            client.command(words).refused()
        client.ok("NOOP")


@checks()
def line_too_long_or_without_tag(aim):
    with aim.client() as client:
        client.send(b"\r\n")
        client.send(b"* NOOP\r\n")
        answers = client.quiet(0.7)
        assert all(one.name in ("BAD", "BYE") for one in answers), answers
    with aim.client() as client:
        # A line of ten megabytes is refused before it is all there, or the connection is closed; memory is nobody's gift.
        try:
            client.send(b"x NOOP " + b"y" * (10 << 20) + b"\r\n")
            one = client.receive()
            assert one.name in ("BAD", "BYE", "NO") or not aim.is_allod, one
        except (ConnectionError, BrokenPipeError):
            pass


@checks()
def select_and_its_answers(aim):
    with aim.client() as client:
        name = client.fresh("select", mail("one"), mail("two"))
        reply = client.select(name)
        assert reply.number("EXISTS") == 2, reply
        assert upper(reply.one("FLAGS").args[0]) >= FLAGS, reply
        assert reply.code[0] == "READ-WRITE", reply
        for code in ("UIDVALIDITY", "UIDNEXT", "PERMANENTFLAGS"):
            assert len(reply.codes(code)) == 1, f"{code}: {reply}"
        permanent = reply.codes("PERMANENTFLAGS")[0][0]
        assert "\\*" in permanent, f"no keywords of one's own: {permanent}"
        assert upper(permanent) >= FLAGS - {"\\RECENT"}
        assert int(reply.codes("UIDNEXT")[0][0]) == 3, reply
        again = client.select(name, examine=True)
        assert again.code[0] == "READ-ONLY", again
        if client.command("STORE 1 +FLAGS (\\Flagged)").status == "OK":
            assert "\\FLAGGED" not in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"]), "written to a mailbox that was examined"
        client.command("EXPUNGE")
        assert client.uids() == [1, 2]
        client.command("SELECT " + quote("no such mailbox")).no()
        client.command("FETCH 1 FLAGS").refused()  # RFC 3501 §6.3.1: a SELECT that fails leaves no mailbox selected


@checks()
def inbox_in_any_case(aim):
    with aim.client() as client:
        for name in ("INBOX", "inbox", "InBoX", '"inbox"'):
            client.ok(f"SELECT {name}")
        client.command("CREATE inbox").no()
        client.command("DELETE Inbox").no()
        listed = [one.args[-1] for one in client.ok('LIST "" "*"').all("LIST")]
        assert sum(1 for name in listed if str(text(name)).upper() == "INBOX") == 1, listed


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def names(reply, answer="LIST"):
    return [text(one.args[2]) for one in reply.all(answer)]


def rows(reply, answer="LIST"):
    return {text(one.args[2]): upper(one.args[0]) for one in reply.all(answer)}


@checks()
def create_list_rename_delete(aim):
    with aim.client() as client:
        stem = "tree " + client.tag()
        client.ok(f"CREATE {quote(stem + '/a/b')}")
        found = names(client.ok(f"LIST \"\" {quote(stem + '*')}"))
        assert found == sorted(found) or True
        assert {stem, f"{stem}/a", f"{stem}/a/b"} <= set(found), found
        assert names(client.ok(f"LIST \"\" {quote(stem + '/%')}")) == [f"{stem}/a"]
        assert names(client.ok(f"LIST {quote(stem + '/a/')} \"%\"")) == [f"{stem}/a/b"]
        assert not names(client.ok(f"LIST \"\" {quote(stem + '/x%')}"))
        client.command(f"CREATE {quote(stem + '/a/b')}").no()
        client.ok(f"RENAME {quote(stem + '/a')} {quote(stem + '/z')}")
        found = set(names(client.ok(f"LIST \"\" {quote(stem + '*')}")))
        assert {f"{stem}/z", f"{stem}/z/b"} <= found and f"{stem}/a" not in found, found
        client.command(f"RENAME {quote(stem + '/nothing')} {quote(stem + '/y')}").no()
        client.ok(f"CREATE {quote(stem + '/taken')}")
        client.command(f"RENAME {quote(stem + '/z/b')} {quote(stem + '/taken')}").no()
        client.ok(f"DELETE {quote(stem + '/z/b')}")
        assert f"{stem}/z/b" not in names(client.ok(f"LIST \"\" {quote(stem + '*')}"))
        client.command(f"DELETE {quote(stem + '/z/b')}").no()


@checks()
def create_with_separator_at_the_end(aim):
    with aim.client() as client:
        stem = "trailing " + client.tag()
        client.ok(f"CREATE {quote(stem + '/')}")  # RFC 3501 §6.3.3: a hint that names will be made below
        client.ok(f"CREATE {quote(stem + '/below')}")
        assert stem in names(client.ok(f"LIST \"\" {quote(stem + '*')}"))


@checks()
def list_of_nothing_tells_the_separator(aim):
    with aim.client() as client:
        one = client.ok('LIST "" ""').one("LIST")
        assert one.args[1] in (b"/", b".") and one.args[2] in (b"", "", b"/"), one


@checks()
def delete_of_a_mailbox_with_children(aim):
    with aim.client() as client:
        stem = "parent " + client.tag()
        client.ok(f"CREATE {quote(stem)}")
        client.ok(f"CREATE {quote(stem + '/child')}")
        client.append(stem + "/child", mail("kept"))
        reply = client.command(f"DELETE {quote(stem)}")
        found = rows(client.ok(f"LIST \"\" {quote(stem + '*')}"))
        assert f"{stem}/child" in found, f"the child went with its parent: {reply}"  # RFC 3501 §6.3.4
        if reply.status == "OK" and stem in found:
            assert "\\NOSELECT" in found[stem] or "\\NONEXISTENT" in found[stem], found
        assert client.select(stem + "/child").number("EXISTS") == 1


@checks()
def rename_of_inbox(aim):
    with aim.client() as client:
        client.append("INBOX", mail("moves out"))
        name = "old inbox " + client.tag()
        reply = client.command(f"RENAME INBOX {quote(name)}")
        assert reply.status in ("OK", "NO"), reply
        assert client.select("INBOX").number("EXISTS") == (0 if reply.status == "OK" else client.select("INBOX").number("EXISTS"))
        if reply.status == "OK":  # RFC 3501 §6.3.5: the messages move, the inbox stays, empty
            assert client.select(name).number("EXISTS") >= 1


@checks()
def names_in_modified_utf7(aim):
    with aim.client() as client:
        for name in ("Entw&APw-rfe", "&ZeVnLIqe-", "R&-D", "~tilde", "a'b\"c", "two  spaces", "x" * 180):
            client.command(f"DELETE {quote(name)}")
            client.ok(f"CREATE {quote(name)}")
            client.append(name, mail("in an odd place"))
            assert name in names(client.ok(f"LIST \"\" {quote(name)}")), name
            assert client.select(name).number("EXISTS") == 1
            client.ok(f"DELETE {quote(name)}")
        for name in ("bad & ampersand", "&Jjo", "&xx-"):
            client.command(f"CREATE {quote(name)}").refused()


@checks()
def odd_names_are_refused_or_kept(aim):
    with aim.client() as client:
        for name in ("", "/", "//", "a//b", "..", "../x", ".", "a/../b", "/lead", "tab\there", "x" * 5000):
            reply = client.command(f"CREATE {quote(name)}") if "\t" not in name else client.command("CREATE ", Literal(name.encode()))
            if reply.status == "OK":
                client.command(f"DELETE {quote(name.strip('/'))}")
        # One such component in LIST makes mbsync refuse the whole account.
        assert not [name for name in names(client.ok('LIST "" "*"')) if {"..", ".", ""} & set(name.split("/"))]


@checks()
def subscriptions(aim):
    with aim.client() as client:
        name = client.fresh("subscribed")
        client.ok(f"SUBSCRIBE {quote(name)}")
        assert name in names(client.ok('LSUB "" "*"'), "LSUB")
        client.ok(f"UNSUBSCRIBE {quote(name)}")
        assert name not in names(client.ok('LSUB "" "*"'), "LSUB")


@checks()
def new_account_has_its_mailboxes_subscribed(aim):
    with aim.client("carol") as client:
        listed = {name.upper() for name in names(client.ok('LSUB "" "*"'), "LSUB")}
        assert {"SENT", "DRAFTS", "TRASH", "JUNK", "ARCHIVE"} <= listed, f"Thunderbird shows what is subscribed: {listed}"


@checks()
def status_items(aim):
    with aim.client() as client:
        name = client.fresh("status", mail("a"), mail("b"), mail("c"))
        client.select(name)
        client.ok("STORE 1 FLAGS (\\Seen)")
        client.ok("STORE 2 FLAGS (\\Deleted)")
        client.ok("CLOSE")
        one = client.ok(f"STATUS {quote(name)} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)").one("STATUS")
        pairs = dict(zip(one.args[1][::2], one.args[1][1::2], strict=True))
        assert (pairs["MESSAGES"], pairs["UIDNEXT"], pairs["UNSEEN"]) == ("2", "4", "1"), one
        client.command(f"STATUS {quote('no such mailbox')} (MESSAGES)").no()
        client.command(f"STATUS {quote(name)} (FROB)").bad()


@checks()
def append_and_fetch_back(aim):
    body = mail("bytes", "".join(chr(code) for code in range(32, 127)) + "\r\nüöä €\r\n.\r\n..\r\nFrom here\r\n" + "long " * 400 + "\r\n")
    with aim.client() as client:
        name = client.fresh("append")
        client.append(name, body, "(\\Seen Work $Forwarded)", '"01-Jan-2020 12:34:56 +0200"')
        client.select(name)
        row = client.ok("FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").fetched()[1]
        assert row["BODY[]"] == body, "the bytes are other ones"
        assert int(row["RFC822.SIZE"]) == len(body)
        assert upper(row["FLAGS"]) - {"\\RECENT"} == {"\\SEEN", "WORK", "$FORWARDED"}, row["FLAGS"]
        stamp = text(row["INTERNALDATE"]).strip()
        assert stamp in ("01-Jan-2020 12:34:56 +0200", "1-Jan-2020 12:34:56 +0200", "01-Jan-2020 10:34:56 +0000", "1-Jan-2020 10:34:56 +0000"), stamp


@checks()
def append_without_a_mailbox(aim):
    with aim.client() as client:
        client.command("APPEND " + quote("nowhere to be found") + " ", Literal(mail())).no("TRYCREATE")
        client.command("APPEND INBOX (\\Frob) ", Literal(mail())).refused()
        client.command('APPEND INBOX "32-Foo-2020 12:34:56 +0200" ', Literal(mail())).refused()
        client.ok("NOOP")


@checks()
def append_cut_off_leaves_nothing(aim):
    with aim.client() as client:
        name = client.fresh("cut")
        other = Imap(aim.server).login()
        other.send(f"x APPEND {quote(name)} {{5000}}\r\n".encode())
        assert other.receive().tag == "+"
        other.send(mail("half of it")[:120])
        other.close()
        assert client.select(name).number("EXISTS") == 0
        client.append(name, mail("whole"))
        assert client.ok("NOOP") and client.uids() == [1] or client.uids(), "nothing arrives any more"


@checks()
def append_of_odd_messages(aim):
    """What is stored, odd as it is, comes back to the byte; a refusal is NO, with nothing stored."""
    odd = {
        "no headers": b"\r\njust a body\r\n", "no body": b"Subject: only a header\r\n\r\n", "no blank line": b"Subject: x\r\nFrom: a@b\r\n", "one byte": b"x",
        "bare LF": b"Subject: unix\nFrom: a@example.org\n\nline\nline\n", "mixed": b"Subject: m\r\nFrom: a@b\n\nl\r\nl\n", "bare CR": b"Subject: c\r\n\r\na\rb\r\n",
        "eight bit": "Subject: ünicode\r\n\r\nü\r\n".encode(), "latin": b"Subject: \xfc\r\n\r\n\xfc\r\n", "long line": b"Subject: x\r\n\r\n" + b"y" * 100_000 + b"\r\n",
        "mbox line": b"From someone Mon Jan  1 00:00:00 2024\r\nSubject: x\r\n\r\nx\r\n", "no end": b"Subject: x\r\n\r\nno line end",
    }
    with aim.client() as client:
        name = client.fresh("odd")
        client.select(name)
        for what, data in odd.items():
            reply = client.command(f"APPEND {quote(name)} ", Literal(data))
            assert reply.status in ("OK", "NO"), f"{what}: {reply}"
            if reply.status == "OK" and aim.is_allod:
                client.ok("NOOP")
                row = client.ok("FETCH * (RFC822.SIZE BODY.PEEK[] BODYSTRUCTURE ENVELOPE)").fetched()
                row = row[max(row)]
                assert row["BODY[]"] == data and int(row["RFC822.SIZE"]) == len(data), f"{what}: {row['BODY[]'][:100]!r}"


@checks()
def empty_message(aim):
    with aim.client() as client:
        name = client.fresh("empty")
        reply = client.command(f"APPEND {quote(name)} ", Literal(b""))
        assert reply.status in ("OK", "NO", "BAD"), reply
        client.ok("NOOP")


MULTIPART = mail("parts", content_type='multipart/mixed; boundary="b"', body=(
    "preamble\r\n--b\r\nContent-Type: text/plain; charset=us-ascii\r\nX-Part: one\r\n\r\nfirst\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "From: in@example.org\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=\"i\"\r\n\r\n--i\r\n\r\ninner one\r\n--i\r\n"
    "Content-Type: text/html\r\n\r\n<p>inner two</p>\r\n--i--\r\n\r\n--b\r\nContent-Type: application/octet-stream; name=\"f.bin\"\r\n"
    "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=f.bin\r\n\r\naGVsbG8=\r\n--b--\r\nepilogue\r\n"))


@checks()
def fetch_sections(aim):
    with aim.client() as client:
        name = client.fresh("sections", MULTIPART)
        client.select(name)
        head, _, body = MULTIPART.partition(b"\r\n\r\n")
        want = {
            "BODY.PEEK[HEADER]": head + b"\r\n\r\n", "BODY.PEEK[TEXT]": body, "BODY.PEEK[1]": b"first", "BODY.PEEK[1.MIME]":
            b"Content-Type: text/plain; charset=us-ascii\r\nX-Part: one\r\n\r\n", "BODY.PEEK[2.HEADER]":
            b"From: in@example.org\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=\"i\"\r\n\r\n", "BODY.PEEK[2.1]": b"inner one",
            "BODY.PEEK[2.2]": b"<p>inner two</p>", "BODY.PEEK[2.2.MIME]": b"Content-Type: text/html\r\n\r\n", "BODY.PEEK[3]": b"aGVsbG8=",
            "BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]": b"Subject: inner\r\n\r\n", "BODY.PEEK[HEADER.FIELDS (SUBJECT X-NONE)]": b"Subject: parts\r\n\r\n",
            "BODY.PEEK[HEADER.FIELDS (X-NONE)]": b"\r\n",
        }
        for item, expected in want.items():
            row = client.ok(f"FETCH 1 ({item})").fetched()[1]
            values = [value for key, value in row.items() if key.startswith("BODY[")]
            assert values == [expected], f"{item}: {values}"
        missing = client.command("FETCH 1 (BODY.PEEK[9])")
        if missing.status == "OK":
            assert [value for key, value in missing.fetched().get(1, {}).items() if key.startswith("BODY[9")] in ([None], [b""], []), missing


@checks()
def fetch_of_a_range_of_bytes(aim):
    with aim.client() as client:
        name = client.fresh("partial", MULTIPART)
        client.select(name)
        for start, count in ((0, 10), (5, 20), (len(MULTIPART) - 3, 100), (len(MULTIPART) + 10, 5), (0, 1 << 20)):
            row = client.ok(f"FETCH 1 BODY.PEEK[]<{start}.{count}>").fetched()[1]
            got = [value for key, value in row.items() if key == f"BODY[]<{start}>"]
            assert got == [MULTIPART[start:start + count]] or (start > len(MULTIPART) and got in ([b""], [None])), f"<{start}.{count}>: {row}"
        row = client.ok("FETCH 1 BODY.PEEK[1]<1.3>").fetched()[1]
        assert row["BODY[1]<1>"] == b"irs", row
        none = client.command("FETCH 1 BODY.PEEK[]<0.0>")
        assert none.status != "OK" or none.fetched()[1]["BODY[]<0>"] == b"", f"a count of nothing: {none}"


@checks()
def fetch_old_items_and_macros(aim):
    message = mail("macros")
    with aim.client() as client:
        name = client.fresh("macros", message)
        client.select(name)
        head, _, body = message.partition(b"\r\n\r\n")
        row = client.ok("FETCH 1 (RFC822.HEADER)").fetched()[1]
        assert row["RFC822.HEADER"] == head + b"\r\n\r\n"
        assert "\\SEEN" not in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"]), "RFC822.HEADER sets no \\Seen"
        assert client.ok("FETCH 1 RFC822.TEXT").fetched()[1]["RFC822.TEXT"] == body
        assert client.ok("FETCH 1 RFC822").fetched()[1]["RFC822"] == message
        assert {"FLAGS", "INTERNALDATE", "RFC822.SIZE"} <= set(client.ok("FETCH 1 FAST").fetched()[1])
        assert "ENVELOPE" in client.ok("FETCH 1 ALL").fetched()[1]
        assert "BODY" in client.ok("FETCH 1 FULL").fetched()[1]


@checks()
def seen_is_set_by_reading(aim):
    with aim.client() as client:
        name = client.fresh("seen", mail("a"), mail("b"))
        client.select(name)
        client.ok("FETCH 1 BODY.PEEK[]")
        assert "\\SEEN" not in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"])
        row = client.ok("FETCH 1 BODY[TEXT]").fetched()[1]
        assert "\\SEEN" in upper(row.get("FLAGS") or client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"])
        client.select(name, examine=True)
        client.ok("FETCH 2 BODY[]")
        assert "\\SEEN" not in upper(client.ok("FETCH 2 FLAGS").fetched()[2]["FLAGS"]), "EXAMINE changes nothing"


@checks()
def envelope_and_bodystructure(aim):
    message = mail("=?utf-8?Q?=C3=BC?=", sender='"Anna, B." <anna@example.org>', cc="Group: a@x.example, b@y.example;", reply_to="r@example.org",
                   in_reply_to="<one@example.org>")
    with aim.client() as client:
        name = client.fresh("envelope", message, MULTIPART)
        client.select(name)
        row = client.ok("FETCH 1 ENVELOPE").fetched()[1]["ENVELOPE"]
        assert len(row) == 10, row
        assert row[0] == b"Tue, 03 Feb 2026 10:00:00 +0100" and row[1] == b"=?utf-8?Q?=C3=BC?=", row
        assert row[2] == row[3] == [[b"Anna, B.", None, b"anna", b"example.org"]], row
        assert row[4] == [[None, None, b"r", b"example.org"]] and row[7] is None and row[8] == b"<one@example.org>", row
        assert row[6][0] == [None, None, b"Group", None] and row[6][-1] == [None, None, None, None] and len(row[6]) == 4, row
        structure = client.ok("FETCH 2 BODYSTRUCTURE").fetched()[2]["BODYSTRUCTURE"]
        parts = [one for one in structure if isinstance(one, list) and one and isinstance(one[0], (bytes, list))]
        assert [text(part[0]).lower() for part in parts[:3]] == ["text", "message", "application"], structure
        assert int(parts[0][6]) == len(b"first") and int(parts[2][6]) == len(b"aGVsbG8="), structure
        assert structure[3].lower() == b"mixed", structure
        plain = client.ok("FETCH 2 BODY").fetched()[2]["BODY"]
        assert len(plain) == 4, f"BODY has no extension data: {plain}"


@checks()
def store_variants(aim):
    with aim.client() as client:
        name = client.fresh("store", mail("a"), mail("b"), mail("c"))
        client.select(name)
        assert upper(client.ok("STORE 1 FLAGS (\\Seen \\Flagged Work)").fetched()[1]["FLAGS"]) - {"\\RECENT"} == {"\\SEEN", "\\FLAGGED", "WORK"}
        assert upper(client.ok("STORE 1 -FLAGS (\\Seen)").fetched()[1]["FLAGS"]) - {"\\RECENT"} == {"\\FLAGGED", "WORK"}
        assert upper(client.ok("STORE 1 +FLAGS \\Draft").fetched()[1]["FLAGS"]) - {"\\RECENT"} == {"\\FLAGGED", "WORK", "\\DRAFT"}
        assert not client.ok("STORE 1:3 +FLAGS.SILENT (\\Answered)").all("FETCH") or aim.has("CONDSTORE")
        rows = client.ok("UID STORE 2:* FLAGS ($Label1 NonJunk)").fetched()
        assert set(rows) == {2, 3} and all("UID" in row for row in rows.values()), f"UID STORE answers with UIDs: {rows}"
        assert upper(client.ok("STORE 3 FLAGS ()").fetched()[3]["FLAGS"]) - {"\\RECENT"} == set()
        client.command("STORE 1 FLAGS (\\Recent)").refused()
        client.command("STORE 9 FLAGS (\\Seen)").refused()
        client.ok("UID STORE 999 FLAGS (\\Seen)")  # RFC 3501 §6.4.8: a UID that is not there is no error


@checks()
def keywords_are_told_before_they_are_used(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("keywords", mail("a"))
        other.select(name)
        client.select(name)
        reply = client.ok("STORE 1 +FLAGS (brand-new-keyword)")
        assert "BRAND-NEW-KEYWORD" in upper(reply.fetched()[1]["FLAGS"]), reply
        told = other.ok("NOOP")
        assert "BRAND-NEW-KEYWORD" in upper(told.fetched()[1]["FLAGS"]), told


@checks()
def keywords_with_their_case(aim):
    with aim.client() as client:
        name = client.fresh("case", mail("a"))
        client.select(name)
        client.ok("STORE 1 +FLAGS (CamelCase)")
        client.ok("STORE 1 +FLAGS (camelcase)")
        flags = [flag for flag in client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"] if flag.lower() == "camelcase"]
        assert len(flags) == 1, f"one keyword, whatever its case: {flags}"
        assert client.ok("SEARCH KEYWORD CAMELCASE").numbers() == [1]


@checks()
def expunge_and_close(aim):
    with aim.client() as client:
        name = client.fresh("expunge", *[mail(str(number)) for number in range(6)])
        client.select(name)
        client.ok("STORE 2,3,5 +FLAGS.SILENT (\\Deleted)")
        numbers = [one.number for one in client.ok("EXPUNGE").all("EXPUNGE")]
        left = list(range(1, 7))
        for number in numbers:
            left.pop(number - 1)
        assert left == [1, 4, 6] and client.uids() == [1, 4, 6], f"{numbers}"
        client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        assert not client.ok("CLOSE").all("EXPUNGE"), "CLOSE tells of no EXPUNGE"
        client.command("FETCH 1 FLAGS").refused()
        assert client.select(name).number("EXISTS") == 2


@checks()
def no_expunge_in_fetch_store_search(aim):
    """RFC 3501 §7.4.1: sequence numbers must not slip while FETCH, STORE or SEARCH is on its way."""
    with aim.client() as client, aim.client() as other:
        name = client.fresh("no-expunge", *[mail(str(number)) for number in range(5)])
        client.select(name)
        other.select(name)
        other.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        for words in ("FETCH 2 FLAGS", "STORE 2 +FLAGS (\\Flagged)", "SEARCH ALL"):
            reply = client.command(words)
            assert not reply.all("EXPUNGE") and not reply.all("VANISHED"), f"{words}: {reply}"
        assert client.ok("FETCH 2 UID").fetched()[2]["UID"] == "2"
        gone = client.ok("NOOP")
        assert len(gone.all("EXPUNGE")) == 2 or gone.all("VANISHED"), gone
        assert client.ok("FETCH 1:* UID").by_uid().keys() == {2, 4, 5}


@checks()
def expunged_message_in_another_session(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("ghost", mail("a"), mail("b"))
        client.select(name)
        other.select(name)
        other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        reply = client.command("FETCH 1:2 (UID FLAGS BODY.PEEK[])")
        assert reply.status in ("OK", "NO"), reply
        assert reply.fetched().get(2, {}).get("BODY[]") or reply.status == "NO", f"the other message must come: {reply}"
        reply = client.command("STORE 1 +FLAGS (\\Seen)")
        assert reply.status in ("OK", "NO"), reply
        client.ok("NOOP")
        assert client.uids() == [2]


@checks()
def copy(aim):
    with aim.client() as client:
        name, to = client.fresh("copy", mail("a"), mail("b"), flags="(\\Seen Work)"), client.fresh("copied")
        client.select(name)
        before = client.ok("FETCH 1:2 (INTERNALDATE BODY.PEEK[])").fetched()
        client.ok(f"COPY 1:2 {quote(to)}")
        client.command(f"COPY 1 {quote('nowhere to be found')}").no("TRYCREATE")
        client.ok(f"UID COPY 77 {quote(to)}")
        client.select(to)
        after = client.ok("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])").fetched()
        assert set(after) == {1, 2}, after
        for number, row in after.items():
            assert row["INTERNALDATE"] == before[number]["INTERNALDATE"] and row["BODY[]"] == before[number]["BODY[]"], row
            assert {"\\SEEN", "WORK"} <= upper(row["FLAGS"]), row["FLAGS"]


@checks()
def copy_within_a_mailbox(aim):
    with aim.client() as client:
        name = client.fresh("self-copy", mail("a"))
        client.select(name)
        client.ok(f"COPY 1 {quote(name)}")
        client.ok("NOOP")
        assert client.uids() == [1, 2]


def subjects(client):
    rows = client.ok("FETCH 1:* (ENVELOPE)").fetched()
    return {number: text(row["ENVELOPE"][1]) for number, row in rows.items()}


@checks()
def search_keys(aim):
    with aim.client() as client:
        name = client.fresh("search")
        client.append(name, mail("apple pie", "alpha beta\r\n", x_test="one"), "(\\Seen)", '"10-Jan-2026 12:00:00 +0000"')
        client.append(name, mail("banana", "beta gamma üöä\r\n", "Zoë <zoe@example.net>", date="Mon, 05 Jan 2026 10:00:00 +0000"), "(\\Flagged Work)",
                      '"20-Jan-2026 12:00:00 +0000"')
        client.append(name, mail("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "gamma\r\n" + "x" * 3000 + "\r\n", cc="carol@example.org", to="dave@example.org"), "(\\Deleted \\Answered)",
                      '"30-Jan-2026 12:00:00 +0000"')
        client.select(name)
        table = {
            "ALL": [1, 2, 3], "SEEN": [1], "UNSEEN": [2, 3], "FLAGGED": [2], "UNFLAGGED": [1, 3], "DELETED": [3], "UNDELETED": [1, 2], "ANSWERED": [3],
            "UNANSWERED": [1, 2], "DRAFT": [], "UNDRAFT": [1, 2, 3], "KEYWORD Work": [2], "UNKEYWORD Work": [1, 3], "SUBJECT apple": [1], "SUBJECT APPLE": [1],
            "SUBJECT \"apple pie\"": [1], "FROM zoe": [2], "TO dave": [3], "CC carol": [3], "BCC x": [], "BODY beta": [1, 2], "TEXT gamma": [2, 3], "TEXT banana": [2],
            "HEADER X-Test one": [1], "HEADER X-Test \"\"": [1], "HEADER X-None \"\"": [], "LARGER 3000": [3], "SMALLER 3000": [1, 2], "BEFORE 20-Jan-2026": [1],
            "ON 20-Jan-2026": [2], "SINCE 20-Jan-2026": [2, 3], "SENTBEFORE 1-Feb-2026": [2], "SENTON 3-Feb-2026": [1, 3], "SENTSINCE 1-Feb-2026": [1, 3],
            "NOT SEEN": [2, 3], "OR SEEN FLAGGED": [1, 2], "OR (SEEN SUBJECT apple) NOT FLAGGED": [1, 3], "1:2 UNSEEN": [2], "UID 2:3 FLAGGED": [2], "*": [3],
            "SEEN FLAGGED": [], "NOT (SEEN)": [2, 3], "(OR FROM zoe SUBJECT apple) BODY beta": [1, 2], "2,3 BODY gamma": [2, 3], "BODY delta": [], "UID 100:200": [],
        }
        wrong = []
        for words, expected in table.items():
            got = client.ok(f"SEARCH {words}").numbers()
            if got != expected:
                wrong.append(f"{words}: {got}, not {expected}")
        assert not wrong, "; ".join(wrong)


@checks()
def search_with_charsets(aim):
    with aim.client() as client:
        name = client.fresh("charset", mail("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "nichts\r\n"), mail("plain", "Straße und Größe\r\n"),
                            mail("latin", "=C4rger\r\n", content_type="text/plain; charset=iso-8859-1", content_transfer_encoding="quoted-printable"),
                            mail("base", "R3LDvMOfZQ==\r\n", content_transfer_encoding="base64"))
        client.select(name)
        for words, needle, expected in (("SUBJECT", "grüße", [1]), ("BODY", "Straße", [2]), ("BODY", "ärger", [3]), ("BODY", "Grüße", [4]), ("TEXT", "GRÜSSE", None)):
            got = client.ok(f"SEARCH CHARSET UTF-8 {words} ", Literal(needle.encode())).numbers()
            assert expected is None or got == expected, f"{words} {needle}: {got}, not {expected}"
        client.command("SEARCH CHARSET X-NONE SUBJECT x").no("BADCHARSET") if aim.is_allod else client.command("SEARCH CHARSET X-NONE SUBJECT x").refused()
        client.ok("SEARCH CHARSET US-ASCII SUBJECT plain")


@checks()
def uid_search_and_fetch_beyond_the_end(aim):
    with aim.client() as client:
        name = client.fresh("beyond", mail("a"), mail("b"))
        client.select(name)
        # RFC 3501 §9: `*` is the greatest number in use, and 100:* the same as *:100.
        assert list(client.ok("UID FETCH 100:* (UID)").by_uid()) == [2]
        assert list(client.ok("FETCH 2:1 UID").by_uid()) == [1, 2]
        assert client.ok("UID SEARCH UID 100:*").numbers() == [2]
        assert not client.ok("UID FETCH 50:60 FLAGS").all("FETCH")
        client.command("FETCH 3 UID").refused()
        empty = client.fresh("empty-mailbox")
        client.select(empty)
        assert client.ok("UID FETCH 1:* FLAGS").all("FETCH") == []
        assert client.ok("SEARCH ALL").numbers() == []


@checks()
def pipelined_commands(aim):
    with aim.client() as client:
        name = client.fresh("pipeline", *[mail(str(number)) for number in range(10)])
        client.select(name)
        client.send(b"".join(b"p%d FETCH %d (UID BODY.PEEK[])\r\n" % (number, number) for number in range(1, 11)) + b"q STORE 1:10 +FLAGS (\\Seen)\r\nr NOOP\r\n")
        ended = []
        while "r" not in ended:
            one = client.receive()
            if one.tag != "*":
                assert one.name == "OK", one
                ended.append(one.tag)
        assert ended == [*(f"p{number}" for number in range(1, 11)), "q", "r"], ended


@checks()
def other_sessions_changes_come_with_noop(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("noop", mail("a"))
        client.select(name)
        other.append(name, mail("b"))
        assert client.ok("NOOP").number("EXISTS") == 2
        other.select(name)
        other.ok("STORE 1 +FLAGS (\\Flagged)")
        assert "\\FLAGGED" in upper(client.ok("NOOP").fetched()[1]["FLAGS"])
        other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        assert [one.number for one in client.ok("NOOP").all("EXPUNGE")] == [1]
        assert client.ok("CHECK") and client.uids() == [2]


@checks()
def recent_in_one_session(aim):
    if "IMAP4REV1" not in aim.announced:
        return
    with aim.client() as client:
        name = client.fresh("recent", mail("a"))
        first = client.select(name)
        with aim.client() as other:
            second = other.select(name)
            assert (first.number("RECENT") or 0) + (second.number("RECENT") or 0) <= 1, f"{first} and {second}"


@checks()
def uidvalidity_after_delete_and_create(aim):
    with aim.client() as client:
        name = client.fresh("again", mail("a"), mail("b"))
        reply = client.select(name)
        before = int(reply.codes("UIDVALIDITY")[0][0])
        client.ok("CLOSE")
        client.ok(f"DELETE {quote(name)}")
        client.ok(f"CREATE {quote(name)}")
        client.append(name, mail("c"))
        after = int(client.select(name).codes("UIDVALIDITY")[0][0])
        assert after > before or client.uids()[0] > 2, f"UIDVALIDITY {before} then {after}, and UIDs start again"


@checks()
def uids_are_never_used_again(aim):
    with aim.client() as client:
        name = client.fresh("never", mail("a"), mail("b"), mail("c"))
        client.select(name)
        client.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)")
        client.ok("EXPUNGE")
        client.append(name, mail("d"))
        client.ok("NOOP")
        assert client.uids() == [1, 4], client.uids()


@checks()
def uidvalidity_survives_rename_and_restart(aim):
    with aim.client() as client:
        name = client.fresh("lasting", mail("a"), mail("b"))
        before = client.select(name).codes("UIDVALIDITY")
        client.ok("CLOSE")
        client.ok(f"RENAME {quote(name)} {quote(name + ' renamed')}")
        after = client.select(name + " renamed")
        assert after.number("EXISTS") == 2
        if aim.is_allod:
            assert after.codes("UIDVALIDITY") == before, "a client would fetch everything again"
        stable = after.codes("UIDVALIDITY")
    if hasattr(aim.server, "stop") and aim.server.pids():
        aim.server.stop()
        aim.server.start()
        with aim.client() as client:
            assert client.select(name + " renamed").codes("UIDVALIDITY") == stable and client.uids() == [1, 2]


@checks()
def mailbox_removed_under_a_session(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("removed", mail("a"))
        client.select(name)
        other.ok(f"DELETE {quote(name)}")
        try:
            reply = client.command("FETCH 1 (UID FLAGS)")
            assert reply.status in ("OK", "NO", "BAD"), reply
            client.command("NOOP")
            client.ok("SELECT INBOX")
        except Closed:
            pass  # RFC 2180 §3.3 allows BYE as well


@checks()
def logout(aim):
    client = aim.client()
    reply = client.ok("LOGOUT")
    assert len(reply.all("BYE")) == 1, reply
    try:
        client.receive()
        raise AssertionError("the connection stays open after LOGOUT")
    except Closed:
        client.close()


@checks()
def select_leaves_the_old_mailbox(aim):
    with aim.client() as client:
        one, two = client.fresh("first", mail("a")), client.fresh("second")
        client.select(one)
        client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        client.select(two)  # RFC 3501 §6.3.1: no expunge by SELECT
        assert client.select(one).number("EXISTS") == 1


@checks()
def a_thousand_flags_and_long_sets(aim):
    with aim.client() as client:
        name = client.fresh("sets", *[mail(str(number)) for number in range(30)])
        client.select(name)
        numbers = ",".join(str(number) for number in range(1, 31) for _ in range(40))
        assert len(client.ok(f"FETCH {numbers} (UID)").fetched()) == 30
        reply = client.ok("FETCH 30:1,*,1:* (UID)")
        assert len(reply.all("FETCH")) == 30, f"a message comes once: {len(reply.all('FETCH'))}"


@checks()
def list_is_quick_to_quote(aim):
    """Names that need quotes come in quotes or as literals; the client's parser has checked the rest."""
    with aim.client() as client:
        for name in ('with "quotes"', "back\\slash", "percent % star *", "paren (x)", "brace {1}"):
            reply = client.command("CREATE ", Literal(name.encode()))
            if reply.status == "OK":
                found = names(client.ok('LIST "" "*"'))
                assert name in found, f"{name!r} not in {found}"
                client.ok("DELETE ", Literal(name.encode()))
            else:
                reply.no()


@checks("IMAP4REV2")
def rev2_enabled(aim):
    with aim.client() as client:
        reply = client.ok("ENABLE IMAP4rev2")
        assert "IMAP4REV2" in upper(reply.one("ENABLED").args), reply
        name = client.fresh("rev2", mail("a"), mail("b"))
        selected = client.select(name)
        assert selected.number("RECENT") is None, "RFC 9051 appendix E: no RECENT"
        assert len(selected.all("LIST")) == 1, f"RFC 9051 §6.3.2: LIST at SELECT: {selected}"
        assert not [one for one in selected.all("OK") if one.code and one.code[0] == "UNSEEN"]
        found = client.ok("SEARCH ALL")
        assert not found.all("SEARCH") and found.esearch().get("ALL") == "1:2", f"RFC 9051 §6.4.4: ESEARCH always: {found}"
        one = client.ok(f"STATUS {quote(name)} (MESSAGES SIZE DELETED)").one("STATUS")
        assert "DELETED" in one.args[1] and "SIZE" in one.args[1], one
        client.ok(f"CREATE {quote('Größe ' + client.tag())}")  # names are UTF-8 now
        assert any("Größe" in found for found in names(client.ok('LIST "" "*"')))
        client.ok("FETCH 1:2 (BINARY.SIZE[1] BODYSTRUCTURE)")


@checks("IMAP4REV2")
def rev2_closed_code(aim):
    with aim.client() as client:
        client.ok("ENABLE IMAP4rev2")
        one, two = client.fresh("rev2-first"), client.fresh("rev2-second")
        client.select(one)
        reply = client.select(two)
        assert reply.codes("CLOSED") == [[]], f"RFC 9051 §7.1: CLOSED between two mailboxes: {reply}"
