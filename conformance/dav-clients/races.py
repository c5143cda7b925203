"""Many clients at once: every condition has one winner, a UID is in a calendar once, and a mirror kept by sync-collection misses nothing."""
import random
import threading
import time

import dav
from aim import propfind, put
from aim import report as ask
from objects import card, event

RACERS, ROUNDS, ROUNDS_SMALL = 8, 12, 4
WRITERS, WRITING_S, WRITING_SMALL_S = 4, 8, 3


def run(report, aim):
    rounds = ROUNDS_SMALL if aim.small else ROUNDS
    calendar, book = aim.calendar("race"), aim.book("race")
    with report.test("races/one-name-if-none-match"):
        for turn in range(rounds):
            path = f"{calendar}new-{turn}.ics"
            replies = at_once(aim, lambda wire, number, path=path, turn=turn: put(wire, path, event(f"race-{turn}", f"By {number}"), If_None_Match="*"))
            one_winner(replies, (412,))
            assert winner_of(replies) in aim.wire().request("GET", raw=path).body, "not the winner's content"
    with report.test("races/one-state-if-match"):
        for turn in range(rounds):
            path = f"{calendar}new-{turn}.ics"
            etag = aim.wire().request("GET", raw=path).want(200).headers["etag"]
            # New to all: who writes the same bytes again may leave the ETag as it is, and the next one wins as well.
            replies = at_once(aim, lambda wire, number, path=path, turn=turn, etag=etag: put(wire, path, event(f"race-{turn}", f"Changed by {number}"), If_Match=etag))
            one_winner(replies, (412,))
    for kind, collection, make, element in (("event", calendar, event, "C:no-uid-conflict"), ("card", book, card, "CARD:no-uid-conflict")):
        with report.test(f"races/one-uid-many-names/{kind}"):
            for turn in range(rounds):
                end = "ics" if kind == "event" else "vcf"
                replies = at_once(aim, lambda wire, number, turn=turn, end=end, make=make, collection=collection: put(
                    wire, f"{collection}uid-{turn}-{number}.{end}", make(f"race-uid-{turn}", f"By {number}"), If_None_Match="*"))
                # RFC 4791 §5.3.2.1: the refusal names the rule; RFC 4918 §16 wants 403 or 409 for it.
                one_winner(replies, (403, 409, 412))
                members = [href for href in propfind(aim.wire(), collection, "D:getetag", depth="1").members() if f"uid-{turn}-" in href]
                assert len(members) == 1, f"one UID is stored {len(members)} times: {members}"
                bad = [reply.body[:150] for _, reply in replies if reply.status in (403, 409) and element not in dav.error_elements(reply.body)]
                assert not bad or not aim.is_allod, f"refused without {element}: {bad[0]!r}"
    with report.test("races/one-calendar-many-makers"):
        for turn in range(rounds):
            path = f"{aim.server.calendars}race-made-{turn}/"
            replies = at_once(aim, lambda wire, number, path=path: wire.request("MKCALENDAR", headers=dav.XML, raw=path,
                                                                              body=dav.mkcalendar(f"<D:displayname>By {number}</D:displayname>")))
            one_winner(replies, (403, 405, 409))
    mirror(report, aim)


def at_once(aim, act):
    """[(number, reply)] of so many clients that send in the same moment."""
    wires, replies, start = [aim.wire() for _ in range(RACERS)], [], threading.Barrier(RACERS)

    def race(number):
        wires[number].request("PROPFIND", headers={**dav.XML, "Depth": "0"}, body=dav.propfind("D:resourcetype"), raw=aim.server.principal)
        start.wait()
        replies.append((number, act(wires[number], number)))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == RACERS, f"{RACERS - len(replies)} got no answer"
    return replies


def one_winner(replies, refusals):
    statuses = sorted(reply.status for _, reply in replies)
    assert sum(status in (200, 201, 204) for status in statuses) == 1, f"not one winner: {statuses}"
    assert all(status in (200, 201, 204, *refusals) for status in statuses), f"statuses {statuses}"


def winner_of(replies):
    return next(f"By {number}" for number, reply in replies if reply.status in (200, 201, 204)).encode()


def mirror(report, aim):
    """Writers change events at random while a reader keeps a mirror; when they are done, it is the truth."""
    calendar, stop, broken = aim.calendar("mirror"), threading.Event(), []

    def write(seed):
        wire, chance = aim.wire(), random.Random(seed)
        while not stop.is_set():
            number = chance.randrange(30)
            path = f"{calendar}{seed}-{number}.ics"
            if chance.random() < 0.7:
                reply = put(wire, path, event(f"mirror-{seed}-{number}", f"{chance.random()}"))
            else:
                reply = wire.request("DELETE", raw=path)
            if reply.status >= 500:
                broken.append(reply.status)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(WRITERS)]
    members, token, wire, turns = {}, "", aim.wire(), 0

    def follow():
        nonlocal token
        while True:
            answer = ask(wire, calendar, dav.sync_collection(token, "D:getetag", limit=20 if aim.is_allod else None), depth="0")
            more = False
            for row in answer.rows:
                if row.status and " 507" in row.status:
                    more = True
                elif row.status and " 404" in row.status:
                    members.pop(row.href, None)
                else:
                    members[row.href] = row.text("D:getetag")
            token = answer.sync_token
            if not more:
                return

    with report.test("races/mirror-while-writing"):
        for writer in writers:
            writer.start()
        try:
            deadline = time.monotonic() + (WRITING_SMALL_S if aim.small else WRITING_S)
            while time.monotonic() < deadline:
                follow()
                turns += 1
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        follow()
        truth = {href: row.text("D:getetag") for href, row in propfind(aim.wire(), calendar, "D:getetag", depth="1").members().items()}
        wrong = [href for href in set(truth) | set(members) if truth.get(href) != members.get(href)]
        assert not broken, f"errors of the server: {broken[:5]}"
        assert not wrong, f"after {turns} reports {len(wrong)} of {len(truth)} differ: {[(h, members.get(h), truth.get(h)) for h in wrong[:3]]}"
