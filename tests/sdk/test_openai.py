"""The official OpenAI SDK through the gateway."""

import json

import openai
import pytest

import manifests
from rig import http

PIECES = ["Hello", " from", " the", " scripted", " upstream."]
MESSAGES = [{"role": "user", "content": "Hello?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def gateway(agentkube):
    return agentkube.gateway("models")


@pytest.fixture
def client(gateway):
    with connect(gateway["url"], gateway["key"]) as client:
        yield client


def connect(url, key, **options):
    # Retries of the SDK would hide what the gateway answers.
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, **options)


def ask(client, model, **options):
    return client.chat.completions.create(model=model, messages=MESSAGES, **options)


def pieces(stream):
    return [c.delta.content for chunk in stream for c in chunk.choices if c.delta.content]


def test_a_chat_is_answered_with_the_providers_key(client, gateway, upstream, model):
    name = model("plain-openai")
    answer = ask(client, name)
    assert answer.choices[0].message.content == "".join(PIECES)
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)
    request = upstream.request(name)
    assert request["headers"]["authorization"] == f"Bearer {manifests.OPENAI_KEY}"
    assert gateway["key"] not in json.dumps(request), "the client's key stays here"


def test_a_stream_arrives_chunk_by_chunk(client, upstream, model):
    name = model("gated-openai")
    stream = iter(ask(client, name, stream=True))
    arrived = [next(stream), next(stream)]
    # The provider holds everything after the first piece back.
    upstream.await_gate(name)
    assert pieces(arrived) == PIECES[:1]
    assert upstream.request(name)["outcome"] == "open"
    upstream.open_gate(name)
    rest = list(stream)
    assert pieces(rest) == PIECES[1:]
    assert rest[-1].choices[0].finish_reason == "stop"
    assert all(chunk.choices for chunk in rest), "usage that was not asked for"


def test_usage_of_a_stream_comes_when_it_is_asked_for(client, model):
    chunks = list(
        ask(client, model("plain-openai"), stream=True, stream_options={"include_usage": True})
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 18


def test_a_tool_is_called(client, upstream, model):
    name = model("tools-openai")
    answer = ask(client, name, tools=[WEATHER])
    call = answer.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Paris"},
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert json.loads(upstream.request(name)["body"])["tools"] == [WEATHER]


def test_a_streamed_tool_call_is_assembled(client, model):
    stream = ask(client, model("tools-openai"), tools=[WEATHER], stream=True)
    deltas = [call for c in stream for choice in c.choices for call in choice.delta.tool_calls or []]
    assert deltas[0].function.name == "get_weather"
    assert json.loads("".join(call.function.arguments for call in deltas)) == {"city": "Paris"}


def test_an_alias_reaches_its_model(client, upstream):
    assert ask(client, "fast").choices
    assert upstream.requests("gpt-5.1-mini")


def test_the_models_are_listed(client):
    assert {"gpt-5.1", "gpt-5.1-mini"} <= {entry.id for entry in client.models.list()}


def test_an_unknown_key_is_an_authentication_error(gateway):
    with connect(gateway["url"], "sk-not-a-client-of-this") as client:
        with pytest.raises(openai.AuthenticationError) as error:
            ask(client, "gpt-5.1")
    assert error.value.status_code == 401
    assert "sk-not-a-client-of-this" not in str(error.value)


def test_an_unknown_model_is_not_found_and_near_names_are_told(client):
    with pytest.raises(openai.NotFoundError) as error:
        ask(client, "gpt-5.1-mimi")
    assert error.value.code == "model_not_found"
    assert "gpt-5.1-mini" in error.value.message


def test_a_model_of_an_anthropic_upstream_answers_in_the_clients_dialect(client):
    answer = ask(client, "claude-sonnet-4-6")
    assert answer.object == "chat.completion"
    assert answer.model == "claude-sonnet-4-6"
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 0


def test_a_translated_stream_is_whole(client):
    chunks = list(ask(client, "claude-sonnet-4-6", stream=True))
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_tools_of_an_anthropic_upstream_are_called(client):
    answer = ask(client, "tools-claude-x")
    calls = answer.choices[0].message.tool_calls
    assert calls and json.loads(calls[0].function.arguments)


def test_a_translated_stream_that_is_cut_is_an_error_and_no_end(client):
    with pytest.raises(openai.APIError):
        for _ in ask(client, "cut-claude-x", stream=True):
            pass


def test_a_missing_secret_is_named_and_not_shown(agentkube):
    keyless = agentkube.gateway("keyless")
    with connect(keyless["url"], keyless["key"]) as client:
        with pytest.raises(openai.InternalServerError) as error:
            ask(client, "gpt-5.1")
    assert error.value.status_code == 503
    assert "absent-secret" in error.value.message
    assert "api-key" in error.value.message


@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_stream_that_breaks_off_is_an_error_and_no_end(client, model, behaviour):
    arrived = []
    with pytest.raises((openai.APIError, openai.APIConnectionError)):
        for chunk in ask(client, model(f"{behaviour}-openai"), stream=True):
            arrived.append(chunk)
    assert pieces(arrived) == PIECES[:1]
    assert all(choice.finish_reason is None for chunk in arrived for choice in chunk.choices)


@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_broken_stream_has_no_done(gateway, model, behaviour):
    body = {"model": model(f"{behaviour}-openai"), "messages": MESSAGES, "stream": True}
    headers = {"authorization": f"Bearer {gateway['key']}"}
    answer = http(f"{gateway['url']}/v1/chat/completions", body, headers)
    assert b'"Hello"' in answer.body
    assert b'"error"' in answer.body
    assert b"[DONE]" not in answer.body


def test_a_whole_answer_that_breaks_off_is_an_error(client, model):
    with pytest.raises(openai.APIError):
        ask(client, model("cut-openai"))


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("overloaded", openai.InternalServerError),
        ("lateerror", openai.APIError),
        ("ratelimited", openai.RateLimitError),
        ("quota", openai.RateLimitError),
        ("badrequest", openai.BadRequestError),
        ("broken", openai.InternalServerError),
        ("cuthead", openai.APIError),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_what_a_provider_refuses_is_an_error_of_the_sdk(client, model, behaviour, expected, streams):
    with pytest.raises(expected):
        answer = ask(client, model(f"{behaviour}-openai"), stream=streams)
        list(answer)


def test_a_client_that_leaves_a_stream_cancels_it(client, upstream, model):
    name = model("stall-openai")
    stream = ask(client, name, stream=True)
    next(iter(stream))
    stream.close()
    assert upstream.outcome(name) == "client-gone"


def test_a_client_that_gives_up_waiting_cancels_the_request(gateway, upstream, model):
    name = model("stallhead-openai")
    with connect(gateway["url"], gateway["key"], timeout=0.5) as client:
        with pytest.raises(openai.APITimeoutError):
            ask(client, name)
    assert upstream.outcome(name) == "client-gone"


def test_malformed_json_is_a_bad_request_in_the_dialect(gateway):
    headers = {"authorization": f"Bearer {gateway['key']}"}
    answer = http(f"{gateway['url']}/v1/chat/completions", b'{"model": "gpt-5.1", ', headers)
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
