"""What tells a client of changes: IDLE, NOTIFY, CONDSTORE, QRESYNC."""
import time

from aim import Checks, mail
from base import text, upper
from imap import Closed, numbers_of, quote

checks = Checks("sync")
run = checks.run
IDLE_MS_MAX = 1000


# RFC 2177

@checks("IDLE")
def idle_tells_of_everything(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("idle", mail("a"), mail("b"))
        other.select(name)
        client.select(name)
        tag = client.idle()
        started = time.monotonic()
        other.append(name, mail("c"))
        assert client.wait_for(lambda one: one.name == "EXISTS").number == 3
        other.ok("STORE 1 +FLAGS (\\Flagged)")
        one = client.wait_for(lambda one: one.name == "FETCH" and one.number == 1)
        assert "\\FLAGGED" in upper(one.args[0][one.args[0].index("FLAGS") + 1]), one
        other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        assert client.wait_for(lambda one: one.name == "EXPUNGE").number == 2
        assert (time.monotonic() - started) * 1000 < 3 * IDLE_MS_MAX + 500, "slow"
        client.done(tag).ok()
        assert client.ok("UID SEARCH ALL").numbers() == [1, 3]


@checks("IDLE")
def idle_takes_done_only(aim):
    with aim.client() as client:
        client.select("INBOX")
        tag = client.idle()
        client.send(b"done\r\n")  # in any case
        client.finish(tag).ok()
        tag = client.idle()
        client.send(b"z NOOP\r\n")
        try:
            one = client.receive()
            assert one.name in ("BAD", "BYE") or one.tag == tag, one
        except Closed:
            pass


@checks("IDLE")
def idle_without_a_mailbox(aim):
    with aim.client() as client:
        reply = client.tag()
        client.send(f"{reply} IDLE\r\n".encode())
        one = client.receive()
        if one.tag == "+":
            client.done(reply).ok()


@checks("IDLE")
def idle_and_copy_and_move(aim):
    with aim.client() as client, aim.client() as other:
        name, source = client.fresh("idle-to"), client.fresh("idle-from", mail("a"), mail("b"))
        client.select(name)
        tag = client.idle()
        other.select(source)
        other.ok(f"COPY 1 {quote(name)}")
        assert client.wait_for(lambda one: one.name == "EXISTS").number == 1
        if aim.has("MOVE"):
            other.ok(f"MOVE 2 {quote(name)}")
            assert client.wait_for(lambda one: one.name == "EXISTS").number == 2
        client.done(tag).ok()


# RFC 7162

def modseq(row):
    return int(row["MODSEQ"][0])


@checks("CONDSTORE")
def condstore(aim):
    with aim.client() as client:
        name = client.fresh("condstore", mail("a"), mail("b"), mail("c"))
        reply = client.select(name, "(CONDSTORE)")
        highest = int(reply.codes("HIGHESTMODSEQ")[0][0])
        rows = client.ok("FETCH 1:3 (UID MODSEQ)").fetched()
        assert max(map(modseq, rows.values())) <= highest and min(map(modseq, rows.values())) >= 1, rows
        stored = client.ok("STORE 2 +FLAGS (\\Flagged)").fetched()[2]
        assert modseq(stored) > highest, f"RFC 7162 §3.1.3: MODSEQ comes with STORE: {stored}"
        silent = client.ok("STORE 3 +FLAGS.SILENT (\\Flagged)").fetched()
        assert "MODSEQ" in silent.get(3, {}), f"RFC 7162 §3.1.3: even with .SILENT: {silent}"
        assert modseq(silent[3]) > modseq(stored)
        changed = client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {highest})").fetched()
        assert set(changed) == {2, 3} and all("MODSEQ" in row for row in changed.values()), changed
        assert not client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq(silent[3])})").fetched()
        one = client.ok(f"STATUS {quote(name)} (HIGHESTMODSEQ)").one("STATUS")
        assert int(one.args[1][1]) >= modseq(silent[3]), one
        found = client.ok(f"SEARCH MODSEQ {modseq(stored)}").one("SEARCH")
        assert [word for word in found.args if not isinstance(word, list)] == ["2", "3"] and found.args[-1][0] == "MODSEQ", found
        assert int(found.args[-1][1]) == modseq(silent[3]), found
        nothing = client.ok("SEARCH MODSEQ 99999999").one("SEARCH")
        assert nothing.args == [], f"RFC 7162 §3.1.5: no MODSEQ with nothing found: {nothing}"


