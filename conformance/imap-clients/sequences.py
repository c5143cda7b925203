"""What clients that cannot run here send, command by command, and what keeps each of them going.

From their sources (K-9 Mail and FairEmail, Geary), from logs that their users published (Apple Mail, iOS, Outlook, Gmail's app), and from what server
authors learned of them. Where a client would stop, show an error or fetch everything anew, the check says so.
"""
import time

from aim import Checks, mail
from base import names, rows, text, upper
from imap import Literal, numbers_of, quote

checks = Checks("sequences")
run = checks.run
SPECIAL = {"\\SENT", "\\DRAFTS", "\\TRASH", "\\JUNK", "\\ARCHIVE"}


def login(client, aim):
    return client.ok(f"LOGIN {quote(aim.server.user)} {quote(aim.server.password)}")


@checks()
def apple_mail(aim):
    """macOS Mail: ID before login, AUTHENTICATE PLAIN in one line where that is announced, LSUB beside LIST, STATUS of every mailbox, BODY.PEEK of many headers."""
    with aim.client() as helper:
        box = helper.fresh("apple", *[mail(f"apple {number}") for number in range(30)])
    with aim.stranger() as client:
        client.ok("CAPABILITY")
        if aim.has("ID"):
            client.ok('ID ("name" "Mac OS X Mail" "version" "16.0 (3776.700.51)" "os" "Mac OS X" "os-version" "14.5 (23F79)" "vendor" "Apple Inc.")').one("ID")
        client.authenticate_plain(aim.server.user, aim.server.password).ok() if aim.has("SASL-IR") else login(client, aim)
        client.ok("CAPABILITY")
        if aim.has("NAMESPACE"):
            assert client.ok("NAMESPACE").one("NAMESPACE").args[0], "without a personal namespace it shows nothing"
        assert "INBOX" in {name.upper() for name in names(client.ok('LIST "" "*"'))}
        client.ok('LSUB "" "*"')
        if aim.has("SPECIAL-USE"):
            found = set().union(*rows(client.ok('LIST "" "*" RETURN (SPECIAL-USE)')).values())
            assert found >= {"\\SENT", "\\DRAFTS", "\\TRASH", "\\JUNK"}, found
        if aim.has("ENABLE") and aim.has("CONDSTORE"):
            client.ok("ENABLE CONDSTORE")
        for name in names(client.ok('LIST "" "%"')):
            client.ok(f"STATUS {quote(name)} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN{' HIGHESTMODSEQ' if aim.has('CONDSTORE') else ''})").one("STATUS")
        client.select(box, "(CONDSTORE)" if aim.has("CONDSTORE") else "")
        assert len(client.ok("UID FETCH 1:* (FLAGS UID)").by_uid()) == 30
        head = ("INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (date subject from to cc message-id in-reply-to references content-type x-priority x-uniform-type-identifier "
                "x-universally-unique-identifier list-id list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash authentication-results dkim-signature)] BODYSTRUCTURE")
        found = client.ok(f"UID FETCH 1:30 ({head})").by_uid()
        assert len(found) == 30 and all(any(key.startswith("BODY[HEADER.FIELDS") for key in row) for row in found.values())
        client.ok("UID FETCH 5 (BODY.PEEK[HEADER] BODY.PEEK[1]<0.16384>)")
        client.ok("UID STORE 5 +FLAGS.SILENT (\\Seen $NotJunk NotJunk JunkRecorded)")
        client.append("Drafts", mail("draft", x_apple_mail_remote_attachments="YES"), "(\\Seen \\Draft $NotJunk)")
        client.ok("UID COPY 6 Trash")
        client.ok("UID STORE 6 +FLAGS.SILENT (\\Deleted)")
        client.ok("UID EXPUNGE 6" if aim.has("UIDPLUS") else "EXPUNGE")
        tag = client.idle()
        client.done(tag).ok()


