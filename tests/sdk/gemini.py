"""Gemini as Vertex AI serves it: takes what the SDK's own types take, and no call of
a function without the signature that was given with it."""

import base64
import json

from test_goldens import REQUESTS

PIECES = ["Hello", " from", " Gemini."]
SIGNATURE = base64.b64encode(b"why I called this").decode()
CALLS = [{"city": "Paris"}, {"city": "Rome"}]


class Wrong(Exception):
    """What Gemini answers 400 to."""


def answer(model, verb, called):
    """Content type and body of the answer to a request."""
    if verb == "countTokens":
        return "application/json", json.dumps({"totalTokens": 11}).encode()
    if wrong := REQUESTS["gemini"](called):
        raise Wrong("; ".join(wrong))
    parts = reply(called)
    if verb == "generateContent":
        return "application/json", json.dumps(event(model, parts, "STOP")).encode()
    events = [event(model, [part], None) for part in parts[:-1]]
    events.append(event(model, parts[-1:], "STOP"))
    lines = [f"data: {json.dumps(each)}\r\n\r\n" for each in events]
    return "text/event-stream", "".join(lines).encode()


def reply(called):
    results = [part for turn in called["contents"] for part in turn["parts"]
               if "functionResponse" in part]
    if results:
        signed(called["contents"])
        return [{"text": f"{len(results)} answers."}]
    if "tools" in called:
        first, second = ({"functionCall": {"name": "get_weather", "args": args}} for args in CALLS)
        # Of calls side by side, the first is signed.
        return [{**first, "thoughtSignature": SIGNATURE}, second]
    return [{"text": piece} for piece in PIECES]


def signed(contents):
    for turn in contents:
        calls = [part for part in turn["parts"] if "functionCall" in part]
        if calls and calls[0].get("thoughtSignature") != SIGNATURE:
            raise Wrong("Function call is missing a thought_signature in functionCall parts.")


def event(model, parts, finish):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
        "modelVersion": model,
        "responseId": "r-1",
    }
