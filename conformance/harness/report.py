"""Results of a suite, judged by its ledger.

`ledger.tsv` beside a suite lists what is known not to pass: test, expected result (`fail` or `warn`), reason. A test
that is not listed must pass. A listed one must fail: when it passes, the row is out of date and the suite fails. A
skip is not a pass: it is printed with its reason and counted.
"""
import contextlib
import subprocess
import sys
import time
import traceback
from pathlib import Path


class Skip(Exception):
    """Raised inside a test that cannot run on this machine; the message says why."""


class Report:
    def __init__(self, folder, quiet=False, use_ledger=True):
        self.ledger = read_ledger(Path(folder) / "ledger.tsv") if use_ledger else {}
        self.quiet = quiet
        self.passed, self.failed, self.skipped = [], [], []
        self.seen = set()
        self.started = time.monotonic()

    def record(self, name, result, detail=""):
        """File one result: `pass`, `warn` or `fail`."""
        self.seen.add(name)
        expected, reason = self.ledger.get(name, ("pass", ""))
        if result == expected:
            self.passed.append(name)
            if expected != "pass":
                say(f"known  {name}: {reason}")
            elif not self.quiet:
                say(f"ok     {name}")
            return
        self.failed.append(name)
        if result == "pass":
            detail = f"passes now; take it out of the ledger ({reason})"
        elif expected != "pass":
            detail = f"expected {expected}, got {result}: {detail}"
        say(f"FAILED {name}: {detail}")

    def skip(self, name, reason):
        self.seen.add(name)
        self.skipped.append(name)
        say(f"SKIPPED {name}: {reason}")

    @contextlib.contextmanager
    def test(self, name):
        """Run the block as one test; whatever it raises is its failure."""
        try:
            yield
        except Skip as skip:
            self.skip(name, str(skip))
        except AssertionError as error:
            self.record(name, "fail", str(error) or place_of(error))
        except subprocess.CalledProcessError as error:
            self.record(name, "fail", describe_exit(error))
        except Exception as error:  # noqa: BLE001: any other exception is a failure of this test, not of the suite
            self.record(name, "fail", f"{type(error).__name__}: {error} ({place_of(error)})")
        else:
            self.record(name, "pass")

    def finish(self, partial=False):
        """Print the last line; the exit code of the suite. `partial`: not all tests were asked for."""
        for name in [] if partial else sorted(set(self.ledger) - self.seen):
            self.failed.append(name)
            say(f"FAILED {name}: the ledger lists a test that does not exist")
        if self.failed:
            say("failed: " + ", ".join(self.failed))
        say(f"took {time.monotonic() - self.started:.0f} s")
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        say(f"{len(self.passed)} passed, {len(self.failed)} failed{skipped}")
        return 1 if self.failed or not self.passed else 0


def read_ledger(path):
    """{test: (expected, reason)}; a missing file is an empty ledger."""
    rows = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or fields[1] not in ("fail", "warn") or not fields[2].strip():
            sys.exit(f"{path}:{number}: want TEST<tab>fail|warn<tab>REASON")
        rows[fields[0]] = (fields[1], fields[2])
    return rows


def say(line):
    print(line.encode("utf-8", "backslashreplace").decode("utf-8"), flush=True)


def place_of(error):
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}"


def describe_exit(error):
    text = ((error.stderr or b"") if isinstance(error.stderr, (bytes, type(None))) else error.stderr.encode())
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line][:2] + lines[-2:]
    words = error.cmd if isinstance(error.cmd, str) else " ".join(str(w) for w in error.cmd)
    return f"exit {error.returncode} of `{words.partition(chr(10))[0][:200]}`: {' | '.join(telling)[:700]}"
