"""python-caldav, the library that most scripts use: principals, calendars, events, tasks, journals, searches, free-busy, sync tokens."""
import datetime
import os
import sys
from pathlib import Path

from objects import event, lines, series, todo

from harness import install
from harness.report import Skip

PACKAGES = ("caldav==3.6.0", "caldav-server-tester==1.7.0", "vobject==0.9.9")
UTC = datetime.timezone.utc


def load():
    """The library from its own environment; this process keeps its interpreter."""
    [site] = (install.venv("caldav", *PACKAGES) / "lib").glob("python*/site-packages")
    if f"python{sys.version_info.major}.{sys.version_info.minor}" != site.parent.name:
        raise Skip(f"the environment was made by {site.parent.name}")
    sys.path.append(str(site))
    import caldav
    return caldav


def run(report, aim):
    os.environ["CALDAV_CONFIG_FILE"] = str(Path(os.devnull))
    caldav = load()
    client = caldav.DAVClient(url=aim.url + "/", username=aim.server.user, password=aim.server.password)
    with report.test("caldav/principal"):
        me = client.principal()
        assert me.url.path.rstrip("/") == aim.server.principal.rstrip("/"), f"{me.url}"
    me = client.principal()
    with report.test("caldav/home-and-calendars"):
        assert me.calendars(), "no calendar at all"
        kinds = {one.url.path for one in me.calendars()}
        assert not [path for path in kinds if path.rstrip("/").endswith(("inbox", "outbox"))], f"scheduling collections among {kinds}"
    cal = calendars(report, me)
    searches(report, caldav, cal)
    tasks_and_journals(report, cal)
    recurrence(report, cal)
    syncing(report, cal)
    scheduling(report, caldav, aim, me)
    with report.test("caldav/delete-calendar"):
        before = len(me.calendars())
        cal.delete()
        assert len(me.calendars()) == before - 1


def calendars(report, me):
    """Creation, renaming, deletion; a calendar to go on with."""
    cal = me.make_calendar(name="Bibliothek", cal_id="caldav-lib")
    with report.test("caldav/make-calendar"):
        assert cal.get_display_name() == "Bibliothek", cal.get_display_name()
        assert me.calendar(name="Bibliothek").url == cal.url, "not found by its name"
    with report.test("caldav/rename-calendar"):
        from caldav.elements import dav as elements
        from caldav.elements import ical
        cal.set_properties([elements.DisplayName("Umbenannt ✓"), ical.CalendarColor("#00ff00")])
        got = cal.get_properties([elements.DisplayName(), ical.CalendarColor()])
        assert got["{DAV:}displayname"] == "Umbenannt ✓" and got["{http://apple.com/ns/ical/}calendar-color"].startswith("#00ff00"), got
    with report.test("caldav/make-a-calendar-twice"):
        try:
            me.make_calendar(name="Second", cal_id="caldav-lib")
        except Exception:  # noqa: BLE001: which error depends on the version
            pass
        assert cal.get_display_name() == "Umbenannt ✓", "a second MKCALENDAR changed the first calendar"
    with report.test("caldav/supported-components"):
        only = me.make_calendar(name="Tasks only", cal_id="caldav-tasks", supported_calendar_component_set=["VTODO"])
        assert only.get_supported_components() == ["VTODO"], only.get_supported_components()
        only.delete()
    return cal


