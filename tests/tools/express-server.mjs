// An MCP server behind Express, set up the usual way, that writes down every tool it runs.
//
//   node express-server.mjs --sdk 1|2 --record FILE [--port 0]
//
// --sdk 1     @modelcontextprotocol/sdk: the revisions up to 2025-11-25
// --sdk 2     @modelcontextprotocol/server: 2026-07-28, and the older ones without a session
// --record    file to append to, NDJSON, one object a run: `tool`, and what a front door said of the
//             caller in `x-cedargate-subject` and `x-cedargate-scopes`, empty without one
// --port N    0 lets the system choose; the ready line on standard output tells which

import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    sdk: { type: 'string' },
    record: { type: 'string' },
    port: { type: 'string', default: '0' },
  },
});
appendFileSync(options.record, '');

const TOOLS = ['greet', 'danger'];

function withTools(server, header) {
  for (const tool of TOOLS) {
    server.registerTool(tool, { description: `Says that ${tool} ran.` }, () => {
      const run = {
        tool,
        subject: header('x-cedargate-subject') ?? '',
        scopes: header('x-cedargate-scopes') ?? '',
      };
      appendFileSync(options.record, `${JSON.stringify(run)}\n`);
      return { content: [{ type: 'text', text: `ran ${tool}` }] };
    });
  }
  return server;
}

// A server and a transport for each request, and one JSON object for an answer.
async function first() {
  const { createMcpExpressApp } = await import('@modelcontextprotocol/sdk/server/express.js');
  const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js');
  const { StreamableHTTPServerTransport } = await import(
    '@modelcontextprotocol/sdk/server/streamableHttp.js'
  );
  const app = createMcpExpressApp();
  app.post('/mcp', async (request, response) => {
    const server = new McpServer({ name: 'two-tools', version: '1.0.0' });
    withTools(server, (name) => request.get(name));
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: undefined,
      enableJsonResponse: true,
    });
    response.on('close', () => server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  app.all('/mcp', (_request, response) => response.status(405).end());
  return app;
}

async function second() {
  const { createMcpExpressApp } = await import('@modelcontextprotocol/express');
  const { toNodeHandler } = await import('@modelcontextprotocol/node');
  const { McpServer, createMcpHandler } = await import('@modelcontextprotocol/server');
  const handler = createMcpHandler(
    ({ requestInfo }) => {
      const server = new McpServer({ name: 'two-tools', version: '1.0.0' });
      return withTools(server, (name) => requestInfo?.headers.get(name));
    },
    { responseMode: 'json' },
  );
  const serve = toNodeHandler(handler);
  const app = createMcpExpressApp();
  app.all('/mcp', (request, response) => serve(request, response, request.body));
  return app;
}

const app = await (options.sdk === '1' ? first() : second());
// What Express says of its own accord about a request that it cannot read is an answer, not news.
app.use((error, _request, response, next) => {
  if (response.headersSent) return next(error);
  return response.status(error.status ?? 500).json({ error: error.message });
});
const listener = app.listen(Number(options.port), '127.0.0.1', () => {
  console.log(JSON.stringify({ port: listener.address().port }));
});
