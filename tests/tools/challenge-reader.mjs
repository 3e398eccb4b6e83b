// What the TypeScript SDKs read in answers, each `[status, [WWW-Authenticate lines]]`.
//
//   node challenge-reader.mjs '[[401, ["Bearer scope=\"a\""]]]'
//
// Prints `{"readings": [{"first": {...}, "second": {...}}]}`: what the first and the second generation
// of the SDK found, as `metadata`, `scope` and `error`, null where there was nothing.

import { extractWWWAuthenticateParams as second } from '@modelcontextprotocol/client';
import { extractWWWAuthenticateParams as first } from '@modelcontextprotocol/sdk/client/auth.js';

const read = (extract, status, lines) => {
  const headers = lines.map((line) => ['www-authenticate', line]);
  const { resourceMetadataUrl, scope, error } = extract(new Response('', { status, headers }));
  return { metadata: resourceMetadataUrl?.href ?? null, scope: scope ?? null, error: error ?? null };
};
const readings = JSON.parse(process.argv[2]).map(([status, lines]) => ({
  first: read(first, status, lines),
  second: read(second, status, lines),
}));
console.log(JSON.stringify({ readings }));
