"""Bedrock as the provider of clients that speak other dialects, and of its own."""

import json

import anthropic
import openai
import pytest

import manifests
import test_bedrock as converse

CLAUDE = "bedrock-claude-sonnet-4-5"
QUESTION = [{"role": "user", "content": "Weather in Paris?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
TOOL = {"name": "get_weather", "input_schema": SCHEMA}
RESULT = "18 degrees"
TEXT = "".join(converse.PIECES)

both = pytest.mark.parametrize("streams", [False, True])


@pytest.fixture
def gateway(agentkube):
    return agentkube.gateway("models")


@pytest.fixture
def chat(gateway):
    with openai.OpenAI(
        base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0
    ) as client:
        yield client.chat.completions


@pytest.fixture
def claude(gateway):
    with anthropic.Anthropic(
        base_url=gateway["url"], api_key=gateway["key"], max_retries=0
    ) as client:
        yield client.messages


def chat_turn(chat, streams, **options):
    """What a client that knows only OpenAI's documents keeps of an answer: the
    message to send back, and why it ended."""
    if not streams:
        choice = chat.create(**options).choices[0]
        calls = [call.model_dump() for call in choice.message.tool_calls or []]
        content, finish = choice.message.content, choice.finish_reason
    else:
        content, calls, finish = "", [], None
        for chunk in chat.create(stream=True, **options):
            for choice in chunk.choices:
                content += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for call in choice.delta.tool_calls or []:
                    if call.id:
                        calls.append(call.model_dump(exclude={"index"}))
                    else:
                        calls[call.index]["function"]["arguments"] += call.function.arguments
    message = {"role": "assistant", "content": content or None}
    return {**message, "tool_calls": calls} if calls else message, finish


def messages_turn(claude, streams, **options):
    if not streams:
        return claude.create(**options)
    with claude.stream(**options) as stream:
        return stream.get_final_message()


def sent(upstream, model):
    return json.loads(upstream.requests(model)[-1]["body"])


def thought(body):
    """The first block of the replayed turn, as Bedrock got it."""
    return body["messages"][1]["content"][0]["reasoningContent"]["reasoningText"]


@both
def test_a_chat_client_is_answered(chat, upstream, gateway, model, streams):
    name = model("plain-bedrock")
    message, finish = chat_turn(chat, streams, model=name, messages=QUESTION)
    assert (message["content"], finish) == (TEXT, "stop")
    request = upstream.request(name)
    form = "converse-stream" if streams else "converse"
    assert request["path"] == f"/model/{name}/{form}"
    assert request["headers"]["authorization"] == f"Bearer {manifests.BEDROCK_KEY}"
    assert gateway["key"] not in json.dumps(request)


@both
def test_thoughts_come_back_through_a_client_that_knows_only_chat(chat, upstream, model, streams):
    name = model(f"thinking-{CLAUDE}")
    options = {"model": name, "tools": [FUNCTION], "max_tokens": 4000, "reasoning_effort": "high"}
    message, finish = chat_turn(chat, streams, messages=QUESTION, **options)
    assert finish == "tool_calls"
    call = message["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": RESULT}
    # Bedrock refuses a turn that called a tool and lost its thoughts, or their proof.
    message, finish = chat_turn(chat, streams, messages=[*QUESTION, message, result], **options)
    assert (message["content"], finish) == (TEXT, "stop")
    body = sent(upstream, name)
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"
    assert thought(body)["signature"]


@both
def test_thoughts_come_back_through_messages_as_they_were(claude, upstream, model, streams):
    name = model(f"thinking-{CLAUDE}")
    options = {
        "model": name,
        "tools": [TOOL],
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }
    answer = messages_turn(claude, streams, messages=QUESTION, **options)
    thinking, call = answer.content
    assert (thinking.type, call.type, answer.stop_reason) == ("thinking", "tool_use", "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": RESULT}
    conversation = [
        *QUESTION,
        {"role": "assistant", "content": [block.model_dump() for block in answer.content]},
        {"role": "user", "content": [result]},
    ]
    answer = messages_turn(claude, streams, messages=conversation, **options)
    assert answer.content[-1].text == TEXT
    replayed = thought(sent(upstream, name))
    assert replayed == {"text": thinking.thinking, "signature": thinking.signature}


def test_lost_thoughts_are_no_400(chat, upstream, model):
    """A turn of another provider's, whose call has no thoughts."""
    name = model(f"plain-{CLAUDE}")
    call = {
        "id": "call_of.another:provider",
        "type": "function",
        "function": {"name": "get_weather", "arguments": "{}"},
    }
    conversation = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": RESULT},
    ]
    answer = chat.create(
        model=name, messages=conversation, max_tokens=4000, reasoning_effort="high"
    )
    assert answer.choices[0].message.content == TEXT
    # The client left the tools out; Bedrock insists on them.
    assert sent(upstream, name)["toolConfig"]["tools"]


def test_a_tool_with_a_name_that_bedrock_refuses_is_called_by_it(claude, upstream, model):
    name = model("plain-bedrock")
    tool = {**TOOL, "name": "mcp__a-server-with-a-long-name__" + "x" * 60}
    claude.create(model=name, max_tokens=64, messages=QUESTION, tools=[tool])
    told = sent(upstream, name)["toolConfig"]["tools"][0]["toolSpec"]["name"]
    assert len(told) <= 64


@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_stream_that_breaks_off_is_an_error_and_no_end(chat, claude, model, behaviour):
    name = model(f"{behaviour}-bedrock")
    finishes = []
    with pytest.raises(openai.APIError):
        for chunk in chat.create(model=name, messages=QUESTION, stream=True):
            finishes += [choice.finish_reason for choice in chunk.choices]
    assert not any(finishes)
    arrived = []
    with pytest.raises(anthropic.APIError):
        for event in claude.create(model=name, max_tokens=64, messages=QUESTION, stream=True):
            arrived.append(event.type)
    assert "message_stop" not in arrived


@both
@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("overloaded", openai.InternalServerError),
        ("lateerror", openai.InternalServerError),
        ("ratelimited", openai.RateLimitError),
        ("quota", openai.RateLimitError),
        ("badrequest", openai.BadRequestError),
        ("unauthorized", openai.InternalServerError),
    ],
)
def test_what_bedrock_refuses_is_an_error_of_the_clients_sdk(
    chat, model, behaviour, expected, streams
):
    with pytest.raises(expected) as error:
        chat_turn(chat, streams, model=model(f"{behaviour}-bedrock"), messages=QUESTION)
    assert manifests.BEDROCK_KEY not in str(error.value)
    assert "The security token" not in str(error.value), "what is between us and AWS"


