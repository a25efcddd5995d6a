"""Writes the transcripts under tests/fixtures as seeds, one folder a target:
seed.py FOLDER. The two bytes before each choose the dialects (lib.rs)."""

import hashlib
import json
import pathlib
import struct
import sys
import zlib

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
# More than there are dialects: the targets take the remainder.
DIALECTS = 8


def write(folder, target, head, body):
    folder = folder / target
    folder.mkdir(parents=True, exist_ok=True)
    seed = bytes(head) + body
    (folder / hashlib.sha256(seed).hexdigest()[:24]).write_bytes(seed)


def frame(headers, payload):
    """A frame of application/vnd.amazon.eventstream."""
    block = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + block + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def frames(text):
    """A described event stream (fixtures.rs has the form) as bytes, and as lines."""
    whole, lines = b"", []
    for line in map(json.loads, text.splitlines()):
        if "text" in line:
            whole += line["text"].encode()
            continue
        if "headers" in line:
            whole += frame(line["headers"], json.dumps(line.get("payload")).encode())
            continue
        told = line.get("part") or line.get("damaged") or line
        kind = "exception" if "exception" in told else "event"
        (name, payload), = (told["exception"] if kind == "exception" else told).items()
        payload = json.dumps(payload)
        made = frame({f":{kind}-type": name, ":message-type": kind}, payload.encode())
        whole += made[: line["bytes"]] if "part" in line else made
        lines.append(f"{'!' * (kind == 'exception')}{name} {payload}")
    return whole, "\n".join(lines).encode()


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
        elif path.suffix == ".events":
            bedrock = 1  # its place among the dialects
            for body in frames(path.read_text()):
                write(folder, "eventstream", head, body)
                write(folder, "stream", (bedrock, bedrock), body)
                write(folder, "stream", (head[0], bedrock), body)
        else:
            for target in "mcp", "sse", "stream":
                write(folder, target, head, body)
            write(folder, "stream", (head[1], head[1]), body)


if __name__ == "__main__":
    main()
