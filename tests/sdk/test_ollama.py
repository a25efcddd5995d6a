"""The official Ollama client through the gateway: to an Ollama, whose bytes pass, and
to providers of other dialects."""

import json

import ollama
import pytest

from rig import http

PIECES = ["Hello", " from", " the", " scripted", " upstream."]
MESSAGES = [{"role": "user", "content": "Hello?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
# One dot, as PNG.
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
    b"\0\0\0\rIDATx\xdacd\xf8\xcfP\x0f\0\x03\x86\x01\x80Z4}k\0\0\0\0IEND\xaeB`\x82"
)
# Upstreams by the names of their models: to the first the bytes pass.
UPSTREAMS = ["ollama", "openai", "claude"]


@pytest.fixture
def gateway(agentkube):
    return agentkube.gateway("models")


@pytest.fixture
def client(gateway):
    with connect(gateway["url"], gateway["key"]) as client:
        yield client


@pytest.fixture(params=UPSTREAMS)
def speaks(request):
    return request.param


def connect(url, key):
    return ollama.Client(host=url, headers={"authorization": f"Bearer {key}"})


def sent(upstream, name):
    request = upstream.request(name)
    return request["path"].split("?")[0], json.loads(request["body"])


def test_a_chat_is_answered(client, upstream, model, speaks):
    name = model(f"plain-{speaks}")
    answer = client.chat(name, MESSAGES)
    assert answer.message.content == "".join(PIECES)
    assert (answer.model, answer.done, answer.done_reason) == (name, True, "stop")
    assert (answer.prompt_eval_count, answer.eval_count) == (11, 7)
    assert answer.created_at.endswith("Z")
    path, _ = sent(upstream, name)
    expected = {"ollama": "/api/chat", "openai": "/v1/chat/completions", "claude": "/v1/messages"}
    assert path == expected[speaks]


def test_a_chat_for_an_ollama_passes_as_it_is(client, gateway, upstream, model):
    name = model("plain-ollama")
    options = {"num_ctx": 8192, "temperature": 0.2, "mirostat": 1}
    answer = client.chat(name, MESSAGES, options=options, keep_alive="5m", think=False)
    assert answer.total_duration == 4883583458, "what only Ollama says comes through"
    _, body = sent(upstream, name)
    assert body["options"] == options
    assert (body["keep_alive"], body["think"]) == ("5m", False)
    assert gateway["key"] not in json.dumps(upstream.request(name)), "the client's key stays here"


def test_a_stream_arrives_line_by_line(client, upstream, model, speaks):
    name = model(f"gated-{speaks}")
    stream = client.chat(name, MESSAGES, stream=True)
    first = next(stream)
    # The provider holds everything after the first piece back.
    upstream.await_gate(name)
    assert first.message.content == PIECES[0]
    upstream.open_gate(name)
    rest = list(stream)
    assert "".join(part.message.content for part in rest) == "".join(PIECES[1:])
    assert [part.done for part in rest] == [False] * (len(rest) - 1) + [True]
    assert rest[-1].eval_count == 7


def test_a_request_that_does_not_say_so_streams(gateway, model, speaks):
    answer = http(
        f"{gateway['url']}/api/chat",
        {"model": model(f"plain-{speaks}"), "messages": MESSAGES},
        {"authorization": f"Bearer {gateway['key']}"},
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert lines[-1]["done"] and not any(line["done"] for line in lines[:-1])


def test_a_tool_is_called_and_its_result_goes_back(client, upstream, model, speaks):
    answer = client.chat(model(f"tools-{speaks}"), MESSAGES, tools=[WEATHER])
    (call,) = answer.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Paris"})
    name = model(f"plain-{speaks}")
    result = {"role": "tool", "tool_name": "get_weather", "content": "18 degrees"}
    client.chat(name, [*MESSAGES, answer.message, result], tools=[WEATHER])
    _, body = sent(upstream, name)
    said = body["messages"][-1]
    if speaks == "ollama":
        assert said == result
    elif speaks == "openai":
        called = body["messages"][-2]["tool_calls"][0]
        assert json.loads(called["function"]["arguments"]) == {"city": "Paris"}
        assert (said["role"], said["tool_call_id"]) == ("tool", called["id"])
    else:
        called = body["messages"][-2]["content"][-1]
        assert called["input"] == {"city": "Paris"}
        assert said["content"][0]["tool_use_id"] == called["id"]


def test_a_streamed_tool_call_comes_whole(client, model, speaks):
    stream = client.chat(model(f"tools-{speaks}"), MESSAGES, tools=[WEATHER], stream=True)
    calls = [call for part in stream for call in part.message.tool_calls or []]
    assert [call.function.arguments for call in calls] == [{"city": "Paris"}]


def test_an_image_is_seen(client, upstream, model, speaks):
    name = model(f"plain-{speaks}")
    client.chat(name, [{"role": "user", "content": "What is it?", "images": [PNG]}])
    _, body = sent(upstream, name)
    (message,) = body["messages"]
    if speaks == "ollama":
        assert message["images"][0].startswith("iVBORw0KGgo")
    elif speaks == "openai":
        assert message["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    else:
        assert message["content"][1]["source"]["media_type"] == "image/png"


def test_a_schema_is_carried(client, upstream, model):
    name = model("plain-openai")
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    client.chat(name, MESSAGES, format=schema, options={"num_predict": 9, "stop": ["END"]})
    _, body = sent(upstream, name)
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert (body["max_tokens"], body["stop"]) == (9, ["END"])


def test_models_are_listed_and_shown(client):
    listed = {entry.model for entry in client.list().models}
    assert {"gpt-5.1", "claude-haiku-4-5", "fast"} <= listed
    assert "completion" in client.show("fast").capabilities
    with pytest.raises(ollama.ResponseError) as error:
        client.show("fest")
    assert error.value.status_code == 404


def test_a_cut_stream_is_an_error_and_not_done(client, model, speaks):
    parts = []
    with pytest.raises(ollama.ResponseError) as error:
        for part in client.chat(model(f"cut-{speaks}"), MESSAGES, stream=True):
            parts.append(part)
    assert "before the answer was complete" in error.value.error
    assert parts and not any(part.done for part in parts)


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [("badrequest", 400), ("overloaded", 503), ("ratelimited", 429), ("unauthorized", 502)],
)
def test_a_refusal_is_in_ollamas_words(client, model, speaks, behaviour, status):
    with pytest.raises(ollama.ResponseError) as error:
        client.chat(model(f"{behaviour}-{speaks}"), MESSAGES)
    assert error.value.status_code == status
    assert error.value.error and not error.value.error.startswith("{")


def test_an_unknown_model_is_not_found_and_near_names_are_told(client):
    with pytest.raises(ollama.ResponseError) as error:
        client.chat("gpt-5.1-mimi", MESSAGES)
    assert error.value.status_code == 404
    assert "gpt-5.1-mini" in error.value.error


def test_an_unknown_key_is_refused(gateway):
    with connect(gateway["url"], "sk-not-a-client-of-this") as client:
        with pytest.raises(ollama.ResponseError) as error:
            client.chat("gpt-5.1", MESSAGES)
    assert error.value.status_code == 401


def test_what_is_not_served_says_what_is(client):
    with pytest.raises(ollama.ResponseError) as error:
        client.generate("gpt-5.1", "Hello?")
    assert error.value.status_code == 404
    assert "POST /api/chat" in error.value.error
