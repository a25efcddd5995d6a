"""The official SDKs behind one face: ask for text, have a tool called, give its
result back. Each does it as its own documentation shows."""

import contextlib
import json

import anthropic
import boto3
import ollama
import openai
from botocore.config import Config
from google import genai
from google.genai import types

QUESTION, RESULT = "Weather?", "18 degrees"
NAME, ABOUT = "get_weather", "The weather of a city."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Chat:
    """openai, chat completions."""

    tools = [{"type": "function",
              "function": {"name": NAME, "description": ABOUT, "parameters": SCHEMA}}]

    def __init__(self, gateway):
        self.sdk = openai.OpenAI(
            base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0)

    def message(self, model, streams, messages, **more):
        if not streams:
            answer = self.sdk.chat.completions.create(model=model, messages=messages, **more)
            return answer.choices[0].message
        with self.sdk.chat.completions.stream(model=model, messages=messages, **more) as events:
            return events.until_done().get_final_completion().choices[0].message

    def text(self, model, streams):
        return self.message(model, streams, [{"role": "user", "content": QUESTION}]).content

    def calls(self, model, streams):
        self.turns = [{"role": "user", "content": QUESTION}]
        said = self.message(model, streams, self.turns, tools=self.tools)
        called = [{"id": call.id, "type": "function", "function": {
            "name": call.function.name, "arguments": call.function.arguments,
        }} for call in said.tool_calls]
        self.turns.append({"role": "assistant", "tool_calls": called})
        self.turns += [{"role": "tool", "tool_call_id": call["id"], "content": RESULT}
                       for call in called]
        return [(call.function.name, json.loads(call.function.arguments))
                for call in said.tool_calls]

    def answered(self, model, streams):
        return self.message(model, streams, self.turns, tools=self.tools).content


class Responses:
    """openai, responses."""

    tools = [{"type": "function", "name": NAME, "description": ABOUT, "parameters": SCHEMA,
              "strict": False}]

    def __init__(self, gateway):
        self.sdk = openai.OpenAI(
            base_url=f"{gateway['url']}/v1", api_key=gateway["key"], max_retries=0)

    def response(self, model, streams, turns, **more):
        # Statelessly: nobody but OpenAI keeps what was said.
        more = {"store": False, "include": ["reasoning.encrypted_content"], **more}
        if not streams:
            return self.sdk.responses.create(model=model, input=turns, **more)
        with self.sdk.responses.stream(model=model, input=turns, **more) as events:
            return events.until_done().get_final_response()

    def text(self, model, streams):
        return self.response(model, streams, QUESTION).output_text

    def calls(self, model, streams):
        said = self.response(model, streams, QUESTION, tools=self.tools).output
        calls = [item for item in said if item.type == "function_call"]
        self.turns = [{"role": "user", "content": QUESTION}]
        self.turns += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"})
                       for item in said]
        self.turns += [{"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
                       for call in calls]
        return [(call.name, json.loads(call.arguments)) for call in calls]

    def answered(self, model, streams):
        return self.response(model, streams, self.turns, tools=self.tools).output_text


class Messages:
    """anthropic."""

    tools = [{"name": NAME, "description": ABOUT, "input_schema": SCHEMA}]

    def __init__(self, gateway):
        self.sdk = anthropic.Anthropic(
            base_url=gateway["url"], auth_token=gateway["key"], api_key=None, max_retries=0)

    def content(self, model, streams, turns, **more):
        asked = {"model": model, "max_tokens": 100, "messages": turns, **more}
        if not streams:
            return self.sdk.messages.create(**asked).content
        with self.sdk.messages.stream(**asked) as events:
            return events.get_final_message().content

    def text(self, model, streams):
        return texts(self.content(model, streams, [{"role": "user", "content": QUESTION}]))

    def calls(self, model, streams):
        self.turns = [{"role": "user", "content": QUESTION}]
        said = self.content(model, streams, self.turns, tools=self.tools)
        calls = [block for block in said if block.type == "tool_use"]
        self.turns.append({"role": "assistant", "content": said})
        self.turns.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]})
        return [(call.name, call.input) for call in calls]

    def answered(self, model, streams):
        return texts(self.content(model, streams, self.turns, tools=self.tools))


