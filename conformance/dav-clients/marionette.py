"""A small client for Marionette, the remote control of Thunderbird and Firefox: one TCP connection, messages `LENGTH:JSON`."""
import json
import socket
import time


class ScriptError(AssertionError):
    """What a script threw, or what the remote control refused."""


class Marionette:
    def __init__(self, port, timeout_s=60, script_timeout_s=90):
        self.serial = 0
        self.sock = self.connect(port, timeout_s)
        self.buffer = b""
        self.sock.settimeout(script_timeout_s + 30)
        self.receive()  # it says hello
        self.command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}, "strictFileInteractability": True})
        self.command("WebDriver:SetTimeouts", {"script": script_timeout_s * 1000})
        self.command("Marionette:SetContext", {"value": "chrome"})

    @staticmethod
    def connect(port, timeout_s):
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
            except OSError:
                if time.monotonic() > deadline:
                    raise ScriptError(f"nothing listens on Marionette's port after {timeout_s} s") from None
                time.sleep(0.2)

    def receive(self):
        while b":" not in self.buffer:
            self.more()
        length, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(length):
            self.more()
        message, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return json.loads(message)

    def more(self):
        block = self.sock.recv(1 << 16)
        if not block:
            raise ScriptError("Thunderbird closed the connection")
        self.buffer += block

    def command(self, name, parameters):
        self.serial += 1
        data = json.dumps([0, self.serial, name, parameters]).encode()
        self.sock.sendall(f"{len(data)}:".encode() + data)
        while True:
            kind, serial, error, result = self.receive()
            if kind == 1 and serial == self.serial:
                break
        if error:
            raise ScriptError(f"{error.get('error')}: {error.get('message')}"[:600])
        return result

    def run(self, script, *arguments):
        """The value of an async function body with chrome's rights; `args` are the arguments."""
        wrapped = ("const done = arguments[arguments.length - 1]; const args = Array.from(arguments).slice(0, -1);"
                   "(async () => {" + script + "})().then(value => done({value: value === undefined ? null : value}),"
                   " error => done({error: String(error && error.message || error) + ' ' + String(error && error.stack || '').slice(0, 300)}));")
        got = self.command("WebDriver:ExecuteAsyncScript", {"script": wrapped, "args": list(arguments), "newSandbox": True})["value"]
        if "error" in got:
            raise ScriptError(got["error"])
        return got["value"]

    def close(self):
        self.sock.close()
