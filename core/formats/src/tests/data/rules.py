"""Writes rules.tsv: random recurrence rules with what python-dateutil makes of them.

Usage: python3 rules.py > rules.tsv. Left out is where dateutil goes its own way: BYWEEKNO without a day, BYSETPOS in
the first week of a weekly rule, COUNT where DTSTART is no occurrence.
"""
import datetime
import itertools
import random
import signal

from dateutil.rrule import rrulestr

random.seed(5545)
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
FREQUENCIES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]


def some(values, most):
    return ",".join(str(v) for v in sorted(random.sample(list(values), random.randint(1, most))))


def signed(most):
    return [v for v in range(-most, most + 1) if v]


def rule():
    freq = random.choice(FREQUENCIES)
    parts = ["FREQ=" + freq]
    level = FREQUENCIES.index(freq)
    chance = lambda p: random.random() < p
    interval = random.choice([1, 1, 1, 2, 3, 4, 5, 7, 10, 13]) * (random.choice([1, 10, 60]) if level > 4 else 1)
    if interval > 1:
        parts.append(f"INTERVAL={interval}")
    if chance(0.3):
        parts.append("BYMONTH=" + some(range(1, 13), 4))
    week = level == 0 and chance(0.15)
    if week:
        parts.append("BYWEEKNO=" + some(signed(53), 4))
    if chance(0.45) or week:
        if level <= 1 and not week and chance(0.5):
            most = 5 if level == 1 or any(p.startswith("BYMONTH") for p in parts) else 53
            days = {f"{random.choice(signed(most))}{random.choice(DAYS)}" for _ in range(random.randint(1, 3))}
            parts.append("BYDAY=" + ",".join(sorted(days)))
        else:
            parts.append("BYDAY=" + some(DAYS, 4))
    if chance(0.25) and freq != "WEEKLY":
        parts.append("BYMONTHDAY=" + some(signed(31), 6))
    if chance(0.12) and freq not in ("DAILY", "WEEKLY", "MONTHLY"):
        parts.append("BYYEARDAY=" + some(signed(366), 12))
    if chance(0.25):
        parts.append("BYHOUR=" + some(range(24), 4))
    if chance(0.2):
        parts.append("BYMINUTE=" + some(range(60), 5))
    if chance(0.15):
        parts.append("BYSECOND=" + some(range(60), 4))
    wkst = "MO"
    if chance(0.3):
        wkst = random.choice(DAYS)
        parts.append("WKST=" + wkst)
    position = len(parts) > 2 and chance(0.2)
    if position:
        parts.append("BYSETPOS=" + some(signed(random.choice([2, 5, 40])), 3))
    return freq, parts, wkst, position


def results(text, start, most):
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        return list(itertools.islice(rrulestr(text, dtstart=start), most))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def late(*_):
    raise TimeoutError


signal.signal(signal.SIGALRM, late)
form = lambda t: t.strftime("%Y%m%dT%H%M%S")
written = 0
while written < 2500:
    freq, parts, wkst, position = rule()
    start = datetime.datetime(random.randint(1970, 2030), random.randint(1, 12), random.randint(1, 28),
                              random.randint(0, 23), random.choice([0, 15, 30, 59]), 0)
    if freq == "WEEKLY" and position:
        start -= datetime.timedelta(days=(start.weekday() - DAYS.index(wkst)) % 7)
    try:
        found = results(";".join(parts), start, 7)
        if random.random() < 0.4 and found and found[0] == start:
            if random.random() < 0.5:
                parts.append(f"COUNT={random.randint(1, 9)}")
            else:
                until = random.choice(found) + datetime.timedelta(seconds=random.choice([-1, 0, 1]))
                if until >= start:
                    parts.append("UNTIL=" + form(until))
            found = results(";".join(parts), start, 7)
    except (TimeoutError, ValueError):
        continue
    print(form(start), ";".join(parts), " ".join(form(t) for t in found), sep="\t")
    written += 1
