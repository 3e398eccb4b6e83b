// A real MCP server of the revisions with sessions (TypeScript SDK 1.x), whose list of tools has pages.
//
//   node catalogue-server.mjs [--tools 7] [--page 3] [--json] [--stateless]
//
// --tools N       how many tools it has: `tool-0`, `tool-1`, ...
// --page N        how many are on a page; 0 puts all on one
// --json          answers with application/json instead of text/event-stream
// --stateless     keeps no sessions
//
// Beside `/mcp`: GET /_test/log lists what reached `/mcp`, as [method, JSON-RPC method, session given,
// status], and GET /_test/sessions the number of open sessions. `--key` wants that value in `x-api-key`.

import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { parseArgs } from 'node:util';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const { values: options } = parseArgs({
  options: {
    tools: { type: 'string', default: '7' },
    page: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    stateless: { type: 'boolean', default: false },
    key: { type: 'string' },
  },
});

const tools = Array.from({ length: Number(options.tools) }, (_, number) => ({
  name: `tool-${number}`,
  title: `Tool ${number}`,
  description: 'A tool',
  annotations: { readOnlyHint: number % 2 === 0 },
  inputSchema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
}));
const sessions = new Map();
const log = [];

function makeServer() {
  const server = new Server(
    { name: 'catalogue', version: '1.0.0' },
    { capabilities: { tools: {}, logging: {} } },
  );
  server.setRequestHandler(ListToolsRequestSchema, async (request, extra) => {
    // Something that is no answer comes first.
    await extra.sendNotification({
      method: 'notifications/message',
      params: { level: 'info', data: 'listing' },
    });
    const size = Number(options.page) || tools.length;
    const start = request.params?.cursor ? Number(atob(request.params.cursor)) : 0;
    const end = start + size;
    const page = { tools: tools.slice(start, end) };
    return end < tools.length ? { ...page, nextCursor: btoa(String(end)) } : page;
  });
  return server;
}

async function makeTransport() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: options.stateless ? undefined : randomUUID,
    enableJsonResponse: options.json,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await makeServer().connect(transport);
  return transport;
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text ? JSON.parse(text) : undefined;
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const listener = http.createServer(async (request, response) => {
  if (request.url === '/_test/log') return answer(response, 200, log);
  if (request.url === '/_test/sessions') return answer(response, 200, sessions.size);
  const message = await read(request);
  const id = request.headers['mcp-session-id'];
  response.on('finish', () =>
    log.push([request.method, message?.method ?? null, id !== undefined, response.statusCode]),
  );
  if (request.url !== '/mcp') return answer(response, 404, {});
  if (options.key && request.headers['x-api-key'] !== options.key) return answer(response, 401, {});
  const known = options.stateless ? undefined : sessions.get(id);
  if (id !== undefined && !known && !options.stateless) return answer(response, 404, {});
  const transport = known ?? (await makeTransport());
  await transport.handleRequest(request, response, message);
});
listener.listen(0, '127.0.0.1', () =>
  console.log(JSON.stringify({ port: listener.address().port })),
);
