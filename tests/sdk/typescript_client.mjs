// The TypeScript SDKs as clients: `node typescript_client.mjs WHICH URL KEY`, with WHICH
// one of legacy (1.x, streamable HTTP), sse (1.x, HTTP+SSE) and modern (2.x).
// Prints what it saw as one line of JSON.

const [which, url, key] = process.argv.slice(2);
const options = { requestInit: { headers: { authorization: `Bearer ${key}` } } };
const info = { name: "typescript", version: "1" };

async function before() {
  const sdk = "@modelcontextprotocol/sdk";
  const { Client } = await import(`${sdk}/client/index.js`);
  const { CreateMessageRequestSchema } = await import(`${sdk}/types.js`);
  const client = new Client(info, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    role: "assistant",
    model: "fake",
    content: { type: "text", text: "Pluto" },
  }));
  let transport;
  if (which === "sse") {
    const { SSEClientTransport } = await import(`${sdk}/client/sse.js`);
    transport = new SSEClientTransport(new URL(url), options);
  } else {
    const { StreamableHTTPClientTransport } = await import(`${sdk}/client/streamableHttp.js`);
    transport = new StreamableHTTPClientTransport(new URL(url), options);
  }
  await client.connect(transport);
  const sampled = await client.callTool({
    name: "trigger-sampling-request",
    arguments: { prompt: "name the planet", maxTokens: 7 },
  });
  return { client, sampled: sampled.content[0].text };
}

async function newest() {
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const client = new Client(info, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
  return { client, version: client.getNegotiatedProtocolVersion() };
}

const { client, ...seen } = which === "modern" ? await newest() : await before();
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const echo = await client.callTool({ name: "echo", arguments: { message: "from TypeScript" } });
console.log(JSON.stringify({ ...seen, tools, echo: echo.content[0].text }));
await client.close();
process.exit(0);
