"""The official OpenAI SDK through the gateway: Responses and embeddings."""

import json
import pathlib

import openai
import pytest

import manifests
from test_openai import PIECES, connect

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CODEX = pathlib.Path(__file__).parent.parent / "fixtures/translate/openai-responses/codex.json"


@pytest.fixture
def gateway(agentkube):
    return agentkube.gateway("models")


@pytest.fixture
def client(gateway):
    with connect(gateway["url"], gateway["key"]) as client:
        yield client


def ask(client, model, **options):
    return client.responses.create(**{"model": model, "input": "Hello?", **options})


def sent(upstream, name):
    return json.loads(upstream.request(name)["body"])


def kinds(events):
    return [event.type for event in events]


def test_a_response_passes_with_the_providers_key(client, gateway, upstream, model):
    name = model("plain-openai")
    answer = ask(client, name, prompt_cache_key="ours")
    assert answer.output_text == "".join(PIECES)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    request = upstream.request(name)
    assert request["path"].startswith("/v1/responses")
    assert request["headers"]["authorization"] == f"Bearer {manifests.OPENAI_KEY}"
    assert gateway["key"] not in json.dumps(request), "the client's key stays here"
    assert json.loads(request["body"])["prompt_cache_key"] == "ours"


def test_a_stream_passes_event_by_event(client, upstream, model):
    name = model("gated-openai")
    stream = iter(ask(client, name, stream=True))
    arrived = [next(stream)]
    while arrived[-1].type != "response.output_text.delta":
        arrived.append(next(stream))
    upstream.await_gate(name)
    assert kinds(arrived)[:2] == ["response.created", "response.in_progress"]
    upstream.open_gate(name)
    rest = list(stream)
    assert rest[-1].type == "response.completed"
    assert rest[-1].response.usage.total_tokens == 18


@pytest.mark.parametrize("side", ["openai", "claude"])
def test_the_sdks_own_stream_is_whole(client, model, side):
    with client.responses.stream(model=model(f"plain-{side}"), input="Hello?") as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == "".join(PIECES)
    assert final.status == "completed"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (11, 7)