@both
def test_what_a_guardrail_stopped_is_no_plain_answer(chat, claude, model, streams):
    name = model("guardrail-bedrock")
    _, finish = chat_turn(chat, streams, model=name, messages=QUESTION)
    assert finish == "content_filter"
    answer = messages_turn(claude, streams, model=name, max_tokens=64, messages=QUESTION)
    assert answer.stop_reason == "refusal"


@both
def test_boto3_replays_thoughts_to_bedrock_itself(gateway, upstream, model, streams):
    client = converse.connect(gateway["url"], gateway["key"])
    name = model("thinking-bedrock")
    options = {
        "toolConfig": {"tools": [converse.WEATHER]},
        "inferenceConfig": {"maxTokens": 4000},
        "additionalModelRequestFields": converse.THINKS,
    }
    message, stop = converse.answer_of(client, name, streams, **options)
    assert stop == "tool_use"
    call = message["content"][1]["toolUse"]
    result = {"toolUseId": call["toolUseId"], "content": [{"text": RESULT}]}
    conversation = [
        *converse.MESSAGES,
        message,
        {"role": "user", "content": [{"toolResult": result}]},
    ]
    message, stop = converse.answer_of(client, name, streams, messages=conversation, **options)
    assert (message["content"][-1], stop) == ({"text": TEXT}, "end_turn")


def test_a_conversation_moves_from_chat_to_bedrock(gateway, upstream, model):
    """Thoughts of a provider without signatures are not shown to one that wants them."""
    client = converse.connect(gateway["url"], gateway["key"])
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "agentkube.bQ"}}}
    conversation = [
        *converse.MESSAGES,
        {"role": "assistant", "content": [thought, {"text": "Hello."}]},
        {"role": "user", "content": [{"text": "And now?"}]},
    ]
    name = model("plain-bedrock")
    answer = converse.ask(client, name, messages=conversation)
    assert answer["stopReason"] == "end_turn"
    assert sent(upstream, name)["messages"][1]["content"] == [{"text": "Hello."}]
