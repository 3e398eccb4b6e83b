// A real MCP client: finds out how to log in, gets a token, and calls one tool.
//
//   node mcp-client.mjs URL --issuer URL [--client-id svc] [--tool get_forecast] [...]
//
// --client-id ID        and --client-secret, by default the id and `-secret`
// --issuer URL          where the credentials belong
// --tool NAME           and --arguments, a JSON object
// --modern              asks for 2026-07-28 first; else it shakes hands as the older revisions do
// --list                lists the tools first
// --until STATUS        calls again until an answer after the first call has this status, and until
//                       that call has an end of its own
// --deadline SECONDS    for everything, default 20
//
// One JSON line on standard output tells what happened; the exit code is 0 only if the tool ran without
// an error every time.
//
//   {"ok": true, "tools": ["get_forecast", ...], "text": "Sunny in Oslo", "requests": [...]}
//   {"ok": false, "error": "...", "requests": [...]}
//
// `requests` holds every HTTP exchange in order, as `[method, url, status]`.

import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  Client,
  ClientCredentialsProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'client-id': { type: 'string', default: 'svc' },
    'client-secret': { type: 'string' },
    issuer: { type: 'string' },
    tool: { type: 'string', default: 'get_forecast' },
    arguments: { type: 'string', default: '{"city": "Oslo"}' },
    modern: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    until: { type: 'string' },
    deadline: { type: 'string', default: '20' },
  },
});

const requests = [];

async function noting(input, init) {
  const response = await fetch(input, init);
  const url = String(input instanceof Request ? input.url : input);
  requests.push([init?.method ?? 'GET', url, response.status]);
  return response;
}

async function run() {
  const id = options['client-id'];
  const provider = new ClientCredentialsProvider({
    clientId: id,
    clientSecret: options['client-secret'] ?? `${id}-secret`,
    expectedIssuer: options.issuer,
  });
  const transport = new StreamableHTTPClientTransport(new URL(positionals[0]), {
    authProvider: provider,
    fetch: noting,
  });
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    options.modern ? { versionNegotiation: { mode: 'auto' } } : {},
  );
  await client.connect(transport);
  const tools = options.list ? (await client.listTools()).tools.map((tool) => tool.name) : [];
  const call = () =>
    client.callTool({ name: options.tool, arguments: JSON.parse(options.arguments) });
  let result = await call();
  const first = requests.length;
  const met = () => requests.slice(first).some(([, , status]) => status === Number(options.until));
  while (options.until && !result.isError && !met()) {
    await pause(100);
    result = await call();
  }
  const text = result.content.map((block) => block.text ?? '').join('');
  await client.close();
  return { ok: !result.isError, tools, text };
}

const deadline = pause(Number(options.deadline) * 1000, undefined, { ref: false }).then(() => {
  throw new Error('the deadline is over');
});
let outcome;
try {
  outcome = await Promise.race([run(), deadline]);
} catch (error) {
  outcome = { ok: false, error: `${error.name}: ${error.message}` };
}
console.log(JSON.stringify({ ...outcome, requests }));
process.exit(outcome.ok ? 0 : 1);
