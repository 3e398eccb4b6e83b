// An MCP server that acts on the body alone: no header of revision 2026-07-28 is looked at, nor Host or
// Origin. Whatever is refused in front of it was refused by what stands there.
//
//   node unvalidated-server.mjs
//
// It listens on a loopback port, at every path, and prints one line of JSON with the port.

import http from 'node:http';

const CACHE = { ttlMs: 0, cacheScope: 'private', resultType: 'complete' };
const RESULTS = {
  'server/discover': () => ({
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
    ...CACHE,
  }),
  'tools/list': () => ({
    tools: [{ name: 'greet', description: 'Greets.', inputSchema: { type: 'object' } }],
    ...CACHE,
  }),
  'tools/call': ({ name }) => ({
    content: [{ type: 'text', text: `Ran ${name}.` }],
    resultType: 'complete',
  }),
};

function answer({ id, method, params }) {
  const result = Object.hasOwn(RESULTS, method) ? RESULTS[method](params) : undefined;
  const error = { code: -32601, message: `no method ${method}` };
  return { jsonrpc: '2.0', id, ...(result ? { result } : { error }) };
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const message = JSON.parse(Buffer.concat(chunks).toString());
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer(message)));
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