@pytest.mark.parametrize("side", ["openai", "claude"])
def test_a_streamed_call_is_assembled(client, model, side):
    with client.responses.stream(
        model=model(f"tools-{side}"), input="Weather?", tools=[WEATHER]
    ) as stream:
        final = stream.get_final_response()
    [call] = [item for item in final.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    assert side == "openai" or final.tools[0].name == "get_weather"


def test_an_anthropic_upstream_answers_as_a_response(client, upstream, model):
    name = model("plain-claude")
    answer = ask(client, name, instructions="Be brief.", max_output_tokens=100)
    assert answer.object == "response"
    assert answer.model == name
    assert answer.instructions == "Be brief."
    assert answer.output_text == "".join(PIECES)
    request = sent(upstream, name)
    assert request["system"][0]["text"] == "Be brief."
    assert request["max_tokens"] == 100


@pytest.mark.parametrize("streams", [False, True])
def test_thoughts_of_claude_survive_a_turn_with_tools(client, upstream, model, streams):
    name = model("thinking-claude")
    conversation = [{"role": "user", "content": "Weather?"}]
    for turn in range(2):
        answer = ask(client, name, input=conversation, tools=[WEATHER], stream=streams)
        if streams:
            answer = [event for event in answer][-1].response
        conversation += answer.output
        for call in [item for item in answer.output if item.type == "function_call"]:
            conversation.append({
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": "18 degrees",
            })
    assert answer.output_text == "".join(PIECES)
    assert "The user wants" not in answer.output_text
    [_, second] = upstream.requests(name)
    thought, call = json.loads(second["body"])["messages"][1]["content"]
    assert thought == {
        "type": "thinking",
        "thinking": "The user wants the weather.",
        "signature": "RXZpZGVuY2Ugb2YgdGhlIHRlc3Qga2l0",
    }
    assert call["type"] == "tool_use"


def test_a_conversation_with_claude_goes_on_at_openai(client, upstream, model):
    first = ask(client, model("thinking-claude"), input="Weather?", tools=[WEATHER])
    conversation = [{"role": "user", "content": "Weather?"}, *first.output]
    call = first.output[-1]
    conversation.append(
        {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
    )
    # The scripted provider refuses what it did not encrypt, as OpenAI does.
    name = model("thinking-openai")
    answer = ask(client, name, input=conversation, tools=[WEATHER])
    assert answer.output_text == "".join(PIECES)
    again = ask(client, model("thinking-openai"), input=[*conversation, *answer.output])
    assert again.status == "completed"


def test_tools_in_namespaces_reach_claude_and_come_back(client, upstream, model):
    name = model("tools-claude")
    asked = json.loads(CODEX.read_text()) | {"model": name, "stream": False}
    asked["tools"].append({
        "type": "namespace",
        "name": "mcp__weather",
        "description": "Weather.",
        "tools": [{**WEATHER, "name": "get"}],
    })
    client.responses.create(**asked)
    names = [tool["name"] for tool in sent(upstream, name)["tools"]]
    assert "mcp__weather__get" in names
    assert "mcp__github__list_issues" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("side", ["openai", "claude"])
@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_stream_that_breaks_off_is_never_completed(client, model, behaviour, side):
    arrived = []
    try:
        for event in ask(client, model(f"{behaviour}-{side}"), stream=True):
            arrived.append(event)
    except openai.APIError:
        pass
    assert "response.completed" not in kinds(arrived)
    if behaviour == "cut" and not arrived:
        # The reset took with it what had not been read: nothing came, and that was said.
        return
    assert [e.delta for e in arrived if e.type == "response.output_text.delta"] == PIECES[:1]
    assert arrived[-1].type in ("error", "response.failed")


@pytest.mark.parametrize("side", ["openai", "claude"])
@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("overloaded", openai.InternalServerError),
        ("lateerror", openai.APIError),
        ("ratelimited", openai.RateLimitError),
        ("badrequest", openai.BadRequestError),
        ("broken", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_what_a_provider_refuses_is_an_error_of_the_sdk(
    client, model, behaviour, expected, side, streams
):
    with pytest.raises(expected):
        list(ask(client, model(f"{behaviour}-{side}"), stream=streams))


@pytest.mark.parametrize("side", ["openai", "claude"])
def test_what_nobody_keeps_is_refused_by_name(client, model, side):
    for field, value in [("previous_response_id", "resp_1"), ("background", True)]:
        with pytest.raises(openai.BadRequestError) as error:
            ask(client, model(f"plain-{side}"), **{field: value})
        assert error.value.param == field
    with pytest.raises(openai.NotFoundError) as error:
        client.responses.retrieve("resp_1")
    assert "`input`" in error.value.message


def test_what_cannot_be_carried_is_named(client, model):
    raw = client.responses.with_raw_response.create(
        model=model("plain-claude"), input="Hello?", tools=[{"type": "web_search"}], store=True
    )
    assert raw.headers["x-agentkube-dropped"] == "store, tools[0]"


def test_a_model_without_chat_is_asked_by_responses(client, upstream):
    answer = client.chat.completions.create(
        model="gpt-5.1-codex", messages=[{"role": "user", "content": "Hello?"}]
    )
    assert answer.choices[0].message.content == "".join(PIECES)
    assert upstream.requests("gpt-5.1-codex")[0]["path"].startswith("/v1/responses")


def test_texts_are_embedded(client, upstream):
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert [item.embedding for item in answer.data] == [[0.5, -1.0, 0.25]] * 2
    assert answer.usage.prompt_tokens == 11
    assert upstream.requests("text-embedding-3-small")[0]["path"].startswith("/v1/embeddings")


def test_a_model_without_embeddings_says_who_has_them(client, model):
    with pytest.raises(openai.BadRequestError) as error:
        client.embeddings.create(model=model("plain-claude"), input="a")
    assert error.value.param == "model"
    assert "openai" in error.value.message