def searches(report, caldav, cal):
    cal.save_event(event("lib-1", "Frühstück mit Ada", "20261201T080000Z", "20261201T090000Z", "CATEGORIES:Family,Food", "LOCATION:Küche").decode())
    cal.save_event(event("lib-2", "Lunch", "20261215T120000Z", "20261215T130000Z", "CATEGORIES:Work", "CLASS:PRIVATE").decode())
    cal.save_event(event("lib-3", "New Year", "20270101T000000Z", "20270101T010000Z", "STATUS:CANCELLED").decode())
    day = datetime.datetime

    def titles(**words):
        return sorted(str(one.icalendar_component["SUMMARY"]) for one in cal.search(event=True, **words))

    with report.test("caldav/search-range"):
        assert titles(start=day(2026, 12, 1, tzinfo=UTC), end=day(2027, 1, 1, tzinfo=UTC)) == ["Frühstück mit Ada", "Lunch"]
    with report.test("caldav/search-range-edges"):
        # RFC 4791 §9.9: an event that ends when the range starts is outside, one that starts when it ends, too.
        assert titles(start=day(2026, 12, 1, 9, tzinfo=UTC), end=day(2026, 12, 15, 12, tzinfo=UTC)) == []
        assert titles(start=day(2026, 12, 1, 8, 59, tzinfo=UTC), end=day(2026, 12, 15, 12, 1, tzinfo=UTC)) == ["Frühstück mit Ada", "Lunch"]
    with report.test("caldav/search-text"):
        assert titles(summary="unch") == ["Lunch"]
        assert titles(location="Küche") == ["Frühstück mit Ada"]
        assert titles(summary="nowhere") == []
    with report.test("caldav/search-category"):
        assert titles(category="Food") == ["Frühstück mit Ada"], titles(category="Food")
    with report.test("caldav/search-undefined"):
        assert titles(no_class=True) == ["Frühstück mit Ada", "New Year"], titles(no_class=True)
    with report.test("caldav/object-by-uid"):
        assert "Lunch" in cal.get_event_by_uid("lib-2").data
        try:
            cal.get_event_by_uid("lib-none")
            raise AssertionError("an event that is not there was found")
        except caldav.error.NotFoundError:
            pass
    with report.test("caldav/change-and-reload"):
        one = cal.get_event_by_uid("lib-2")
        one.icalendar_component["SUMMARY"] = "Dinner"
        one.save()
        one.load()
        assert "Dinner" in one.data and titles(summary="Dinner") == ["Dinner"] and titles(summary="Lunch") == []
    with report.test("caldav/same-uid-is-overwritten-not-doubled"):
        cal.save_event(event("lib-2", "Supper", "20261215T180000Z", "20261215T190000Z").decode())
        assert len([one for one in cal.events() if one.id == "lib-2"]) == 1
    with report.test("caldav/delete-event"):
        cal.get_event_by_uid("lib-3").delete()
        assert "New Year" not in titles()


def tasks_and_journals(report, cal):
    with report.test("caldav/todos"):
        cal.save_todo(todo("lib-todo-1", "Open", "DUE:20261220T120000Z", "PRIORITY:1").decode())
        cal.save_todo(todo("lib-todo-2", "Done", "STATUS:COMPLETED", "COMPLETED:20261101T120000Z").decode())
        assert sorted(one.id for one in cal.todos()) == ["lib-todo-1"]
        assert sorted(one.id for one in cal.todos(include_completed=True)) == ["lib-todo-1", "lib-todo-2"]
    with report.test("caldav/complete-a-todo"):
        cal.get_todo_by_uid("lib-todo-1").complete()
        assert cal.todos() == []
    with report.test("caldav/todo-by-due-date"):
        cal.save_todo(todo("lib-todo-3", "Due only", "DUE:20280115T120000Z").decode())
        found = cal.search(todo=True, start=datetime.datetime(2028, 1, 1, tzinfo=UTC), end=datetime.datetime(2028, 2, 1, tzinfo=UTC), include_completed=True)
        assert "lib-todo-3" in [one.id for one in found], [one.id for one in found]
    with report.test("caldav/journals"):
        cal.save_journal(lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VJOURNAL", "UID:lib-journal", "DTSTAMP:20261124T120000Z",
                               "DTSTART;VALUE=DATE:20261124", "SUMMARY:Dear diary", "END:VJOURNAL", "END:VCALENDAR").decode())
        assert [one.id for one in cal.journals()] == ["lib-journal"]


