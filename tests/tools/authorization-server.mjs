// A real OAuth 2.1 authorization server on a loopback port, for the end-to-end tests.
//
//   node authorization-server.mjs --resource http://127.0.0.1:8000/mcp [--port 0] [...]
//
// --port N            0 lets the system choose; the ready line on standard output tells which
// --resource URL      an audience that tokens may be asked for (RFC 8707), as JWTs; repeat for more
// --opaque URL        the same, but its tokens are opaque and can be introspected (RFC 7662)
// --algorithm NAME    a signing algorithm, default ES256; repeat for more, the first is the default
// --ttl SECONDS       lifetime of access tokens, default 300
// --scope NAME        a scope that may be asked for; repeat for more
//
// Three form parameters of the token endpoint shape one token, so that a test needs no server of
// its own: `test_claims` (a JSON object of claims to add), `test_algorithm` and `test_ttl`. A `DPoP`
// proof binds a token to its key (RFC 9449); the client `svc-bound` gets tokens that are bound to the
// certificate (RFC 8705) in the header `x-test-client-certificate`, base64 of the DER: what a proxy
// that ends TLS would pass on. The client `rs` is the resource server: only it may introspect.
//
// Beside the protocol's own endpoints:
//   GET  /_test/hits                     how often discovery, JWKS, token and introspection were asked
//   POST /_test/rotate[?keep|?same_kid|?announce|?promote|?withdraw]
//                                        new signing keys; `keep` also publishes the old ones,
//                                        `same_kid` gives the new keys the old keys' names;
//                                        `announce` publishes new keys and signs with the old ones,
//                                        `promote` signs with the announced ones, and
//                                        `withdraw` publishes only what signs;
//                                        opaque tokens and sign-ins from before are forgotten
//   POST /_test/fault?status=N&delay=MS  what discovery and JWKS answer from now on; 0 and 0: as usual

import http from 'node:http';
import { parseArgs } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { errors } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    resource: { type: 'string', multiple: true, default: [] },
    opaque: { type: 'string', multiple: true, default: [] },
    algorithm: { type: 'string', multiple: true, default: ['ES256'] },
    ttl: { type: 'string', default: '300' },
    scope: {
      type: 'string',
      multiple: true,
      default: ['mcp:read', 'mcp:tools', 'mcp:admin', 'mcp:destructive'],
    },
  },
});

// What tokens say about whom, unless `test_claims` says otherwise. The clients act for themselves,
// with the secret `<id>-secret`; the others are people, who sign in through `app`.
const CLIENTS = {
  svc: {},
  'svc-bound': { roles: ['viewer'] },
  'svc-admin': { roles: ['admin'], groups: ['platform'], tenant: 'acme' },
  'svc-viewer': { roles: ['viewer'], groups: ['staff'], tenant: 'acme' },
};
const PEOPLE = {
  alice: { roles: ['admin'], groups: ['platform'], tenant: 'acme' },
  bob: { roles: ['viewer'], groups: ['staff'], tenant: 'acme' },
  mallory: { roles: ['admin'], groups: ['suspended'], tenant: 'umbrella' },
};

const DISCOVERY = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];
const hits = { discovery: 0, jwks: 0, token: 0, introspection: 0 };
const fault = { status: 0, delay: 0 };
let generation = 0;
let keys = [await makeKeys()];
let issuer;
let provider;
let answer;

async function makeKeys(kid = (algorithm) => `${algorithm}-${generation}`) {
  return Promise.all(
    options.algorithm.map(async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      return { ...(await exportJWK(privateKey)), kid: kid(alg), alg, use: 'sig' };
    }),
  );
}

// One set of keys a generation; what comes first signs.
async function rotate(query) {
  const old = keys;
  if (query.has('promote')) keys = [old.at(-1), ...old.slice(0, -1)];
  else if (query.has('withdraw')) keys = old.slice(0, 1);
  else {
    generation += 1;
    const named = query.has('same_kid')
      ? (alg) => old[0].find((key) => key.alg === alg).kid
      : undefined;
    const made = await makeKeys(named);
    if (query.has('announce')) keys = [...old, made];
    else keys = query.has('keep') ? [made, ...old] : [made];
  }
  start();
  return keys.flat().map((key) => key.kid);
}

