"""What clients that cannot run here send, replayed: DAVx5, Apple's Calendar and Contacts, Evolution and GNOME, Thunderbird."""
import secrets

import seq_apple
import seq_davx5
import seq_evolution
import seq_thunderbird
from sequence import Player

TABLES = {**seq_davx5.SEQUENCES, **seq_apple.SEQUENCES, **seq_evolution.SEQUENCES, **seq_thunderbird.SEQUENCES}


def run(report, aim):
    for name, (headers, steps) in TABLES.items():
        made = f"{name}-{secrets.token_hex(3)}"
        known = {"id": made, "cal": f"{aim.server.calendars}{made}/", "book": f"{aim.server.contacts}{made}/"}
        Player(aim, headers, known).play(report, name, steps)