@checks()
def ios_mail(aim):
    """iOS: LIST with SPECIAL-USE, SELECT with CONDSTORE or QRESYNC, headers newest first, a thousand at a time, MOVE, and IDLE only for a moment."""
    with aim.client() as helper:
        box = helper.fresh("ios", *[mail(f"ios {number}", "text\r\n" * 50) for number in range(40)])
    with aim.stranger() as client:
        if aim.has("ID"):
            client.ok('ID ("name" "iPhone Mail" "version" "21F90" "os" "iOS" "os-version" "17.5.1 (21F90)")')
        login(client, aim)
        if aim.has("SPECIAL-USE"):
            assert len(set().union(*rows(client.ok('LIST "" "*" RETURN (SPECIAL-USE)')).values()) & SPECIAL) >= 4
        if aim.has("QRESYNC"):
            assert "QRESYNC" in upper(client.ok("ENABLE QRESYNC CONDSTORE").one("ENABLED").args)
        reply = client.select(box)
        state = (reply.codes("UIDVALIDITY")[0][0], (reply.codes("HIGHESTMODSEQ") or [["1"]])[0][0])
        assert client.ok("UID SEARCH 1:40 NOT DELETED").all("SEARCH") or aim.has("ESEARCH")
        found = client.ok("FETCH 21:40 (BODYSTRUCTURE ENVELOPE FLAGS INTERNALDATE RFC822.SIZE UID)").by_uid()
        assert sorted(found) == list(range(21, 41))
        row = client.ok("UID FETCH 40 (BODY.PEEK[1]<0.100>)").by_uid()[40]
        assert len(row["BODY[1]<0>"]) == 100
        if aim.has("MOVE"):
            client.ok("UID MOVE 40 Trash")
        client.ok("UID STORE 39 +FLAGS.SILENT (\\Flagged)")
        client.ok("CLOSE")
        if aim.has("QRESYNC"):
            reply = client.select(box, f"(QRESYNC ({state[0]} {state[1]} 1:40))")
            assert [number for one in reply.all("VANISHED") for number in numbers_of(one.args[-1])] == [40] and list(reply.by_uid()) == [39], reply


@checks()
def outlook_2016(aim):
    """Outlook for Windows: AUTH LOGIN or LOGIN, XLIST only where announced, LSUB, whole messages by UID, headers by RFC822.HEADER, expunge by EXPUNGE."""
    with aim.client() as helper:
        box = helper.fresh("outlook", *[mail(f"outlook {number}") for number in range(12)])
        helper.ok(f"SUBSCRIBE {quote(box)}")
    with aim.stranger() as client:
        client.ok("CAPABILITY")
        login(client, aim)
        client.ok("CAPABILITY")
        assert box in names(client.ok('LSUB "" "*"'), "LSUB"), "it shows subscribed folders only"
        client.ok('LIST "" ""')
        client.ok('LIST "" "INBOX"')
        client.select(box)
        assert len(client.ok("UID FETCH 1:* (UID FLAGS)").by_uid()) == 12
        found = client.ok("UID FETCH 1:12 (UID RFC822.SIZE RFC822.HEADER FLAGS INTERNALDATE)").by_uid()
        assert all(row["RFC822.HEADER"].endswith(b"\r\n\r\n") for row in found.values())
        whole = client.ok("UID FETCH 3 (UID RFC822.SIZE BODY.PEEK[])").by_uid()[3]
        assert len(whole["BODY[]"]) == int(whole["RFC822.SIZE"])
        client.ok("UID STORE 3 +FLAGS (\\Seen \\Answered)")
        client.ok("UID STORE 4 -FLAGS.SILENT (\\Seen)")
        client.ok('UID COPY 4 "Trash"')
        client.ok("UID STORE 4 +FLAGS (\\Deleted)")
        assert client.ok("EXPUNGE").all("EXPUNGE")
        client.append("Sent", mail("sent by Outlook"), "(\\Seen)")
        client.ok("NOOP")
        client.ok("CHECK")
        client.ok("CLOSE")


