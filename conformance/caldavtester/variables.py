"""`$name:` substitutions, as the scripts write them.

Two tables: what the layout of the server says, and what a run has grabbed so far; a grabbed value never hides one of the
layout. Dates relative to today (`$now.year.1:`) are fixed when the run starts, so that midnight changes nothing.
"""
import datetime
import re
import uuid
from urllib.parse import urlsplit

NAME = re.compile(r"\$[_a-zA-Z][_a-zA-Z0-9\-]*:")
NOW = re.compile(r"\$now\.(?:(year|month|week)\.)?(-?\d+):")
UIDS = 20  # $uid1: to $uid20:
DEPTH_MAX = 20  # of values that name other values


class Variables:
    def __init__(self, table):
        self.table = dict(table)
        self.grabbed = {}
        self.today = datetime.date.today()

    def fill(self, text, own=None):
        """The text with everything known put in; `own` are substitutions of one request body."""
        text = NOW.sub(self.date, text)
        while "$uidrandom:" in text:
            text = text.replace("$uidrandom:", str(uuid.uuid4()), 1)
        tables = [self.table, self.grabbed, *([own] if own else [])]
        for table in tables:
            text = expand(text, table)
        return text

    def date(self, match):
        unit, offset = match.group(1), int(match.group(2))
        if unit == "year":
            return str(self.today.year + offset)
        if unit == "month":
            years, month = divmod(self.today.month + offset - 1, 12)
            return f"{self.today.year + years}{month + 1:02}"
        return (self.today + datetime.timedelta(days=offset * (7 if unit == "week" else 1))).strftime("%Y%m%d")

    def grab(self, variable, value):
        """Keep a value for later. The variable may be wrapped in a function of the value: basename(), urlpath()."""
        if variable.startswith("basename("):
            variable, value = variable[len("basename("):-1], value.rstrip("/").rpartition("/")[2]
        elif variable.startswith("urlpath("):
            variable, value = variable[len("urlpath("):-1], urlsplit(value).path
        self.grabbed[variable] = value

    def renew_uids(self):
        """Each script gets UIDs of its own, so that nothing collides with what another left behind."""
        self.grabbed |= {f"$uid{number}:": str(uuid.uuid4()) for number in range(1, UIDS + 1)}


def expand(text, table):
    for _ in range(DEPTH_MAX):
        if "$" not in text:
            break
        done = NAME.sub(lambda match: table.get(match.group(0), match.group(0)), text)
        if done == text:
            break
        text = done
    return text
