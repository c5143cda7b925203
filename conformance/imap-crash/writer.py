"""One connection's two mailboxes: what they must hold by everything that was acknowledged, and what was in flight at the kill.

A state maps a mailbox to {UID: (number of the message, flags)}. An operation that was not acknowledged has happened as a whole or not at all; a
server that is not allod (`is_whole` False) may have done a part of it.
"""
import random

import mails
from imap import Imap, Literal, numbers_of, quote

KEYWORDS = ("\\Flagged", "\\Answered", "Work", "$Label1", "Later")
SEEDS = 1_000_000  # so many messages to a writer


class Writer:
    def __init__(self, number, seed, is_whole=True):
        self.number, self.random, self.is_whole = number, random.Random(f"{seed}:{number}"), is_whole
        self.boxes = (f"writer-{number}-a", f"writer-{number}-b")
        self.state = {box: {} for box in self.boxes}
        self.serial = number * SEEDS
        self.used = {box: {} for box in self.boxes}  # every UID ever seen and its message
        self.validity = {}
        self.modseq = dict.fromkeys(self.boxes, 0)
        self.flying, self.acknowledged, self.refused = None, 0, []

    def prepare(self, client):
        for box in self.boxes:
            client.ok(f"CREATE {quote(box)}")

    def work(self, server, stop):
        """Operations one after the other until the server is gone."""
        try:
            with_client = Imap(server, timeout=20).login()
            while not stop.is_set():
                self.step(with_client)
        except (OSError, ConnectionError):
            return
        except AssertionError as error:
            if not stop.is_set():
                self.refused.append(str(error)[:300])

    def step(self, client):
        box, other = self.random.sample(self.boxes, 2)
        roll = self.random.random()
        uids = sorted(self.state[box])
        if roll < 0.45 or len(uids) < 5:
            self.append(client, box)
            return
        if client.selected != box:
            reply = client.select(box, "(CONDSTORE)")
            client.selected = box
            self.notice(box, reply)
        chosen = self.random.sample(uids, self.random.randrange(1, 5))
        if roll < 0.70:
            self.store(client, box, chosen)
        elif roll < 0.82:
            self.transfer(client, "MOVE", box, other, chosen)
        elif roll < 0.90:
            self.transfer(client, "COPY", box, other, chosen)
        else:
            self.expunge(client, box, chosen)

    def notice(self, box, reply):
        for code in reply.codes("HIGHESTMODSEQ"):
            self.modseq[box] = max(self.modseq[box], int(code[0]))

    def done(self, box, reply):
        self.notice(box, reply)
        for row in reply.fetched().values():
            if "MODSEQ" in row:
                self.modseq[box] = max(self.modseq[box], int(row["MODSEQ"][0]))
        self.flying = None
        self.acknowledged += 1

    def append(self, client, box):
        numbers = [self.serial + at for at in range(self.random.choice((1, 1, 1, 3)))]
        self.serial += len(numbers)
        flags = frozenset(self.random.sample(KEYWORDS, self.random.randrange(3)))
        self.flying = ("append", box, [(number, flags) for number in numbers])
        parts = []
        for number in numbers:
            parts += [f" ({' '.join(flags)}) ", Literal(mails.message(number), plus=self.random.random() < 0.5)]
        reply = client.ok(f"APPEND {quote(box)}", *parts)
        uids = numbers_of(reply.code[2])
        assert len(uids) == len(numbers), f"APPENDUID: {reply}"
        for uid, number in zip(uids, numbers, strict=True):
            self.enter(box, uid, number, flags)
        self.done(box, reply)

    def enter(self, box, uid, number, flags):
        known = self.used[box].get(uid)
        assert known in (None, number), f"{box}: UID {uid} was message {known} and is {number}"
        self.used[box][uid] = number
        self.state[box][uid] = (number, flags)

    def store(self, client, box, chosen):
        flag, is_on = self.random.choice(KEYWORDS), self.random.random() < 0.6
        after = {uid: (self.state[box][uid][0], self.state[box][uid][1] | {flag} if is_on else self.state[box][uid][1] - {flag}) for uid in chosen}
        self.flying = ("store", box, after)
        silent = ".SILENT" if self.random.random() < 0.5 else ""
        reply = client.ok(f"UID STORE {','.join(map(str, chosen))} {'+' if is_on else '-'}FLAGS{silent} ({flag})")
        self.state[box].update(after)
        self.done(box, reply)

    def transfer(self, client, verb, box, other, chosen):
        self.flying = (verb, box, other, chosen)
        reply = client.ok(f"UID {verb} {','.join(map(str, chosen))} {quote(other)}")
        code = reply.codes("COPYUID")[0]
        for old, new in zip(numbers_of(code[1]), numbers_of(code[2]), strict=True):
            self.enter(other, new, *self.state[box][old])
            if verb == "MOVE":
                del self.state[box][old]
        self.done(box, reply)

    def expunge(self, client, box, chosen):
        words = ",".join(map(str, chosen))
        marked = {uid: (self.state[box][uid][0], self.state[box][uid][1] | {"\\Deleted"}) for uid in chosen}
        self.flying = ("store", box, marked)
        reply = client.ok(f"UID STORE {words} +FLAGS.SILENT (\\Deleted)")
        self.state[box].update(marked)
        self.done(box, reply)
        self.flying = ("expunge", box, chosen)
        reply = client.ok(f"UID EXPUNGE {words}")
        for uid in chosen:
            del self.state[box][uid]
        self.done(box, reply)

    # Afterwards

    def verify(self, client):
        """Compare what is there with what must be; settles what was in flight. A list of what is wrong."""
        wrong, found = [], {}
        for box in self.boxes:
            reply = client.select(box, "(CONDSTORE)")
            validity, highest = reply.codes("UIDVALIDITY")[0], int(reply.codes("HIGHESTMODSEQ")[0][0])
            following = int(reply.codes("UIDNEXT")[0][0])
            if self.validity.setdefault(box, validity) != validity:
                wrong.append(f"{box}: UIDVALIDITY was {self.validity[box]} and is {validity}")
            if highest < self.modseq[box]:
                wrong.append(f"{box}: MODSEQ was {self.modseq[box]} and is {highest}")
            rows = client.ok("UID FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[])").by_uid() if reply.number("EXISTS") else {}
            found[box] = {}
            for uid, row in rows.items():
                number = self.recognise(row["BODY[]"])
                if number is None:
                    wrong.append(f"{box}: UID {uid} has bytes that were never sent: {row['BODY[]'][:60]!r}")
                    continue
                found[box][uid] = (number, frozenset(flag for flag in row["FLAGS"] if flag.lower() != "\\recent"))
                if self.used[box].setdefault(uid, number) != number:
                    wrong.append(f"{box}: UID {uid} was message {self.used[box][uid]} and is {number}: a UID was used again")
            if self.used[box] and following <= max(self.used[box]):
                wrong.append(f"{box}: UIDNEXT {following} is not beyond {max(self.used[box])}")
            self.modseq[box] = max(highest, self.modseq[box])
        if not wrong:
            wrong += self.compare(found)
        self.state, self.flying = found, None
        return wrong

    @staticmethod
    def recognise(data):
        at = data.find(b"Message-ID: <7.")
        digits = data[at + 15:data.find(b".", at + 15)]
        return int(digits) if at >= 0 and digits.isdigit() and mails.message(int(digits)) == data else None

    def compare(self, found):
        """What differs, beyond what the operation in flight explains."""
        if found == self.state or any(found == after for after in self.outcomes(found)):
            return []
        excused = self.touched() if not self.is_whole else set()
        wrong = []
        for box in self.boxes:
            want, got = self.state[box], found[box]
            for uid in sorted(set(want) | set(got)):
                number = (want.get(uid) or got.get(uid))[0]
                if want.get(uid) != got.get(uid) and number not in excused:
                    wrong.append(f"{box}: UID {uid} must be {want.get(uid)} and is {got.get(uid)}")
        return [f"in flight {self.flying}; " + "; ".join(wrong[:4])] if wrong else []

    def outcomes(self, found):
        """The states that the operation in flight may have led to; UIDs that it gave are taken from what is found."""
        if self.flying is None:
            return
        kind, box = self.flying[0], self.flying[1]
        after = {name: dict(rows) for name, rows in self.state.items()}
        if kind == "append":
            fresh = {uid: row for uid, row in found[box].items() if uid not in after[box]}
            if sorted(map(repr, fresh.values())) == sorted(map(repr, self.flying[2])):
                after[box].update(fresh)
                yield after
        elif kind == "store":
            after[box].update(self.flying[2])
            yield after
        elif kind == "expunge":
            for uid in self.flying[2]:
                del after[box][uid]
            yield after
        else:
            other, chosen = self.flying[2], self.flying[3]
            fresh = {uid: row for uid, row in found[other].items() if uid not in after[other]}
            if sorted(map(repr, fresh.values())) == sorted(repr(after[box][uid]) for uid in chosen):
                after[other].update(fresh)
                if kind == "MOVE":
                    for uid in chosen:
                        del after[box][uid]
                yield after

    def touched(self):
        """Numbers of the messages that the operation in flight was about."""
        if self.flying is None:
            return set()
        if self.flying[0] == "append":
            return {number for number, _ in self.flying[2]}
        if self.flying[0] == "store":
            return {number for number, _ in self.flying[2].values()}
        chosen = self.flying[-1]
        return {self.state[self.flying[1]][uid][0] for uid in chosen}
