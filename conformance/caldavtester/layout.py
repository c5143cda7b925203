"""The layout of a server: where it keeps what the scripts call by variables, and which features it has.

`layouts/base.toml` has what all share, `layouts/SERVER.toml` the rest. A feature is `true`, or text that says why it is off.
"""
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "layouts"


class Layout:
    def __init__(self, path):
        base = tomllib.loads((FOLDER / "base.toml").read_text(encoding="utf-8"))
        own = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        self.name = Path(path).stem
        self.accounts = own.get("accounts", base["accounts"])
        self.features = {name for name, value in own["features"].items() if value is True}
        self.absent = {name: value for name, value in own["features"].items() if value is not True}
        wait = base["wait"] | own.get("wait", {})
        self.wait_count_s, self.wait_success_s, self.wait_delay_s = wait["count_s"], wait["success_s"], wait["delay_s"]
        filters = base["filters"] | own.get("filters", {})
        self.calendar_filters, self.address_filters = filters["calendar"], filters["address"]
        self.variables = base["variables"] | own.get("variables", {})
        for number in range(1, self.accounts + 1):
            self.variables |= {numbered(name, number): numbered(value, number)
                               for name, value in (base["user"] | own.get("user", {})).items()}
        self.first_login = None  # of requests that name no user: the first account

    def set_server(self, base_url, logins):
        """Fill in what is known when the server runs: `logins` is [(user, password)] of the accounts in order."""
        self.variables |= {"$host:": base_url, "$hostssl:": base_url}
        self.variables |= {f"$pswd{number}:": password for number, (_, password) in enumerate(logins, 1)}
        self.first_login = logins[0]

    def why_off(self, obstacle):
        """An obstacle (`needs X`) with the layout's reason."""
        verb, _, feature = obstacle.partition(" ")
        reason = self.absent.get(feature)
        return f"{obstacle}: {reason}" if verb == "needs" and reason else obstacle


def named(name):
    return Layout(FOLDER / f"{name}.toml")


def numbered(text, number):
    return text.replace("{nnn}", f"{number:03}").replace("{nn}", f"{number:02}").replace("{n}", str(number))