@checks("CONDSTORE")
def unchangedsince(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("unchanged", mail("a"), mail("b"), mail("c"))
        client.select(name, "(CONDSTORE)")
        other.select(name)
        rows = client.ok("FETCH 1:3 (MODSEQ)").fetched()
        known = max(map(modseq, rows.values()))
        other.ok("STORE 2 +FLAGS (\\Seen)")
        reply = client.command(f"STORE 1:3 (UNCHANGEDSINCE {known}) +FLAGS.SILENT (\\Flagged)")
        code = reply.codes("MODIFIED")
        assert code and numbers_of(code[0][0]) == [2], f"RFC 7162 §3.1.3: {reply}"
        flags = {number: upper(row["FLAGS"]) for number, row in client.ok("FETCH 1:3 FLAGS").fetched().items()}
        assert "\\FLAGGED" in flags[1] and "\\FLAGGED" not in flags[2] and "\\FLAGGED" in flags[3], flags
        reply = client.command("UID STORE 2 (UNCHANGEDSINCE 1) FLAGS (\\Draft)")
        assert numbers_of(reply.codes("MODIFIED")[0][0]) == [2], reply
        reply = client.command("STORE 1 (UNCHANGEDSINCE 0) FLAGS ($Label9)")
        assert reply.codes("MODIFIED") or "$LABEL9" not in upper(client.ok("FETCH 1 FLAGS").fetched()[1]["FLAGS"]), reply
        client.command("STORE 1 (UNCHANGEDSINCE x) FLAGS (\\Seen)").bad()


@checks("CONDSTORE")
def modseq_comes_without_being_asked(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("unasked", mail("a"))
        client.select(name, "(CONDSTORE)")
        other.select(name)
        other.ok("STORE 1 +FLAGS (\\Flagged)")
        told = client.ok("NOOP").fetched()[1]
        assert "MODSEQ" in told, f"RFC 7162 §3.2.4: {told}"
        other.ok("STORE 1 -FLAGS (\\Flagged)")


@checks("CONDSTORE")
def modseq_is_the_same_for_everybody_and_lasts(aim):
    with aim.client() as client, aim.client() as other:
        name = client.fresh("lasting", mail("a"), mail("b"))
        client.select(name, "(CONDSTORE)")
        other.select(name, "(CONDSTORE)")
        client.ok("STORE 1 +FLAGS (\\Seen)")
        client.ok("STORE 1 -FLAGS (\\Seen)")
        assert client.ok("FETCH 1:2 MODSEQ").fetched() == {number: {"MODSEQ": row["MODSEQ"]} for number, row in other.ok("FETCH 1:2 (FLAGS MODSEQ)").fetched().items()}
        before = int(client.ok(f"STATUS {quote(name)} (HIGHESTMODSEQ)").one("STATUS").args[1][1])
    if aim.server.pids():
        aim.server.stop()
        aim.server.start()
        with aim.client() as client:
            reply = client.select(name, "(CONDSTORE)")
            assert int(reply.codes("HIGHESTMODSEQ")[0][0]) >= before, f"{before} before a restart, then {reply}"


@checks("QRESYNC")
def qresync(aim):
    with aim.client() as client, aim.client() as other:
        name = other.fresh("qresync", *[mail(str(number)) for number in range(8)])
        first = other.select(name, "(CONDSTORE)")
        validity, known = int(first.codes("UIDVALIDITY")[0][0]), int(first.codes("HIGHESTMODSEQ")[0][0])
        other.ok("STORE 2 +FLAGS (\\Flagged)")
        other.ok("STORE 3,5,6 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        other.append(name, mail("new"))
        client.command(f"SELECT {quote(name)} (QRESYNC ({validity} {known}))").bad()  # RFC 7162 §3.2.3: ENABLE first
        client.ok("ENABLE QRESYNC")
        reply = client.select(name, f"(QRESYNC ({validity} {known} 1:8))")
        gone = [number for one in reply.all("VANISHED") for number in numbers_of(one.args[-1])]
        assert gone == [3, 5, 6] and all(one.args[0] == ["EARLIER"] for one in reply.all("VANISHED")), reply
        rows = reply.by_uid()
        assert 2 in rows and "\\FLAGGED" in upper(rows[2]["FLAGS"]) and 1 not in rows and "MODSEQ" in rows[2], rows
        assert reply.number("EXISTS") == 6
        reply = client.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known} VANISHED)")
        assert [number for one in reply.all("VANISHED") for number in numbers_of(one.args[-1])] == [3, 5, 6], reply
        assert set(reply.by_uid()) >= {2, 9} and 1 not in reply.by_uid(), reply
        client.command(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {known} VANISHED)").bad()  # RFC 7162 §3.2.6: UID FETCH alone
        client.command("UID FETCH 1:* (FLAGS) (VANISHED)").bad()
        other.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        told = client.ok("NOOP")
        assert not told.all("EXPUNGE") and [numbers_of(one.args[-1]) for one in told.all("VANISHED")] == [[1]], f"RFC 7162 §3.2.10: VANISHED, no EXPUNGE: {told}"
        client.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)")
        told = client.ok("EXPUNGE")
        assert [numbers_of(one.args[-1]) for one in told.all("VANISHED")] == [[2]] and told.codes("HIGHESTMODSEQ"), f"RFC 7162 §3.2.7: {told}"


