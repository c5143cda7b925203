"""Both ends of the wire: what a client was told of each message, and what a next hop was given."""
import asyncio
import re
import socket
import threading
import time

MESSAGE_ID = re.compile(rb"^Message-I[dD]:\s*<([^>]+)>", re.MULTILINE)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.port = free_port()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)

    async def listen(self):
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024, limit=1 << 20)

    async def serve(self, reader, writer):
        try:
            await self.talk(reader, writer)
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


class Tap(Loop):
    """Stands between a client that waits for each answer and the server, and writes down each message: sent, and acknowledged."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.sent, self.acknowledged = set(), set()
        super().__init__()

    async def talk(self, reader, writer):
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        state = {"message": None, "waiting": None}
        try:
            await asyncio.gather(self.up(reader, to_server, state), self.down(from_server, writer, state))
        finally:
            to_server.close()

    async def up(self, reader, to_server, state):
        while data := await reader.read(1 << 16):
            if state["message"] is not None:
                state["message"] += data
                if state["message"].endswith(b"\r\n.\r\n"):
                    name = MESSAGE_ID.search(state["message"]).group(1).decode()
                    self.sent.add(name)
                    state["message"], state["waiting"] = None, name
            to_server.write(data)
            await to_server.drain()
        to_server.write_eof()

    async def down(self, from_server, writer, state):
        while line := await from_server.readline():
            if line.startswith(b"354"):
                state["message"] = b""
            elif state["waiting"] is not None:
                if line.startswith(b"250"):
                    self.acknowledged.add(state["waiting"])
                state["waiting"] = None
            writer.write(line)
            await writer.drain()
        writer.close()


class Sink(Loop):
    """A next hop that takes everything, a moment after it came: `taken` has the times at which each message was acknowledged."""

    def __init__(self, pause_s=0.002):
        self.pause_s = pause_s
        self.taken = {}
        super().__init__()

    async def talk(self, reader, writer):
        writer.write(b"220 sink ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                await writer.drain()
                message = await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(self.pause_s)
                name = MESSAGE_ID.search(message).group(1).decode()
                self.taken.setdefault(name, []).append(time.monotonic())
                writer.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
