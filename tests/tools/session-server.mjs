// A real MCP server with sessions on a loopback port, for the end-to-end tests.
//
//   node session-server.mjs
//
// It is the TypeScript SDK's own: every `initialize` gets a session id and a server of its own, whose
// tool `get_forecast` says how often it was called in that session. DELETE ends a session. The ready
// line on standard output tells the port; every request adds a line with its method, its session and
// the status of its answer, as soon as that has begun.

import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const sessions = new Map();

async function open() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    enableJsonResponse: true,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  const server = new McpServer({ name: 'weather', version: '1.0.0' });
  let calls = 0;
  server.registerTool(
    'get_forecast',
    { description: 'The forecast for a city.', inputSchema: { city: z.string() } },
    ({ city }) => {
      calls += 1;
      return { content: [{ type: 'text', text: `Sunny in ${city}, call ${calls}` }] };
    },
  );
  await server.connect(transport);
  return transport;
}

async function serve(request, response) {
  const id = request.headers['mcp-session-id'];
  const { method } = request;
  const writeHead = response.writeHead.bind(response);
  response.writeHead = (status, ...rest) => {
    console.log(JSON.stringify({ method, session: id ?? null, status }));
    return writeHead(status, ...rest);
  };
  const transport = id === undefined ? await open() : sessions.get(id);
  if (!transport) return response.writeHead(404).end();
  return transport.handleRequest(request, response);
}

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