@checks("QRESYNC")
def qresync_with_another_uidvalidity(aim):
    with aim.client() as client:
        name = client.fresh("other-validity", mail("a"), mail("b"))
        client.ok("ENABLE QRESYNC")
        reply = client.select(name, "(QRESYNC (1 1 1:100))")
        assert not reply.all("VANISHED") and not reply.all("FETCH"), f"RFC 7162 §3.2.5.1: ignored: {reply}"
        validity = int(reply.codes("UIDVALIDITY")[0][0])
        reply = client.select(name, f"(QRESYNC ({validity} 1))")
        assert reply.number("EXISTS") == 2
        # A token from long ago or from the future: an answer, not an error; nothing known is lost.
        reply = client.select(name, f"(QRESYNC ({validity} 1 1:2))")
        reply = client.select(name, f"(QRESYNC ({validity} 999999999 1:2 (1,2 1,2)))")
        assert reply.number("EXISTS") == 2
        client.command(f"SELECT {quote(name)} (QRESYNC ({validity}))").bad()
        if aim.is_allod:
            client.command(f"SELECT {quote(name)} (QRESYNC (0 1))").bad()


@checks("QRESYNC")
def qresync_closed(aim):
    with aim.client() as client:
        one, two = client.fresh("closed-1"), client.fresh("closed-2")
        client.ok("ENABLE QRESYNC")
        client.select(one)
        reply = client.select(two)
        assert reply.codes("CLOSED") == [[]], f"RFC 7162 §3.2.11: {reply}"


@checks("QRESYNC")
def close_and_expunge_tell_the_modseq(aim):
    with aim.client() as client:
        name = client.fresh("close-modseq", mail("a"))
        client.ok("ENABLE QRESYNC")
        client.select(name)
        client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        client.ok("CLOSE")
        reply = client.select(name)
        assert reply.number("EXISTS") == 0


# RFC 5465

@checks("NOTIFY")
def notify(aim):
    with aim.client() as client, aim.client() as other:
        name, watched = client.fresh("notify"), client.fresh("notify-other")
        client.select(name)
        client.ok(f"NOTIFY SET (SELECTED-DELAYED (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (MAILBOXES {quote(watched)} (MessageNew MessageExpunge))")
        other.append(watched, mail("x"))
        one = client.wait_for(lambda one: one.name == "STATUS" and text(one.args[0]) == watched)
        assert "MESSAGES" in one.args[1], one
        other.append(name, mail("y"))
        client.wait_for(lambda one: one.name == "EXISTS")
        client.wait_for(lambda one: one.name == "FETCH" and "UID" in one.args[0])
        client.ok("NOTIFY NONE")
        other.append(watched, mail("z"))
        assert not [one for one in client.quiet(0.5) if one.name == "STATUS"], "NOTIFY NONE"
        client.command("NOTIFY SET (SELECTED (FrobEvent))").refused()
        client.command("NOTIFY FROB").bad()


@checks("NOTIFY")
def notify_of_mailboxes(aim):
    with aim.client() as client, aim.client() as other:
        reply = client.command("NOTIFY SET (PERSONAL (MailboxName SubscriptionChange))")
        if reply.status == "NO":
            assert reply.code and reply.code[0] == "BADEVENT", reply
            return
        name = other.fresh("notified")
        client.wait_for(lambda one: one.name == "LIST" and text(one.args[2]) == name)
        other.ok(f"RENAME {quote(name)} {quote(name + ' new')}")
        client.wait_for(lambda one: one.name == "LIST" and text(one.args[2]) == name + " new")
