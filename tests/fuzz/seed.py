"""Writes the transcripts under tests/fixtures as seeds, one folder a target:
seed.py FOLDER. The two bytes before each choose the dialects (lib.rs)."""

import hashlib
import json
import pathlib
import struct
import sys
import zlib

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
# As the program orders them; the folders of their transcripts, and of their clients'
# requests under translate/.
DIALECTS = {
    "anthropic-messages": "anthropic",
    "bedrock-converse": "bedrock",
    "gemini": "gemini",
    "ollama-chat": "ollama",
    "openai-chat": "openai",
    "openai-responses": "openai-responses",
}
# What embeds in each wire, and what it answers: forms × models of targets/embed.rs.
EMBEDDINGS = [
    {"input": ["a", "b"], "dimensions": 2, "encoding_format": "base64"},
    {"content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"title": "T"}},
    {"requests": [{"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"}]},
    {"data": [{"index": 0, "embedding": [1, 2]}], "usage": {"prompt_tokens": 5}},
    {"embedding": [0.1], "inputTextTokenCount": 3},
    {"embeddings": {"float": [[1]]}},
    {"embeddings": [{"values": [1]}], "usageMetadata": {"promptTokenCount": 2}},
    {"predictions": [{"embeddings": {"values": [1], "statistics": {"token_count": 4.0}}}]},
]
# What a provider may answer over HTTP/1.1: the forms of targets/http1.rs.
HEADS = [
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 5, 5\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\nset-cookie: a\r\n\r\nuntil the end",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n",
    "HTTP/1.1 200\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\nA \r\n0123456789\r\n0\r\n\r\nH",
    "\r\nHTTP/1.1 204 No Content\ncontent-length: 1\n\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
]


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


def places(path):
    """The dialects that a transcript is in, by their numbers; all where it may be any."""
    folders = path.relative_to(FIXTURES).parts[:-1]
    for number, (client, provider) in enumerate(DIALECTS.items()):
        if folders[-1:] in [(client,), (provider,)]:
            return [number]
    return range(len(DIALECTS))


def main():
    folder = pathlib.Path(sys.argv[1])
    every = range(len(DIALECTS))
    for path in sorted(FIXTURES.rglob("*")):
        if not path.is_file() or "golden" in path.parts or path.suffix in (".md", ".yaml"):
            continue
        body = path.read_bytes()
        if len(body) > 16384:
            continue
        head = (0, 0)
        if path.suffix == ".json":
            write(folder, "mcp", head, body)
            # A request by its client, an answer by its provider; the other side is each.
            for place in places(path):
                for other in every:
                    write(folder, "request", (place, other), body)
                    write(folder, "answer", (other, place), body)
            continue
        lines = body
        if path.suffix == ".events":
            body, lines = frames(path.read_text())
            write(folder, "eventstream", head, body)
        for target in {".sse": ["mcp", "sse"], ".ndjson": ["mcp", "ndjson"]}.get(path.suffix, []):
            write(folder, target, head, body)
        for place in places(path):
            for client in every:
                for said in {body, lines}:
                    write(folder, "stream", (client, place), said)
    for body in HEADS:
        for method in range(2):
            write(folder, "http1", (method, 0), body.encode())
    for body in EMBEDDINGS:
        for form in range(3):
            for model in range(5):
                write(folder, "embed", (form, model), json.dumps(body).encode())


if __name__ == "__main__":
    main()
