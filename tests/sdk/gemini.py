"""Gemini as Vertex AI serves it: takes what the SDK's own types take, and no call of
a function without the signature that was given with it."""

import base64
import json

from test_goldens import REQUESTS

PIECES = ["Hello", " from", " Gemini."]
SIGNATURE = base64.b64encode(b"why I called this").decode()
# What Google documents for calls of which the signature is lost.
SKIP = "skip_thought_signature_validator"
CALLS = [{"city": "Paris"}, {"city": "Rome"}]


class Wrong(Exception):
    """What Gemini answers 400 to."""


def answer(model, verb, called):
    """Content type and body of the answer to a request."""
    if verb == "countTokens":
        return "application/json", json.dumps({"totalTokens": 11}).encode()
    if wrong := REQUESTS["gemini"](spelled(called)):
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
        lost = "" if signed(called["contents"]) else ", unsigned"
        return [{"text": f"{len(results)} answers{lost}."}]
    if "tools" in called:
        first, second = ({"functionCall": {"name": "get_weather", "args": args}} for args in CALLS)
        # Of calls side by side, the first is signed.
        return [{**first, "thoughtSignature": SIGNATURE}, second]
    return [{"text": piece} for piece in PIECES]


def signed(contents):
    """Whether all signatures are there; Wrong when one is neither there nor excused."""
    groups = [[part for part in turn["parts"] if "functionCall" in part] for turn in contents]
    given = [calls[0].get("thoughtSignature") for calls in groups if calls]
    if any(signature not in (SIGNATURE, SKIP) for signature in given):
        raise Wrong("Function call is missing a thought_signature in functionCall parts.")
    return SKIP not in given


def spelled(called):
    """The request in lowerCamelCase: JSON of protocol buffers may be in snake_case, and
    of declarations the SDK sends it so."""
    def camel(name):
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    tools = [
        {**tool, "functionDeclarations": [
            {camel(name): value for name, value in declared.items()}
            for declared in tool.get("functionDeclarations", [])
        ]}
        for tool in called.get("tools", [])
    ]
    return {**called, **({"tools": tools} if tools else {})}


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
