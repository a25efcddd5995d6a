"""Writes the transcripts under tests/fixtures as seeds, one folder a target:
seed.py FOLDER. The two bytes before each choose the dialects (lib.rs)."""

import hashlib
import pathlib
import sys

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
# More than there are dialects: the targets take the remainder.
DIALECTS = 8


def write(folder, target, head, body):
    folder = folder / target
    folder.mkdir(parents=True, exist_ok=True)
    seed = bytes(head) + body
    (folder / hashlib.sha256(seed).hexdigest()[:24]).write_bytes(seed)


def main():
    folder = pathlib.Path(sys.argv[1])
    pairs = [(client, provider) for client in range(DIALECTS) for provider in range(DIALECTS)]
    for path in sorted(FIXTURES.rglob("*")):
        if not path.is_file() or "golden" in path.parts or path.suffix in (".md", ".yaml"):
            continue
        body = path.read_bytes()
        if len(body) > 16384:
            continue
        # One pair a transcript, and not the same for all: the fuzzer finds the others.
        head = pairs[int(hashlib.sha256(path.name.encode()).hexdigest(), 16) % len(pairs)]
        if path.suffix == ".json":
            for target in "answer", "mcp", "request":
                write(folder, target, head, body)
        else:
            for target in "mcp", "sse", "stream":
                write(folder, target, head, body)
            write(folder, "stream", (head[1], head[1]), body)


if __name__ == "__main__":
    main()