class Google:
    """google-genai."""

    def __init__(self, gateway):
        options = types.HttpOptions(base_url=gateway["url"])
        self.sdk = genai.Client(api_key=gateway["key"], http_options=options)
        declared = {"name": NAME, "description": ABOUT, "parameters_json_schema": SCHEMA}
        self.config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[declared])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))

    def parts(self, model, streams, contents, config=None):
        asked = {"model": model, "contents": contents, "config": config}
        models = self.sdk.models
        chunks = (models.generate_content_stream(**asked) if streams
                  else [models.generate_content(**asked)])
        return [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]

    def text(self, model, streams):
        return texts(self.parts(model, streams, QUESTION))

    def calls(self, model, streams):
        said = self.parts(model, streams, QUESTION, self.config)
        calls = [part.function_call for part in said if part.function_call]
        answers = [types.FunctionResponse(id=call.id, name=call.name, response={"output": RESULT})
                   for call in calls]
        self.turns = [
            types.Content(role="user", parts=[types.Part(text=QUESTION)]),
            types.Content(role="model", parts=said),
            types.Content(role="user", parts=[types.Part(function_response=it) for it in answers]),
        ]
        return [(call.name, call.args) for call in calls]

    def answered(self, model, streams):
        return texts(self.parts(model, streams, self.turns, self.config))


class Converse:
    """boto3."""

    tools = {"tools": [{"toolSpec": {
        "name": NAME, "description": ABOUT, "inputSchema": {"json": SCHEMA}}}]}

    def __init__(self, gateway):
        self.sdk = boto3.client(
            "bedrock-runtime", region_name="us-east-1", endpoint_url=gateway["url"],
            aws_access_key_id="agentkube", aws_secret_access_key="agentkube",
            # Without TLS boto3 sends no bearer.
            aws_session_token=gateway["key"], config=Config(retries={"total_max_attempts": 1}))

    def content(self, model, streams, turns, **more):
        asked = {"modelId": model, "messages": turns, **more}
        if not streams:
            return self.sdk.converse(**asked)["output"]["message"]["content"]
        return gathered(self.sdk.converse_stream(**asked)["stream"])

    def text(self, model, streams):
        said = self.content(model, streams, [{"role": "user", "content": [{"text": QUESTION}]}])
        return "".join(block.get("text", "") for block in said)

    def calls(self, model, streams):
        self.turns = [{"role": "user", "content": [{"text": QUESTION}]}]
        said = self.content(model, streams, self.turns, toolConfig=self.tools)
        calls = [block["toolUse"] for block in said if "toolUse" in block]
        self.turns.append({"role": "assistant", "content": said})
        self.turns.append({"role": "user", "content": [{"toolResult": {
            "toolUseId": call["toolUseId"], "content": [{"text": RESULT}]}} for call in calls]})
        return [(call["name"], call["input"]) for call in calls]

    def answered(self, model, streams):
        said = self.content(model, streams, self.turns, toolConfig=self.tools)
        return "".join(block.get("text", "") for block in said)


class Ollama:
    """ollama."""

    tools = Chat.tools

    def __init__(self, gateway):
        self.sdk = ollama.Client(
            host=gateway["url"], headers={"authorization": f"Bearer {gateway['key']}"})

    def messages(self, model, streams, turns, **more):
        said = self.sdk.chat(model, turns, stream=streams, **more)
        return [part.message for part in (said if streams else [said])]

    def text(self, model, streams):
        said = self.messages(model, streams, [{"role": "user", "content": QUESTION}])
        return "".join(message.content or "" for message in said)

    def calls(self, model, streams):
        self.turns = [{"role": "user", "content": QUESTION}]
        said = self.messages(model, streams, self.turns, tools=self.tools)
        calls = [call for message in said for call in message.tool_calls or []]
        self.turns.append({"role": "assistant", "tool_calls": [call.model_dump() for call in calls]})
        self.turns += [{"role": "tool", "tool_name": call.function.name, "content": RESULT}
                       for call in calls]
        return [(call.function.name, dict(call.function.arguments)) for call in calls]

    def answered(self, model, streams):
        said = self.messages(model, streams, self.turns, tools=self.tools)
        return "".join(message.content or "" for message in said)


SPEAKERS = {"chat": Chat, "responses": Responses, "anthropic": Messages, "google": Google,
            "boto3": Converse, "ollama": Ollama}


def texts(blocks):
    """The text of blocks or parts, without thoughts."""
    shown = (block for block in blocks if not getattr(block, "thought", None))
    return "".join(getattr(block, "text", None) or "" for block in shown)


def gathered(events):
    """The content that a ConverseStream tells."""
    blocks = {}
    for event in events:
        if begun := event.get("contentBlockStart"):
            blocks[begun["contentBlockIndex"]] = {"toolUse": {**begun["start"]["toolUse"], "input": ""}}
        elif more := event.get("contentBlockDelta"):
            index, delta = more["contentBlockIndex"], more["delta"]
            if "text" in delta:
                blocks.setdefault(index, {"text": ""})["text"] += delta["text"]
            elif "toolUse" in delta:
                blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
    for block in blocks.values():
        if call := block.get("toolUse"):
            call["input"] = json.loads(call["input"] or "{}")
    return [blocks[index] for index in sorted(blocks)]


@contextlib.contextmanager
def speaker(name, gateway):
    """A speaker, whose connections are closed afterwards."""
    one = SPEAKERS[name](gateway)
    yield one
    if close := getattr(one.sdk, "close", None):
        close()
