"""SEARCH and what grew on it: ESEARCH, SEARCHRES, SORT, THREAD, WITHIN, PARTIAL."""
import re
import time

from aim import Checks, mail
from base import text
from imap import Literal, numbers_of, quote

checks = Checks("search")
run = checks.run


def filled(client, stem="search"):
    name = client.fresh(stem)
    for number in range(1, 11):
        flags = "(\\Seen)" if number % 2 == 0 else "(\\Flagged)" if number % 3 == 0 else ""
        client.append(name, mail(f"subject {number:02}", f"word{number} common\r\n"), flags, f'"{number:02}-Mar-2026 12:00:00 +0000"')
    client.select(name)
    return name


# RFC 4731

@checks("ESEARCH")
def esearch(aim):
    with aim.client() as client:
        filled(client)
        found = client.ok("SEARCH RETURN (MIN MAX COUNT ALL) SEEN").esearch()
        assert (found["MIN"], found["MAX"], found["COUNT"], numbers_of(found["ALL"])) == ("2", "10", "5", [2, 4, 6, 8, 10]), found
        assert "UID" not in found, found
        found = client.ok("UID SEARCH RETURN (COUNT) FLAGGED").esearch()
        assert found == {"UID": True, "COUNT": "2"}, found
        assert numbers_of(client.ok("SEARCH RETURN () 1:3").esearch()["ALL"]) == [1, 2, 3]
        assert client.ok("SEARCH RETURN (MIN MAX ALL COUNT) SUBJECT nothing").esearch() == {"COUNT": "0"}, "RFC 4731 §3.1: no MIN, MAX, ALL of nothing"
        assert client.ok("SEARCH RETURN (MIN) ALL").esearch() == {"MIN": "1"}
        client.command("SEARCH RETURN (FROB) ALL").bad()
        assert not client.ok("SEARCH RETURN (COUNT) ALL").all("SEARCH")


# RFC 5182

@checks("SEARCHRES")
def searchres(aim):
    with aim.client() as client:
        name = filled(client)
        reply = client.ok("SEARCH RETURN (SAVE) SEEN")
        assert not reply.all("SEARCH") and not [one for one in reply.all("ESEARCH") if "ALL" in one.args], reply
        assert list(client.ok("FETCH $ UID").fetched()) == [2, 4, 6, 8, 10]
        assert client.ok("SEARCH $ SMALLER 1000000 2:5").numbers() == [2, 4]
        client.ok("STORE $ +FLAGS.SILENT (Work)")
        assert client.ok("SEARCH KEYWORD Work").numbers() == [2, 4, 6, 8, 10]
        client.ok("UID SEARCH RETURN (SAVE MIN) FLAGGED")
        assert list(client.ok("FETCH $ UID").fetched()) == [3], "RFC 5182 §2.1: with MIN, only that one is saved"
        client.ok("SEARCH RETURN (SAVE) SUBJECT nothing")
        assert not client.ok("FETCH $ UID").fetched()
        client.ok("SEARCH RETURN (SAVE) 2:4")
        client.ok("STORE 3 +FLAGS.SILENT (\\Deleted)")
        client.ok("EXPUNGE")
        assert list(client.ok("UID FETCH $ UID").by_uid()) == [2, 4], "an expunged message leaves the result"
        client.ok("SEARCH RETURN (SAVE) 1")
        client.command("SEARCH RETURN (SAVE) CHARSET X-NONE SUBJECT x").refused()
        client.select(name)
        assert not client.ok("FETCH $ UID").fetched(), "RFC 5182 §2.1: SELECT empties it"


# RFC 5032

@checks("WITHIN")
def within(aim):
    with aim.client() as client:
        name = client.fresh("within", mail("new"))
        client.append(name, mail("old"), date='"01-Jan-2020 00:00:00 +0000"')
        client.select(name)
        assert client.ok("SEARCH YOUNGER 3600").numbers() == [1]
        assert client.ok("SEARCH OLDER 3600").numbers() == [2]
        client.command("SEARCH YOUNGER 0").refused()
        client.command("SEARCH OLDER -1").bad()


# RFC 5256

def sortable(client):
    name = client.fresh("sort")
    table = (("Re: banana", "carol@example.org", "Mon, 02 Feb 2026 10:00:00 +0000", 300, "03"), ("apple", "bob@example.org", "Wed, 04 Feb 2026 10:00:00 +0000", 100, "01"),
             ("[list] cherry (fwd)", "anna@example.org", "Tue, 03 Feb 2026 10:00:00 +0000", 200, "02"), ("Fwd: APPLE", "dave@example.org", "Mon, 02 Feb 2026 09:00:00 -0500", 400, "04"))
    for subject, sender, date, size, day in table:
        client.append(name, mail(subject, "x" * size + "\r\n", sender, date=date, to=f"{subject[:1]}@example.org", cc=f"c{size}@example.org"), date=f'"{day}-Mar-2026 12:00:00 +0000"')
    client.select(name)
    return name


