"""The goldens of all translations, in the eyes of the providers' own SDKs: what we
send is what they would have sent, and what we answer is what they can read."""

import json
import pathlib

import pytest
from anthropic.types import (
    Message,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawContentBlockStopEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
)
from anthropic.types.message_create_params import MessageCreateParams
from google.genai import types as gemini
from ollama import ChatResponse
from ollama._types import ChatRequest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParams

import schemas

GOLDENS = pathlib.Path(__file__).parent.parent / "fixtures" / "translate" / "golden"

REQUESTS = {
    "anthropic-messages": schemas.by_type(MessageCreateParams),
    "bedrock-converse": schemas.by_operation("Converse", path=["modelId"]),
    "gemini": schemas.by_members(
        {
            "contents": list[gemini.Content],
            "systemInstruction": gemini.Content,
            "tools": list[gemini.Tool],
            "toolConfig": gemini.ToolConfig,
            "generationConfig": gemini.GenerationConfig,
            "safetySettings": list[gemini.SafetySetting],
            "cachedContent": str,
            "labels": dict[str, str],
        }
    ),
    "ollama-chat": schemas.by_type(ChatRequest),
    "openai-chat": schemas.by_type(CompletionCreateParams),
    "openai-responses": schemas.by_type(ResponseCreateParams),
}

ANSWERS = {
    "anthropic-messages": schemas.by_type(Message),
    "bedrock-converse": schemas.by_operation("Converse", output=True),
    "gemini": schemas.by_type(gemini.GenerateContentResponse),
    "ollama-chat": schemas.by_type(ChatResponse),
    "openai-chat": schemas.by_type(ChatCompletion),
    "openai-responses": schemas.by_type(Response),
}

EVENTS = {
    "anthropic-messages": schemas.by_type(
        RawMessageStartEvent
        | RawContentBlockStartEvent
        | RawContentBlockDeltaEvent
        | RawContentBlockStopEvent
        | RawMessageDeltaEvent
        | RawMessageStopEvent
    ),
    "bedrock-converse": schemas.by_event("ConverseStream", "stream"),
    "gemini": schemas.by_type(gemini.GenerateContentResponse),
    "ollama-chat": schemas.by_type(ChatResponse),
    "openai-chat": schemas.by_type(ChatCompletionChunk),
    "openai-responses": schemas.by_type(ResponseStreamEvent),
}

# What the SDKs have no name for, and why it is there: a part of the finding.
KNOWN = {
    # The version that we speak (2023-06-01) has them; the one that the SDK speaks has
    # not. So all of these requests are checked without them.
    "anthropic-messages": ["temperature", "top_p", "top_k"],
    # Newer servers have them, older ones pass them over; and members of a JSON schema
    # that Ollama hands to the model as they are.
    "ollama-chat": ["id", "index", "tool_call_id", "truncate", "shift", "bytes",
                    "additionalProperties"],
    # Reasoning, as vLLM, DeepSeek and others spell it.
    "openai-chat": ["reasoning_content"],
}


def goldens(kind, suffix):
    for pair in sorted(GOLDENS.iterdir()):
        client, provider = pair.name.split("--")
        for path in sorted(pair.glob(f"{kind}_*{suffix}")):
            speaks = provider if kind == "request" else client
            yield pytest.param(speaks, path, id=f"{pair.name}/{path.stem}")


# What we were not told is null, never a number: the SDK's type wants one, its code
# does not.
UNTOLD = {"input_tokens", "output_tokens"}
# Where no null is possible, the whole of it is left out.
UNTOLD_FINDING = 'Missing required parameter in input: "usage"'


def without_known(value, names):
    if isinstance(value, list):
        return [without_known(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: 0 if key in UNTOLD and item is None else without_known(item, names)
        for key, item in value.items()
        if key not in names
    }


def findings(checks, dialect, value):
    found = checks[dialect](without_known(value, KNOWN.get(dialect, [])))
    return [finding for finding in found if finding != UNTOLD_FINDING]


@pytest.mark.parametrize(("dialect", "path"), goldens("request", ".json"))
def test_what_we_send_the_provider_would_take(dialect, path):
    golden = json.loads(path.read_text())
    if "body" in golden and "status" not in golden:
        assert findings(REQUESTS, dialect, golden["body"]) == []


@pytest.mark.parametrize(("dialect", "path"), goldens("answer", ".json"))
def test_what_we_answer_the_client_can_read(dialect, path):
    golden = json.loads(path.read_text())
    if not is_error(golden):
        assert findings(ANSWERS, dialect, golden) == []


@pytest.mark.parametrize(("dialect", "path"), goldens("stream", ".*"))
def test_what_we_stream_the_client_can_read(dialect, path):
    for event in events(path):
        if event.get("type") == "response.output_text.done":
            # The whole has what chat completions say of a token; the SDK's type of this
            # event has less.
            event = without_known(event, ["bytes"])
        if not is_error(event) and event.get("type") != "ping":
            # The SDK knows the bytes of a token in whole answers, and insists on them
            # there, but not in these events.
            if str(event.get("type")).startswith("response.output_text."):
                event = without_known(event, ["bytes"])
            assert findings(EVENTS, dialect, event) == [], event


def is_error(value):
    return value.get("error") is not None or "body" in value or "__type" in value or value.get("type") == "error"


def events(path):
    """The JSON events of a golden stream: server-sent events or JSON lines."""
    for line in path.read_text().split("\n"):
        text = line.removeprefix("data:").strip() if path.suffix == ".sse" else line
        if text.startswith("{"):
            yield json.loads(text)