@checks()
def k9_mail(aim):
    """K-9 Mail and Thunderbird for Android: COMPRESS, ID, NAMESPACE, extended LIST where SPECIAL-USE is announced, small batches, UID MOVE, IDLE with a refresh."""
    with aim.client() as helper:
        box = helper.fresh("k9", *[mail(f"k9 {number}") for number in range(25)])
        helper.ok(f"SUBSCRIBE {quote(box)}")
    with aim.stranger() as client:
        client.authenticate_plain(aim.server.user, aim.server.password).ok() if aim.has("SASL-IR") else login(client, aim)
        client.ok("CAPABILITY")
        if aim.has("COMPRESS=DEFLATE"):
            assert client.compress().status == "OK"
        if aim.has("ID"):
            client.ok('ID ("name" "K-9 Mail" "version" "6.800")')
        if aim.has("NAMESPACE"):
            client.ok("NAMESPACE")
        if aim.has("LIST-EXTENDED"):
            reply = client.ok('LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)')
            assert box in names(reply), f"it shows subscribed folders: {names(reply)}"
            assert len(set().union(*rows(reply).values()) & SPECIAL) >= 4, "without uses it asks the person for each folder"
        client.select(box)
        found = client.ok("UID SEARCH 1:* NOT DELETED").numbers()
        assert len(found) == 25
        words = ",".join(map(str, found[:10]))
        client.ok(f"UID FETCH {words} (UID FLAGS)")
        reply = client.ok(f"UID FETCH {words} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc reply-to message-id references in-reply-to "
                          "list-unsubscribe sender X-K9mail-Identity Chat-Version)])").by_uid()
        assert len(reply) == 10
        client.ok(f"UID FETCH {found[0]} (UID BODYSTRUCTURE)")
        client.ok(f"UID FETCH {found[0]} (UID BODY.PEEK[])")
        client.ok(f"UID STORE {words} +FLAGS.SILENT (\\Seen)")
        if aim.has("MOVE"):
            assert client.ok(f"UID MOVE {found[3]} \"Archive\"").codes("COPYUID")
        assert client.ok("UID SEARCH HEADER MESSAGE-ID ", Literal(b"<nothing@here>", plus=aim.has("LITERAL+|LITERAL-"))).numbers() == []
        tag = client.idle()
        time.sleep(0.2)
        client.done(tag).ok()
        tag = client.idle()
        client.done(tag).ok()


@checks()
def fairemail(aim):
    """FairEmail (Jakarta Mail): FETCH by UID of profiles, ENVELOPE, BODYSTRUCTURE, UID SEARCH by date, UTF-8 search with a literal, APPEND with APPENDUID, keywords."""
    with aim.client() as helper:
        box = helper.fresh("fair", *[mail(f"fair {number}") for number in range(10)])
    with aim.stranger() as client:
        client.ok("CAPABILITY")
        login(client, aim)
        if aim.has("ID"):
            client.ok('ID ("name" "FairEmail" "version" "1.2180")')
        assert client.ok('LIST "" "*"').all("LIST")
        client.ok('LSUB "" "*"')
        client.select(box)
        client.ok("UID FETCH 1:10 (ENVELOPE INTERNALDATE RFC822.SIZE FLAGS BODYSTRUCTURE UID BODY.PEEK[HEADER.FIELDS (Message-ID Disposition-Notification-To Auto-Submitted)])")
        client.ok("UID SEARCH OR SINCE 1-Jan-2026 FLAGGED ALL")
        client.ok("UID SEARCH CHARSET UTF-8 OR OR FROM ", Literal("größe".encode()), " SUBJECT ", Literal("größe".encode()), " BODY ", Literal("größe".encode()))
        client.ok("FETCH 10 (BODY.PEEK[HEADER])")
        client.ok("UID STORE 2 +FLAGS ($Forwarded $MDNSent)")
        client.append("Sent", mail("sent"), "(\\Seen)", '"24-Nov-2026 12:00:00 +0100"')
        client.ok("FETCH 1:* UID")
        client.ok("NOOP")
        client.ok("CLOSE")