@checks("SORT")
def sort(aim):
    with aim.client() as client:
        sortable(client)
        table = {"SUBJECT": [2, 4, 1, 3], "FROM": [3, 2, 1, 4], "DATE": [1, 4, 3, 2], "SIZE": [2, 3, 1, 4], "ARRIVAL": [2, 3, 1, 4], "REVERSE ARRIVAL": [4, 1, 3, 2],
                 "SUBJECT REVERSE DATE": [2, 4, 1, 3], "REVERSE SUBJECT": [3, 1, 2, 4], "CC": [2, 3, 1, 4], "REVERSE SIZE FROM": [4, 1, 3, 2]}
        wrong = [f"{key}: {got}, not {want}" for key, want in table.items() if (got := client.ok(f"SORT ({key}) UTF-8 ALL").numbers("SORT")) != want]
        assert not wrong, "; ".join(wrong)
        assert client.ok("UID SORT (SIZE) US-ASCII 2:4").numbers("SORT") == [2, 3, 4]
        assert client.ok("SORT (SIZE) UTF-8 SUBJECT nothing").numbers("SORT") == []
        assert client.ok("SORT (SUBJECT) UTF-8 SUBJECT ", Literal(b"apple")).numbers("SORT") == [2, 4]
        client.command("SORT (FROB) UTF-8 ALL").bad()
        client.command("SORT () UTF-8 ALL").bad()
        client.command("SORT (SUBJECT) X-NONE ALL").refused()
        client.command("SORT (SUBJECT) ALL").refused()


# RFC 5957

@checks("SORT=DISPLAY")
def sort_display(aim):
    with aim.client() as client:
        name = client.fresh("display", mail("a", sender="Zoe <a@example.org>"), mail("b", sender="Anna <z@example.org>"), mail("c", sender="middle@example.org"),
                            mail("d", sender="=?utf-8?Q?=C3=84rger?= <x@example.org>"))
        client.select(name)
        got = client.ok("SORT (DISPLAYFROM) UTF-8 ALL").numbers("SORT")
        assert [number for number in got if number != 4] == [2, 3, 1], got
        client.ok("SORT (REVERSE DISPLAYTO) UTF-8 ALL")


# RFC 5267

@checks("ESORT")
def esort(aim):
    with aim.client() as client:
        sortable(client)
        found = client.ok("SORT RETURN (MIN MAX COUNT ALL) (SIZE) UTF-8 ALL").esearch()
        assert (found["COUNT"], numbers_of(found["ALL"]), found["MIN"], found["MAX"]) == ("4", [2, 3, 1, 4], "2", "4"), found


# RFC 5256 §3

def threaded(client):
    name = client.fresh("thread")
    rows = (("root", None, None), ("Re: root", "root", None), ("Re: root", "one", "root"), ("other", None, None), ("Re: root", "lost", "root lost"), ("Re: other", None, None))
    for number, (subject, reply, references) in enumerate(rows):
        ids = ["<root@x>", "<one@x>", "<two@x>", "<other@x>", "<lostchild@x>", "<re@x>"]
        client.append(name, mail(subject, message_id=ids[number], in_reply_to=f"<{reply}@x>" if reply else None, date=f"Tue, 0{number + 1} Sep 2026 10:00:00 +0000",
                                 references=" ".join(f"<{word}@x>" for word in references.split()) + (f" <{reply}@x>" if reply and reply not in references else "") if references else None))
    client.select(name)
    return name


def flat(tree):
    return sorted(int(word) for word in re.findall(r"\d+", repr(tree)))


@checks("THREAD=REFERENCES")
def thread_references(aim):
    with aim.client() as client:
        threaded(client)
        one = client.ok("THREAD REFERENCES UTF-8 ALL").one("THREAD")
        tree = one.args[0] if one.args else []
        assert flat(tree) == [1, 2, 3, 4, 5, 6], f"each message once: {one}"
        first = [thread for thread in tree if "1" in repr(thread)][0]
        assert flat(first) == [1, 2, 3, 5] and first[0] == "1", one
        assert [flat(thread) for thread in tree] == [[1, 2, 3, 5], [4, 6]], one
        client.command("THREAD REFERENCES UTF-8").bad()
        client.command("THREAD FROB UTF-8 ALL").refused()
        assert flat(client.ok("UID THREAD REFERENCES UTF-8 SUBJECT other").one("THREAD").args) == [4, 6]
        none = client.ok("THREAD REFERENCES UTF-8 SUBJECT nothing")
        assert not none.all("THREAD") or none.one("THREAD").args in ([], [[]]), none


