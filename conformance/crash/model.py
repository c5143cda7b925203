"""What one writer's folder must look like: a plain dictionary, and the operations on it.

A state maps a path to a file `(seed, size, mood)` or to FOLDER. An operation changes the whole state at once or not at
all; so after a crash the folder is exactly the state before the operation that was in flight, or exactly the one after.
"""
import random
from dataclasses import dataclass

FOLDER = "folder"
NAMES = 12
FOLDERS = 3
# Content that lies inline in the metadata, in pack files, and in chunks.
SIZES = ((0, 8 << 10), (8 << 10, 900 << 10), (1 << 20, 5 << 20))
SIZE_WEIGHTS = (70, 24, 6)


@dataclass(frozen=True)
class Operation:
    verb: str
    path: str
    to: str = ""
    seed: int = 0
    size: int = 0


def content(seed, size):
    """Bytes that only this seed and size give."""
    return random.Random(seed << 32 | size).randbytes(size)


def pick(source, state):
    """The next operation: allowed in this state, so that the server has no reason to refuse it."""
    files = [path for path, what in state.items() if what != FOLDER]
    folders = ["", *(path + "/" for path, what in state.items() if what == FOLDER)]
    fresh = source.choice(folders) + f"file {source.randrange(NAMES)}"
    new_folder = f"folder {source.randrange(FOLDERS)}"
    roll = source.random()
    if roll < 0.12 and new_folder not in state:
        return Operation("MKCOL", new_folder)
    if roll < 0.22 and files:
        return Operation("DELETE", source.choice(files))
    others = [path for path in files if path != fresh]
    if roll < 0.36 and others:
        return Operation(source.choice(("MOVE", "COPY")), source.choice(others), fresh)
    if roll < 0.44 and files:
        return Operation("PROPPATCH", source.choice(files), seed=source.randrange(1 << 30))
    if roll < 0.50 and len(folders) > 1:
        folder = source.choice(folders[1:])[:-1]
        if new_folder not in state and source.random() < 0.7:
            return Operation(source.choice(("MOVE", "COPY")), folder, new_folder)
        return Operation("DELETE", folder)
    low, high = source.choices(SIZES, SIZE_WEIGHTS)[0]
    return Operation("PUT", fresh, seed=source.randrange(1 << 30), size=source.randrange(low, high))


def apply(state, operation):
    """The state after the operation."""
    after, path, to = dict(state), operation.path, operation.to
    if operation.verb == "PUT":
        old = state.get(path)
        # Properties belong to the name, not to the content: an overwrite keeps them.
        after[path] = (operation.seed, operation.size, old[2] if old else 0)
    elif operation.verb == "MKCOL":
        after[path] = FOLDER
    elif operation.verb == "PROPPATCH":
        seed, size, _ = state[path]
        after[path] = (seed, size, operation.seed)
    elif operation.verb == "DELETE":
        for key in below(state, path):
            del after[key]
    elif operation.verb in ("MOVE", "COPY"):
        for key in below(state, to):
            del after[key]
        for key in below(state, path):
            after[to + key[len(path):]] = state[key]
            if operation.verb == "MOVE":
                del after[key]
    return after


def below(state, path):
    return [key for key in state if key == path or key.startswith(path + "/")]