@checks()
def gmail_app(aim):
    """Gmail's app for Android with an IMAP account: no extension is taken for granted, LIST and STATUS, dates by SEARCH SINCE, structure first, then parts."""
    with aim.client() as helper:
        box = helper.fresh("gmail", *[mail(f"gmail {number}") for number in range(10)])
    with aim.stranger() as client:
        client.ok("CAPABILITY")
        if aim.has("ID"):
            client.ok('ID ("name" "com.google.android.gm" "os" "android" "os-version" "14; UP1A" "vendor" "Google" "x-android-device-model" "Pixel" "AGUID" "x")')
        login(client, aim)
        assert "INBOX" in names(client.ok('LIST "" "*"'))
        client.select(box)
        found = client.ok("UID SEARCH 1:* SINCE 01-Jan-2020").numbers()
        assert len(found) == 10
        client.ok(f"UID FETCH {found[0]}:{found[-1]} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE SUBJECT FROM CONTENT-TYPE TO CC MESSAGE-ID)])")
        client.ok(f"UID FETCH {found[0]} (UID BODYSTRUCTURE)")
        client.ok(f"UID FETCH {found[0]} (UID BODY.PEEK[1])")
        client.ok(f"UID STORE {found[0]} +FLAGS.SILENT (\\SEEN)")
        client.ok(f'UID COPY {found[0]} "Trash"')
        client.ok(f"UID STORE {found[0]} +FLAGS.SILENT (\\DELETED)")
        client.ok("EXPUNGE")


@checks()
def geary_and_evolution(aim):
    """GNOME's: LIST RETURN (SPECIAL-USE) once SPECIAL-USE is announced, pipelined FETCHes by UID, QRESYNC (Evolution), BODY.PEEK of HEADER alone."""
    with aim.client() as helper:
        box = helper.fresh("gnome", *[mail(f"gnome {number}") for number in range(20)])
    with aim.stranger() as client:
        login(client, aim)
        if aim.has("SPECIAL-USE"):
            client.ok('LIST "" "%" RETURN (SPECIAL-USE)')
        if aim.has("LIST-STATUS"):
            client.ok('LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY))')
        if aim.has("QRESYNC"):
            client.ok("ENABLE CONDSTORE QRESYNC")
        client.select(box)
        client.send(b"g1 UID FETCH 1:10 (FLAGS)\r\ng2 UID FETCH 11:20 (FLAGS)\r\ng3 UID FETCH 1:20 BODY.PEEK[HEADER]\r\n")
        ended, fetched = [], 0
        while len(ended) < 3:
            one = client.receive()
            fetched += one.name == "FETCH"
            if one.tag != "*":
                assert one.name == "OK", one
                ended.append(one.tag)
        assert fetched == 40 and ended == ["g1", "g2", "g3"], (fetched, ended)


@checks()
def thunderbird_by_hand(aim):
    """Thunderbird: five connections, the long HEADER.FIELDS list over the whole folder, UID MOVE with IDLE before and after it, keywords for tags."""
    with aim.client() as helper:
        box = helper.fresh("bird", *[mail(f"bird {number}") for number in range(50)])
    clients = [aim.client() for _ in range(5)]
    try:
        for client in clients:
            if aim.has("LIST-EXTENDED"):
                client.ok('LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)')
            client.select(box, "(CONDSTORE)" if aim.has("CONDSTORE") else "")
        first, second = clients[:2]
        found = first.ok("UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Resent-Message-ID Subject Date Message-ID Priority X-Priority References Newsgroups "
                         "In-Reply-To Content-Type Reply-To)])").by_uid()
        assert len(found) == 50
        tags = [(client, client.idle()) for client in clients[1:]]
        first.ok("UID STORE 7 +FLAGS ($Label1)")
        second.wait_for(lambda one: one.name == "FETCH" and one.number == 7)
        if aim.has("MOVE"):
            first.ok('UID MOVE 8 "Archive"')
            assert second.wait_for(lambda one: one.name == "EXPUNGE").number == 8
        for client, tag in tags:
            client.done(tag).ok()
        assert text(second.ok("FETCH 7 FLAGS").fetched()[7]["FLAGS"][0])
    finally:
        for client in clients:
            client.close()


@checks()
def imapsync(aim):
    """imapsync, which brings accounts in: Message-ID headers of all, APPEND with date and flags, ten at a time, and the sizes compared."""
    with aim.client() as client:
        box = "imapsync/old/folder " + client.tag() + str(time.monotonic_ns())
        client.ok(f"CREATE {quote(box)}")
        client.ok(f"SUBSCRIBE {quote(box)}")
        for number in range(10):
            client.append(box, mail(f"migrated {number}"), "(\\Seen $Forwarded)", f'"{number + 1:02}-Feb-2019 01:02:03 +0100"')
        client.select(box, examine=True)
        found = client.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").by_uid()
        assert len(found) == 10 and all(b"Feb-2019" in row["INTERNALDATE"] for row in found.values())