// oidc-provider reads its keys once, so a new key set means a new provider, with an empty store.
function start() {
  provider = new Provider(issuer, configuration());
  answer = provider.callback();
}

function configuration() {
  return {
    jwks: { keys: keys.flat() },
    scopes: ['openid', 'offline_access', ...options.scope],
    clients: clients(),
    // Nobody here reads ID tokens, but every client must name an algorithm that there is a key for.
    clientDefaults: { id_token_signed_response_alg: options.algorithm[0] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    pkce: { required: () => true },
    ttl: { AccessToken: lifetime, ClientCredentials: lifetime },
    extraTokenClaims: async (ctx, token) => ({
      ...(token.accountId ? PEOPLE[token.accountId] : CLIENTS[token.clientId]),
      ...JSON.parse(form(ctx, 'test_claims') ?? '{}'),
    }),
    findAccount: async (_ctx, id) =>
      Object.hasOwn(PEOPLE, id) ? { accountId: id, claims: async () => ({ sub: id }) } : undefined,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: async (_ctx, client) => client.clientId === 'rs',
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => ctx.get('x-test-client-certificate') || undefined,
      },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => undefined,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (ctx, resource) => resourceServer(ctx, resource),
      },
    },
  };
}

function clients() {
  const machines = Object.keys(CLIENTS).map((id) => ({
    client_id: id,
    client_secret: `${id}-secret`,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    tls_client_certificate_bound_access_tokens: id === 'svc-bound',
  }));
  const resourceServerItself = {
    client_id: 'rs',
    client_secret: 'rs-secret',
    grant_types: [],
    redirect_uris: [],
    response_types: [],
  };
  // A native application: on loopback any port of the redirect URI is as good as another
  // (RFC 8252, section 7.3).
  const app = {
    client_id: 'app',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
  };
  return [...machines, resourceServerItself, app];
}

function resourceServer(ctx, resource) {
  const opaque = options.opaque.includes(resource);
  if (!opaque && !options.resource.includes(resource)) throw new errors.InvalidTarget();
  return {
    scope: options.scope.join(' '),
    audience: resource,
    accessTokenFormat: opaque ? 'opaque' : 'jwt',
    accessTokenTTL: lifetime(ctx),
    jwt: { sign: { alg: form(ctx, 'test_algorithm') ?? options.algorithm[0] } },
  };
}

function lifetime(ctx) {
  return Number(form(ctx, 'test_ttl') ?? options.ttl);
}

function form(ctx, name) {
  return ctx?.oidc?.body?.[name];
}

// There is nobody to click: whoever `login_hint` names signs in and agrees to everything.
async function interact(request, response) {
  const { prompt, params, grantId, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, {
      login: { accountId: params.login_hint ?? 'alice' },
    });
  }
  const grant =
    (grantId && (await provider.Grant.find(grantId))) ||
    new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(
    request,
    response,
    { consent },
    { mergeWithLastSubmission: true },
  );
}

async function serve(request, response) {
  const url = new URL(request.url, issuer);
  const json = (value) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /_test/hits':
      return json(hits);
    case 'POST /_test/rotate':
      return json(await rotate(url.searchParams));
    case 'POST /_test/fault':
      fault.status = Number(url.searchParams.get('status') ?? 0);
      fault.delay = Number(url.searchParams.get('delay') ?? 0);
      return json(fault);
  }
  if (url.pathname.startsWith('/interaction/')) return interact(request, response);
  if (url.pathname === '/token') hits.token += 1;
  if (url.pathname === '/token/introspection') hits.introspection += 1;
  const isDiscovery = DISCOVERY.includes(url.pathname);
  if (isDiscovery) hits.discovery += 1;
  if (url.pathname === '/jwks') hits.jwks += 1;
  if (isDiscovery || url.pathname === '/jwks') {
    await new Promise((resolve) => setTimeout(resolve, fault.delay));
    if (fault.status) return response.writeHead(fault.status).end();
  }
  return answer(request, response);
}

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(Number(options.port), '127.0.0.1', () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  start();
  console.log(JSON.stringify({ port, issuer }));
});
