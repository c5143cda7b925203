"""What clients that cannot run here send, replayed: DAVx5, Apple's Calendar and Contacts, Evolution and GNOME, Thunderbird, KDE, CalDAV
Synchronizer."""
import secrets

import seq_apple
import seq_davx5
import seq_evolution
import seq_others
import seq_thunderbird
from sequence import Player

TABLES = {name: table for client in (seq_davx5, seq_apple, seq_evolution, seq_thunderbird, seq_others) for name, table in client.SEQUENCES.items()}


def run(report, aim):
    for name, (headers, steps) in TABLES.items():
        made = f"{name}-{secrets.token_hex(3)}"
        known = {"id": made, "cal": f"{aim.server.calendars}{made}/", "book": f"{aim.server.contacts}{made}-book/"}
        Player(aim, headers, known).play(report, name, steps)
