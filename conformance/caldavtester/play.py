"""Play a script: send its requests, check the answers, keep what later requests need.

Everything that a script does to a server goes through `Player.perform`. The methods that are none of HTTP's (DELETEALL,
GETNEW, WAITCOUNT …) are in `pseudo.py`, what is taken out of answers in `grab.py`.
"""
import re
import time
import uuid

import grab
import pseudo
import verify
from answers import Mismatch, said


class Player:
    """Runs scripts against a started server that has the accounts they use."""

    def __init__(self, client, layout, variables, checkout, furnish=lambda: None):
        """`furnish` makes the default collections that are not there."""
        self.client, self.layout, self.variables, self.checkout = client, layout, variables, checkout
        self.furnish = furnish
        self.found_uri = None  # of the last GETNEW, FINDNEW, GETOTHER, GETCONTAINS
        self.found_before = set()
        self.to_delete = []
        self.trace = ""

    def play(self, script, is_chosen, report):
        """Run the chosen tests of a script. `report(name, None or what went wrong, trace)` hears of each of them."""
        self.found_before, self.to_delete = set(), []
        self.variables.grabbed.clear()
        self.variables.renew_uids()
        obstacle = self.start(script)
        for suite in script.suites:
            if suite.renews_uids:
                self.variables.renew_uids()
            for test in suite.tests:
                if is_chosen(test):
                    self.trace = ""
                    why = obstacle or self.run_test(test)
                    report(test.name, why, self.trace)
        self.finish(script)

    def start(self, script):
        """None, or why the script cannot be run: each of its first requests must succeed."""
        for number, request in enumerate(script.start, 1):
            self.trace = ""
            try:
                answer = self.perform(request, is_checked=False)
            except Mismatch as error:
                return f"start request {number} ({request.method}): {error}"
            except OSError as error:
                return f"start request {number} ({request.method}): {type(error).__name__}: {error}"
            if answer is not None and answer.status // 100 != 2:
                uri = self.variables.fill(request.uris[0]) if request.uris else ""
                return f"start request {number} ({request.method} {uri}) got {answer.status}{said(answer)}"
            if request.method == "DELETE":
                # Apple's server makes a default collection anew when it is deleted, and the scripts count on that.
                self.furnish()
        return None

    def finish(self, script):
        for uri, request in self.to_delete:
            self.plain(request, "DELETE", uri)
        for request in script.end:
            try:
                self.perform(request, is_checked=False)
            except (Mismatch, OSError):
                pass  # cleaning up after a test that failed may fail too

    def run_test(self, test):
        try:
            for round_ in range(1, test.count + 1):
                for request in test.requests:
                    self.run_request(request, round_)
        except Mismatch as error:
            return str(error)
        except Exception as error:  # noqa: BLE001: a broken answer fails its test, not the run
            return f"{type(error).__name__}: {error}"
        return None

    def run_request(self, request, round_):
        """One request of a test; with `wait-for-success` again and again, until it succeeds or time is up."""
        until = time.monotonic() + (self.layout.wait_success_s if request.waits_for_success else 0)
        while True:
            try:
                if request.iterates:
                    self.iterate(request, round_)
                else:
                    self.perform(request, round_=round_)
            except Mismatch:
                if time.monotonic() >= until:
                    raise
                time.sleep(self.layout.wait_delay_s)
            else:
                return

    def iterate(self, request, round_):
        folder = self.checkout / request.body.filepath
        for path in sorted(item for item in folder.iterdir() if not item.name.startswith(".")):
            try:
                self.perform(request, round_=round_, file=path)
            except Mismatch as error:
                raise Mismatch(f"{path.name}: {error}") from None

    def perform(self, request, is_checked=True, round_=1, file=None):
        """Send one request as the script has it; the answer, or None where there is none. Raises Mismatch."""
        if request.features.obstacle(self.layout.features):
            return None
        method, uri, is_href = pseudo.resolve(self, request)
        if method is None:
            return None
        if not is_href:
            uri = self.real_uri(uri if uri is not None else (request.uris[0] if request.uris else ""), round_)
        if request.is_deleted_at_end:
            self.to_delete.append((uri, request))
        fields = {name: self.variables.fill(value) for name, value in request.headers}
        body = self.body(request, round_, file)
        if body is not None:
            fields["Content-Type"] = request.body.content_type
        answer = self.send(method, uri, fields, body, request, is_quoted=request.is_quoted and not is_href)
        complaints = self.complaints(request, uri, answer) if is_checked else []
        # Values are kept even of an answer that is wrong, so that one fault does not bring down all that follows.
        complaints += grab.from_answer(self, request.grabs, answer)
        if complaints:
            raise Mismatch(" || ".join(complaints))
        return answer

    def complaints(self, request, uri, answer):
        """What the checks of the request say against the answer."""
        found = []
        for item in request.verifies:
            if item.features.obstacle(self.layout.features):
                continue
            args = {name: [self.variables.fill(value) for value in values] for name, values in item.args.items()}
            try:
                verify.run(item, verify.Check(answer, uri, args, self.layout, self.variables, self.checkout))
            except Mismatch as error:
                found.append(f"{request.method} {uri}: {item.callback}: {error}")
        return found

    def send(self, method, uri, fields, body, request, is_quoted=True):
        """`request` says who asks."""
        login = None
        if request.has_login:
            user, password = self.variables.fill(request.user), self.variables.fill(request.password)
            login = (user, password) if user else self.layout.first_login
            if user == self.variables.fill("$useradmin:"):
                login = self.owner_of(uri) or login
        answer = self.client.request(method, uri, {"User-Agent": "allod-caldavtester", **fields}, body, login, is_quoted)
        self.trace += self.client.last
        return answer

    def is_home(self, uri):
        return any(self.variables.fill(f"${kind}{number}:").rstrip("/") == uri.rstrip("/")
                   for number in range(1, self.layout.accounts + 1) for kind in ("calendarhome", "addressbookhome"))

    def owner_of(self, uri):
        """The login of the account that a path belongs to: it stands in for Apple's administrator, who may do everything."""
        for number in range(1, self.layout.accounts + 1):
            for home in (f"$calendarhome{number}:", f"$addressbookhome{number}:", f"$principaluri{number}:"):
                if (uri.rstrip("/") + "/").startswith(self.variables.fill(home).rstrip("/") + "/"):
                    return self.variables.fill(f"$userid{number}:"), self.variables.fill(f"$pswd{number}:")
        return None

    def plain(self, request, method, uri, fields=None, body=None):
        """A request of the runner's own, made as the user of `request`."""
        return self.send(method, uri, fields or {}, body, request)

    def real_uri(self, text, round_):
        """`**` stands for a name that nobody has, `##` for the number of the round; not in a query."""
        uri = self.variables.fill(text)
        path, question, query = uri.partition("?")
        path = path.replace("**", str(uuid.uuid4())) if "**" in path else path.replace("##", str(round_))
        return path + question + query

    def body(self, request, round_, file):
        if request.body is None:
            return None
        path = file or (self.checkout / request.body.filepath if request.body.filepath else None)
        text = path.read_bytes().decode("utf-8", "surrogateescape") if path else ""
        self.variables.grabbed["$request_count:"] = str(round_)
        own = {name: self.variables.fill(value) for name, value in request.body.substitutions.items()}
        text = self.variables.fill(text, own)
        if request.body.is_generated and request.body.content_type.startswith("text/calendar"):
            text = self.renewed(text, round_)
        return text.encode("utf-8", "surrogateescape")

    def renewed(self, text, round_):
        """The event of a file as another one, today."""
        text = re.sub(r"UID:.*", lambda _: f"UID:{uuid.uuid4()}", text)
        text = re.sub(r"SUMMARY:(.*)", rf"SUMMARY:\1 #{round_}", text)
        return re.sub(r"((?:DTSTART|DTEND);[^:]*):\d{8}", rf"\1:{self.variables.today:%Y%m%d}", text)