def recurrence(report, cal):
    exception = ("BEGIN:VEVENT", "UID:lib-series", "DTSTAMP:20261124T120000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20261109T090000",
                 "DTSTART;TZID=Europe/Berlin:20261110T140000", "DURATION:PT1H", "SUMMARY:Moved", "END:VEVENT")
    cal.save_event(series("lib-series", "FREQ=WEEKLY;COUNT=6", "Reihe", "20261102T090000", "EXDATE;TZID=Europe/Berlin:20261116T090000", after=exception).decode())
    start, end = datetime.datetime(2026, 11, 1, tzinfo=UTC), datetime.datetime(2026, 12, 1, tzinfo=UTC)
    with report.test("caldav/expand-by-the-server"):
        found = cal.search(event=True, start=start, end=end, server_expand=True, uid="lib-series")
        starts = sorted(one["DTSTART"].dt.astimezone(UTC).strftime("%m%dT%H") for got in found for one in got.icalendar_instance.walk("VEVENT"))
        assert starts == ["1102T08", "1110T13", "1123T08", "1130T08"], starts
    with report.test("caldav/expand-has-no-rules-left"):
        found = cal.search(event=True, start=start, end=end, server_expand=True, uid="lib-series")
        text = "".join(one.data for one in found)
        # RFC 4791 §9.6.5: expanded instances have neither RRULE nor time zones.
        assert "RRULE" not in text and "VTIMEZONE" not in text and "RECURRENCE-ID" in text, text[:400]
    with report.test("caldav/range-in-the-moved-occurrence"):
        found = cal.search(event=True, start=datetime.datetime(2026, 11, 10, 13, tzinfo=UTC), end=datetime.datetime(2026, 11, 10, 14, tzinfo=UTC))
        assert [one.id for one in found] == ["lib-series"]
        gone = cal.search(event=True, start=datetime.datetime(2026, 11, 16, 7, tzinfo=UTC), end=datetime.datetime(2026, 11, 16, 10, tzinfo=UTC))
        assert gone == [], "found by an occurrence that EXDATE takes out"
    with report.test("caldav/free-busy"):
        busy = cal.freebusy_request(start, end)
        text = str(busy.data if hasattr(busy, "data") else busy)
        assert "20261110T130000Z" in text and "20261109T080000Z" not in text, text[:600]


def syncing(report, cal):
    with report.test("caldav/sync-token"):
        first = cal.objects_by_sync_token(load_objects=True)
        count = len(list(first))
        added = cal.save_event(event("lib-sync", "Synced").decode())
        update, removed = first.sync()
        assert [one.id or "lib-sync" for one in update] and not list(removed), (list(update), list(removed))
        assert len(list(first.objects)) == count + 1
        added.delete()
        update, removed = first.sync()
        assert not list(update) and len(list(removed)) == 1, (list(update), list(removed))
    with report.test("caldav/sync-token-quiet"):
        quiet = cal.objects_by_sync_token(load_objects=False)
        token = quiet.sync_token
        update, removed = quiet.sync()
        assert not list(update) and not list(removed) and quiet.sync_token == token, "the token moved though nothing changed"


def scheduling(report, caldav, aim, me):
    """Alice invites Bob, who accepts; both copies know of it."""
    with report.test("caldav/scheduling"):
        if not me.client.supports_scheduling():
            raise Skip("the server does not announce calendar-auto-schedule")
        assert me.calendar_user_address_set(), "no calendar address"
        assert me.schedule_inbox().url and me.schedule_outbox().url
    if not me.client.supports_scheduling() or "bob" not in aim.server.logins or not aim.server.has_login:
        return
    user, password = aim.server.logins["bob"]
    bob = caldav.DAVClient(url=aim.url + "/", username=user, password=password).principal()
    cal = me.make_calendar(name="Invitations", cal_id="caldav-invitations")
    invitation = event("lib-invitation", "Besprechung", "20261210T100000Z", "20261210T110000Z", "ORGANIZER:mailto:alice@example.com",
                       "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.com", "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com").decode()

    def of_bob():
        return [one for one in (found for calendar in bob.calendars() for found in calendar.events()) if "lib-invitation" in one.data]

    with report.test("caldav/invitation-arrives"):
        cal.save_event(invitation)
        assert len(of_bob()) == 1, f"{len(of_bob())} copies in the calendars of the invited"
    with report.test("caldav/reply-arrives"):
        [his] = of_bob()
        his.change_attendee_status(attendee="mailto:bob@example.com", PARTSTAT="ACCEPTED")
        his.save()
        mine = next(one for one in cal.events() if one.id == "lib-invitation")
        unfolded = mine.data.replace("\r\n ", "").replace("\n ", "")
        assert "PARTSTAT=ACCEPTED" in next(row for row in unfolded.splitlines() if "bob@example.com" in row), unfolded
    with report.test("caldav/change-arrives"):
        mine = next(one for one in cal.events() if one.id == "lib-invitation")
        mine.icalendar_component["SUMMARY"] = "Besprechung, neu"
        mine.save()
        assert any("Besprechung\\, neu" in one.data for one in of_bob()), [one.data for one in of_bob()]
    with report.test("caldav/cancellation-arrives"):
        next(one for one in cal.events() if one.id == "lib-invitation").delete()
        left = of_bob()
        assert not left or "STATUS:CANCELLED" in left[0].data, left[0].data
    cal.delete()
