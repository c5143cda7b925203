"""Cyrus IMAP's httpd as a peer: it schedules, syncs and shares, so it shows best whether the runner has the scripts right.

It runs under its own account `cyrus` with its configuration and its spool in one folder; users get their INBOX by IMAP first.
"""
import imaplib
import os
import shutil
import subprocess
from pathlib import Path

from harness import install
from harness.peers import end, free_port, wait_for_port

IMAPD_CONF = """\
configdirectory: {state}/conf
proc_path: {state}/proc
mboxname_lockpath: {state}/lock
defaultpartition: default
partition-default: {state}/spool
sievedir: {state}/sieve
admins: admin
servername: localhost
allowplaintext: yes
unixhierarchysep: yes
virtdomains: off
httpmodules: caldav carddav
calendar_user_address_set: example.com
caldav_allowscheduling: on
caldav_create_sched: yes
carddav_create_default: yes
httpprettytelemetry: no
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {state}/sasldb2
notifysocket: {state}/socket/notify
idlesocket: {state}/socket/idle
lmtpsocket: {state}/socket/lmtp
"""
CYRUS_CONF = """\
START {{
  recover cmd="ctl_cyrusdb -C {state}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="imapd -C {state}/imapd.conf" listen="127.0.0.1:{imap}" prefork=0
  http cmd="httpd -C {state}/imapd.conf" listen="127.0.0.1:{http}" prefork=1
}}
EVENTS {{
  checkpoint cmd="ctl_cyrusdb -C {state}/imapd.conf -c" period=60
}}
"""
MASTER = "/usr/lib/cyrus/bin/master"


class Cyrus:
    name = "cyrus"

    def __init__(self, folder, binary, layout, accounts):
        if not Path(MASTER).with_name("imapd").exists():
            install.apt(saslpasswd2="cyrus-caldav cyrus-imapd libsasl2-modules sasl2-bin")
        self.folder, self.accounts, self.process = Path(folder), accounts, None
        self.logins = [(layout.variables[f"$userid{n}:"], layout.variables[f"$pswd{n}:"]) for n in range(1, layout.accounts + 1)]
        self.state = self.folder / "state"

    def start(self):
        # The workspace belongs to root alone; the account `cyrus` must be able to pass.
        for parent in (self.folder, *self.folder.parents[:-1]):
            parent.chmod(parent.stat().st_mode | 0o011)
        for name in ("conf", "proc", "lock", "spool", "sieve", "socket"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        for user, password in [("admin", "admin"), *self.logins[:self.accounts]]:
            subprocess.run([install.find("saslpasswd2"), "-p", "-c", "-f", str(self.state / "sasldb2"), "-u", "localhost", user],
                           input=password.encode(), check=True)
        self.run()
        with imaplib.IMAP4("127.0.0.1", self.imap) as door:
            door.login("admin", "admin")
            for user, _ in self.logins[:self.accounts]:
                result, said = door.create(f"user/{user}")
                if result != "OK":
                    raise RuntimeError(f"cyrus refuses an INBOX for {user}: {said}")
        self.stop()
        shutil.rmtree(self.folder / "pristine", ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.state), str(self.folder / "pristine")], check=True)
        self.renew()

    def run(self):
        self.imap, http = free_port(), free_port()
        self.base = f"http://127.0.0.1:{http}"
        (self.state / "imapd.conf").write_text(IMAPD_CONF.format(state=self.state), encoding="ascii")
        (self.state / "cyrus.conf").write_text(CYRUS_CONF.format(state=self.state, imap=self.imap, http=http), encoding="ascii")
        subprocess.run(["chown", "-R", "cyrus:mail", str(self.state)], check=True)
        command = [MASTER, "-C", str(self.state / "imapd.conf"), "-M", str(self.state / "cyrus.conf"), "-p", str(self.state / "pid")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "CYRUS_VERBOSE": "0"})
        wait_for_port(http, self.process)
        wait_for_port(self.imap, self.process)

    def renew(self):
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.folder / "pristine"), str(self.state)], check=True)
        self.run()

    def stop(self):
        if self.process is not None:
            end(self.process)
            self.process = None

    def version(self):
        done = subprocess.run([MASTER, "-V"], capture_output=True, text=True, check=False)
        words = (done.stdout + done.stderr).split()
        return next((word for word in words if word[:1].isdigit()), "?")
