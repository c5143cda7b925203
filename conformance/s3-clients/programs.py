"""Running a client program with its own environment, and showing what it said when it fails."""
import subprocess


class Program:
    """`program(words...)` runs it; `check=False` returns a failure instead of raising it."""

    def __init__(self, binary, environment, *first, cwd=None):
        self.binary, self.environment, self.first, self.cwd = str(binary), environment, [str(word) for word in first], cwd

    def __call__(self, *words, check=True, stdin=None, timeout=900):
        command = [self.binary, *self.first, *map(str, words)]
        return subprocess.run(command, env=self.environment, check=check, capture_output=True, input=stdin, timeout=timeout, cwd=self.cwd,
                              stdin=subprocess.DEVNULL if stdin is None else None)

    def start(self, *words):
        """In the background, to be killed under."""
        return subprocess.Popen([self.binary, *self.first, *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.cwd)