@checks("THREAD=ORDEREDSUBJECT")
def thread_orderedsubject(aim):
    with aim.client() as client:
        threaded(client)
        tree = client.ok("THREAD ORDEREDSUBJECT UTF-8 ALL").one("THREAD").args[0]
        assert [flat(thread) for thread in tree] == [[1, 2, 3, 5], [4, 6]] and tree[0][0] == "1", tree


# RFC 9394

@checks("PARTIAL")
def partial(aim):
    with aim.client() as client:
        filled(client)
        found = client.ok("UID SEARCH RETURN (PARTIAL -1:-3) ALL").esearch()
        assert found["PARTIAL"][0] == "-1:-3" and numbers_of(found["PARTIAL"][1]) == [8, 9, 10], found
        found = client.ok("SEARCH RETURN (PARTIAL 1:3 COUNT) SEEN").esearch()
        assert numbers_of(found["PARTIAL"][1]) == [2, 4, 6] and found["COUNT"] == "5", found
        found = client.ok("SEARCH RETURN (PARTIAL 4:500) SEEN").esearch()
        assert numbers_of(found["PARTIAL"][1]) == [8, 10], found
        found = client.ok("SEARCH RETURN (PARTIAL 100:200) SEEN").esearch()
        assert found["PARTIAL"][1] is None, found
        assert list(client.ok("UID FETCH 1:* (UID FLAGS) (PARTIAL -1:-2)").by_uid()) == [9, 10]
        assert list(client.ok("UID FETCH 1:* (UID FLAGS) (PARTIAL 1:2)").by_uid()) == [1, 2]
        client.command("SEARCH RETURN (PARTIAL 1:3 PARTIAL 4:6) ALL").bad()
        client.command("SEARCH RETURN (PARTIAL 1:3 ALL) ALL").bad()
        client.command("SEARCH RETURN (PARTIAL 0:3) ALL").bad()
        client.command("UID FETCH 1:* (UID) (PARTIAL -1:3)").bad()


# RFC 5267: CONTEXT=SEARCH

@checks("CONTEXT=SEARCH")
def context_search(aim):
    with aim.client() as client, aim.client() as other:
        name = filled(client)
        reply = client.ok("SEARCH RETURN (UPDATE ALL) FLAGGED")
        tag = reply.tagged.tag
        other.select(name)
        other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
        told = client.ok("NOOP")
        added = [one for one in told.all("ESEARCH") if "ADDTO" in one.args]
        assert added and added[0].args[0][1] == tag.encode(), told
        client.ok(f"CANCELUPDATE {quote(tag)}")


# RFC 6203

@checks("SEARCH=FUZZY")
def fuzzy(aim):
    with aim.client() as client:
        filled(client)
        client.ok("SEARCH FUZZY SUBJECT subject")
        client.command("SEARCH FUZZY").bad()


# RFC 7377

@checks("MULTISEARCH")
def multisearch(aim):
    with aim.client() as client:
        name = filled(client)
        reply = client.ok(f"ESEARCH IN (mailboxes {quote(name)}) RETURN (COUNT ALL) FLAGGED")
        one = reply.one("ESEARCH")
        words = [text(word) if not isinstance(word, list) else [text(piece) for piece in word] for word in one.args]
        assert "MAILBOX" in [word.upper() for word in words[0]] and name in words[0], one


# Speed that everybody notices

@checks()
def search_text_finds_words_in_encoded_bodies(aim):
    with aim.client() as client:
        encoded = mail("b64", "VGhpcyBpcyBhIHNlY3JldCB3b3JkOiBwb211Y2hlbHM=\r\n", content_transfer_encoding="base64")
        parts = mail("html", '--x\r\nContent-Type: text/plain\r\n\r\nnothing\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>splen<b>did</b> krambambuli</p>\r\n--x--\r\n',
                     content_type='multipart/alternative; boundary="x"')
        name = client.fresh("words", encoded, parts, mail("third", "plain\r\n"))
        client.select(name)
        assert client.ok("SEARCH BODY pomuchels").numbers() == [1]
        assert client.ok("SEARCH TEXT krambambuli").numbers() == [2]
        assert client.ok("SEARCH TEXT third").numbers() == [3]
        assert client.ok("SEARCH BODY lai").numbers() == [3], "part of a word is found, too (RFC 3501 §6.4.4: substring)"
        client.append(name, mail("fourth", "brandnewword\r\n"))
        assert client.ok("SEARCH BODY brandnewword").numbers() in ([4], []) and client.ok("NOOP")
        deadline = time.monotonic() + 5
        while client.ok("SEARCH BODY brandnewword").numbers() != [4]:
            assert time.monotonic() < deadline, "a new message is not found"
