"""The official Anthropic SDK through the gateway."""

import json

import anthropic
import pytest

import manifests
from rig import http

PIECES = ["Hello", " from", " the", " scripted", " upstream."]
MESSAGES = [{"role": "user", "content": "Hello?"}]
WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
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
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, **options)


def ask(client, model, **options):
    return client.messages.create(model=model, max_tokens=64, messages=MESSAGES, **options)


def pieces(events):
    return [e.delta.text for e in events if e.type == "content_block_delta"]


def test_a_message_is_answered_with_the_providers_key(client, gateway, upstream, model):
    name = model("plain-claude")
    answer = ask(client, name)
    assert answer.content[0].text == "".join(PIECES)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    request = upstream.request(name)
    assert request["headers"]["x-api-key"] == manifests.ANTHROPIC_KEY
    assert request["headers"]["anthropic-version"], "the client's version goes on"
    assert gateway["key"] not in json.dumps(request), "the client's key stays here"


def test_a_bearer_token_is_a_key_as_well(gateway, upstream, model):
    name = model("plain-claude")
    with anthropic.Anthropic(
        base_url=gateway["url"], auth_token=gateway["key"], max_retries=0
    ) as client:
        assert ask(client, name).content
    assert gateway["key"] not in json.dumps(upstream.request(name))


def test_a_stream_arrives_event_by_event(client, upstream, model):
    name = model("gated-claude")
    stream = iter(ask(client, name, stream=True))
    arrived = []
    while "content_block_delta" not in [event.type for event in arrived]:
        arrived.append(next(stream))
    # The provider holds everything after the first piece back.
    upstream.await_gate(name)
    assert pieces(arrived) == PIECES[:1]
    assert upstream.request(name)["outcome"] == "open"
    upstream.open_gate(name)
    rest = list(stream)
    assert pieces(rest) == PIECES[1:]
    assert rest[-1].type == "message_stop"


def test_the_stream_helper_gathers_the_message(client, model):
    with client.messages.stream(
        model=model("plain-claude"), max_tokens=64, messages=MESSAGES
    ) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == "".join(PIECES)
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 7)


@pytest.mark.parametrize("streams", [False, True])
def test_a_tool_is_called(client, model, streams):
    name = model("tools-claude")
    if streams:
        with client.messages.stream(
            model=name, max_tokens=64, messages=MESSAGES, tools=[WEATHER]
        ) as stream:
            message = stream.get_final_message()
    else:
        message = ask(client, name, tools=[WEATHER])
    assert message.stop_reason == "tool_use"
    assert (message.content[0].name, message.content[0].input) == ("get_weather", {"city": "Paris"})


def test_an_alias_reaches_its_model(client, upstream):
    assert ask(client, "haiku").content
    assert upstream.requests("claude-haiku-4-5")


def test_beta_headers_reach_the_provider(client, upstream, model):
    name = model("plain-claude")
    ask(client, name, extra_headers={"anthropic-beta": "context-1m-2025-08-07"})
    assert upstream.request(name)["headers"]["anthropic-beta"] == "context-1m-2025-08-07"


def test_an_unknown_key_is_an_authentication_error(gateway):
    with connect(gateway["url"], "sk-ant-not-a-client-of-this") as client:
        with pytest.raises(anthropic.AuthenticationError) as error:
            ask(client, "claude-sonnet-4-6")
    assert error.value.body["error"]["type"] == "authentication_error"
    assert "sk-ant-not-a-client-of-this" not in str(error.value)


def test_an_unknown_model_is_not_found_and_near_names_are_told(client):
    with pytest.raises(anthropic.NotFoundError) as error:
        ask(client, "claude-sonet-4-6")
    assert error.value.body["error"]["type"] == "not_found_error"
    assert "claude-sonnet-4-6" in error.value.body["error"]["message"]


def test_a_model_of_a_chat_upstream_answers_in_the_clients_dialect(client):
    answer = ask(client, "gpt-5.1")
    assert answer.type == "message"
    assert answer.model == "gpt-5.1"
    assert answer.content[0].text
    assert answer.usage.input_tokens > 0


def test_a_translated_stream_is_whole(client):
    events = list(ask(client, "gpt-5.1", stream=True))
    assert events[0].type == "message_start"
    assert events[-1].type == "message_stop"
    assert "".join(e.delta.text for e in events if e.type == "content_block_delta")


def test_a_translated_stream_that_is_cut_is_an_error_and_no_end(client):
    with pytest.raises(anthropic.APIError):
        for _ in ask(client, "cut-openai-x", stream=True):
            pass


@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_stream_that_breaks_off_is_an_error_and_no_end(client, model, behaviour):
    arrived = []
    with pytest.raises(anthropic.APIError):
        for event in ask(client, model(f"{behaviour}-claude"), stream=True):
            arrived.append(event)
    assert pieces(arrived) == PIECES[:1]
    assert not {"message_delta", "message_stop"} & {event.type for event in arrived}


@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_broken_stream_has_no_message_stop(gateway, model, behaviour):
    body = {
        "model": model(f"{behaviour}-claude"),
        "max_tokens": 64,
        "messages": MESSAGES,
        "stream": True,
    }
    headers = {"x-api-key": gateway["key"], "anthropic-version": "2023-06-01"}
    answer = http(f"{gateway['url']}/v1/messages", body, headers)
    assert b'"Hello"' in answer.body
    assert b"event: error" in answer.body
    assert b"message_stop" not in answer.body


def test_a_whole_answer_that_breaks_off_is_an_error(client, model):
    with pytest.raises(anthropic.APIError):
        ask(client, model("cut-claude"))


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        # 529 has a class of its own in 1.x, below InternalServerError in 2.x.
        ("overloaded", anthropic.APIStatusError),
        ("lateerror", anthropic.APIError),
        ("ratelimited", anthropic.RateLimitError),
        ("badrequest", anthropic.BadRequestError),
        ("broken", anthropic.InternalServerError),
        ("cuthead", anthropic.APIError),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_what_a_provider_refuses_is_an_error_of_the_sdk(client, model, behaviour, expected, streams):
    with pytest.raises(expected):
        answer = ask(client, model(f"{behaviour}-claude"), stream=streams)
        list(answer)


def test_a_client_that_leaves_a_stream_cancels_it(client, upstream, model):
    name = model("stall-claude")
    stream = ask(client, name, stream=True)
    next(iter(stream))
    stream.close()
    assert upstream.outcome(name) == "client-gone"


def test_a_client_that_gives_up_waiting_cancels_the_request(gateway, upstream, model):
    name = model("stallhead-claude")
    with connect(gateway["url"], gateway["key"], timeout=0.5) as client:
        with pytest.raises(anthropic.APITimeoutError):
            ask(client, name)
    assert upstream.outcome(name) == "client-gone"


def test_malformed_json_is_a_bad_request_in_the_dialect(gateway):
    headers = {"x-api-key": gateway["key"], "anthropic-version": "2023-06-01"}
    answer = http(f"{gateway['url']}/v1/messages", b'{"model": "claude-sonnet-4-6", ', headers)
    assert answer.status == 400
    assert answer.json()["type"] == "error"
