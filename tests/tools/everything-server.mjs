// An MCP server with everything that the official conformance suite asks for, for the tests that run
// that suite with and without a proxy in front of it.
//
//   node everything-server.mjs --revision 2025-11-25     sessions, the handshake, server requests
//   node everything-server.mjs --revision 2026-07-28     no sessions, input asked for in results
//
// It listens on a loopback port at `/mcp` and prints one line of JSON with the port. What each tool,
// prompt and resource must do is written in the suite's own scenarios.

import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createMcpExpressApp as createModernApp } from '@modelcontextprotocol/express';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { Server as SessionServer } from '@modelcontextprotocol/sdk/server/index.js';
import { createMcpExpressApp as createSessionApp } from '@modelcontextprotocol/sdk/server/express.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as v1 from '@modelcontextprotocol/sdk/types.js';
import {
  McpServer, ResourceTemplate, acceptedContent, completable, createMcpHandler, createRequestStateCodec,
  fromJsonSchema, inputRequired,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { EXTENSION, WITHOUT_TASKS, withTasks } from './everything-server-tasks.mjs';

const NAME = { name: 'everything', version: '1.0.0' };
// One red pixel, and a tenth of a millisecond of silence.
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==';

const text = (words) => ({ type: 'text', text: words });
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const embedded = (uri, mimeType, words) => ({ type: 'resource', resource: { uri, mimeType, text: words } });
const says = (...content) => ({ content });
const user = (content) => ({ role: 'user', content });
const object = (properties = {}, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
});
const STRING = { type: 'string' };

// What both revisions serve. `call` hides how each of them reports progress.
const TOOLS = {
  test_simple_text: () => says(text('One line of plain text.')),
  test_image_content: () => says(image),
  test_audio_content: () => says({ type: 'audio', data: WAV, mimeType: 'audio/wav' }),
  test_embedded_resource: () => says(embedded('test://embedded-resource', 'text/plain', 'Inside.')),
  test_multiple_content_types: () =>
    says(
      text('Three kinds of content:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"kinds":3}'),
    ),
  greet: ({ name }) => says(text(`Hello, ${name}!`)),
  test_error_handling: () => ({ ...says(text('This tool always fails.')), isError: true }),
  test_tool_with_progress: async (_, call) => {
    for (const progress of [0, 50, 100]) await call.progress(progress, 100);
    return says(text('All the way.'));
  },
  json_schema_2020_12_tool: ({ name }) => says(text(`Called for ${name}.`)),
};
const SCHEMAS = {
  json_schema_2020_12_tool: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...object(
      {
        name: STRING,
        address: { $ref: '#/$defs/address' },
        contact: { type: 'string', enum: ['phone', 'email'] },
        phone: STRING,
        email: STRING,
      },
      [],
    ),
    $defs: { address: { $anchor: 'address', ...object({ street: STRING, city: STRING }, []) } },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contact: { const: 'phone' } }, required: ['contact'] },
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  },
  greet: object({ name: STRING }),
  test_sampling: object({ prompt: STRING }),
  test_elicitation: object({ message: STRING }),
  test_custom_header: object({ region: { type: 'string', 'x-mcp-header': 'Region' } }),
};
const schema = (name) => SCHEMAS[name] ?? object();

const PROMPTS = {
  test_simple_prompt: { run: () => [user(text('Say something.'))] },
  test_prompt_with_arguments: {
    arguments: ['arg1', 'arg2'],
    run: ({ arg1, arg2 }) => [user(text(`One is '${arg1}', the other is '${arg2}'.`))],
  },
  test_prompt_with_embedded_resource: {
    arguments: ['resourceUri'],
    run: ({ resourceUri }) => [
      user(embedded(resourceUri, 'text/plain', 'What the prompt is about.')),
      user(text('Read it.')),
    ],
  },
  test_prompt_with_image: { run: () => [user(image), user(text('Look at it.'))] },
};

const TEMPLATE = 'test://template/{id}/data';
const RESOURCES = {
  'test://static-text': { mimeType: 'text/plain', text: 'Text that never changes.' },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Text that could change.' },
};
const fromTemplate = (uri, id) => ({ uri, mimeType: 'application/json', text: JSON.stringify({ id }) });

// ---- 2025-11-25 ---------------------------------------------------------------------------------

const CHOICES = ['one', 'two', 'three'];
const titled = CHOICES.map((choice) => ({ const: choice, title: `Number ${choice}` }));

// Tools that ask the client for something while they run.
const SESSION_TOOLS = {
  ...TOOLS,
  test_tool_with_logging: async (_, call) => {
    for (const data of ['started', 'working', 'done']) {
      await call.notify('notifications/message', { level: 'info', data });
    }
    return says(text('Three messages were logged.'));
  },
  test_sampling: async ({ prompt }, call) => {
    const params = { messages: [user(text(prompt))], maxTokens: 100 };
    const answer = await call.ask('sampling/createMessage', params, v1.CreateMessageResultSchema);
    return says(text(`The model said: ${answer.content.text}`));
  },
  test_elicitation: ({ message }, call) =>
    call.elicit(message, object({ username: STRING, email: STRING })),
  test_elicitation_sep1034_defaults: (_, call) =>
    call.elicit('Check these defaults.', object({
      name: { ...STRING, default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { ...STRING, enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }, [])),
  test_elicitation_sep1330_enums: (_, call) =>
    call.elicit('Choose.', object({
      untitledSingle: { ...STRING, enum: CHOICES },
      titledSingle: { ...STRING, oneOf: titled },
      legacyEnum: { ...STRING, enum: CHOICES, enumNames: CHOICES.map((choice) => `No. ${choice}`) },
      untitledMulti: { type: 'array', items: { ...STRING, enum: CHOICES } },
      titledMulti: { type: 'array', items: { anyOf: titled } },
    }, [])),
  // Ends its own stream, so that the client must come back for the result.
  test_reconnection: (_, call) => {
    call.hangUp();
    return says(text('Told after a reconnection.'));
  },
};

function callOf(extra) {
  const notify = (method, params) => extra.sendNotification({ method, params });
  const ask = (method, params, result) => extra.sendRequest({ method, params }, result);
  const progressToken = extra._meta?.progressToken;
  const progress = (value, total) =>
    notify('notifications/progress', { progressToken, progress: value, total });
  return {
    notify,
    ask,
    progress: progressToken === undefined ? () => {} : progress,
    elicit: async (message, requestedSchema) => {
      const params = { message, requestedSchema };
      const { action, content } = await ask('elicitation/create', params, v1.ElicitResultSchema);
      return says(text(`The user chose to ${action}: ${JSON.stringify(content)}`));
    },
    hangUp: () => extra.closeSSEStream?.(),
  };
}

function known(table, name) {
  if (!Object.hasOwn(table, name)) throw new v1.McpError(v1.ErrorCode.InvalidParams, `no ${name}`);
  return table[name];
}

function read(uri) {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  return { contents: [id ? fromTemplate(uri, id) : { uri, ...known(RESOURCES, uri) }] };
}

function sessionServer() {
  const capabilities = {
    tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {},
  };
  const server = new SessionServer(NAME, { capabilities });
  const on = (request, run) => server.setRequestHandler(request, ({ params }, extra) => run(params, extra));
  on(v1.ListToolsRequestSchema, () => ({
    tools: Object.keys(SESSION_TOOLS).map((name) => ({
      name, description: `The tool ${name}.`, inputSchema: schema(name),
    })),
  }));
  on(v1.CallToolRequestSchema, ({ name, arguments: given }, extra) =>
    known(SESSION_TOOLS, name)(given ?? {}, callOf(extra)));
  on(v1.ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, prompt]) => ({
      name,
      description: `The prompt ${name}.`,
      arguments: (prompt.arguments ?? []).map((argument) => ({ name: argument, required: true })),
    })),
  }));
  on(v1.GetPromptRequestSchema, ({ name, arguments: given }) => ({
    messages: known(PROMPTS, name).run(given ?? {}),
  }));
  on(v1.ListResourcesRequestSchema, () => ({
    resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({
      uri, name: uri, description: `The resource ${uri}.`, mimeType,
    })),
  }));
  on(v1.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: TEMPLATE, name: 'template' }],
  }));
  on(v1.ReadResourceRequestSchema, ({ uri }) => read(uri));
  on(v1.SubscribeRequestSchema, () => ({}));
  on(v1.UnsubscribeRequestSchema, () => ({}));
  on(v1.CompleteRequestSchema, ({ argument }) => ({
    completion: { values: [`${argument.value}-completed`], hasMore: false },
  }));
  return server;
}

// Keeps every event of a session, for clients that come back with `Last-Event-ID`.
function eventStore() {
  const events = [];
  const replayEventsAfter = async (last, { send }) => {
    const stream = events[Number(last)]?.stream ?? '';
    for (const [id, event] of events.entries()) {
      const missed = id > Number(last) && event.stream === stream && event.message.jsonrpc;
      if (missed) await send(String(id), event.message);
    }
    return stream;
  };
  const storeEvent = async (stream, message) => String(events.push({ stream, message }) - 1);
  return { storeEvent, replayEventsAfter };
}

function withSessions() {
  const sessions = new Map();
  const app = createSessionApp();
  app.all('/mcp', async (request, response) => {
    const id = request.headers['mcp-session-id'];
    let transport = sessions.get(id);
    if (transport === undefined && id !== undefined) {
      const error = { code: -32001, message: 'Session not found' };
      response.status(404).json({ jsonrpc: '2.0', id: null, error });
      return;
    }
    if (transport === undefined) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: eventStore(),
        retryInterval: 50,
        onsessioninitialized: (created) => { sessions.set(created, transport); },
        onsessionclosed: (closed) => { sessions.delete(closed); },
      });
      await sessionServer().connect(transport);
    }
    await transport.handleRequest(request, response, request.body);
  });
  return app;
}

// ---- 2026-07-28 ---------------------------------------------------------------------------------

const codec = createRequestStateCodec({ key: randomBytes(32) });
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

const NEEDS = {
  name: inputRequired.elicit({ message: 'Your name?', requestedSchema: object({ name: STRING }) }),
  color: inputRequired.elicit({ message: 'Your color?', requestedSchema: object({ color: STRING }) }),
  confirm: inputRequired.elicit({ message: 'Sure?', requestedSchema: object({ ok: { type: 'boolean' } }) }),
  context: inputRequired.elicit({ message: 'About what?', requestedSchema: object({ context: STRING }) }),
  sample: inputRequired.createMessage({ messages: [user(text('The capital of France?'))], maxTokens: 100 }),
  roots: inputRequired.listRoots(),
};

// Asks for what is missing; once nothing is, `then` makes the result of the answers.
function once(inputRequests, then) {
  return ({ inputResponses = {} }) => {
    const missing = Object.keys(inputRequests).filter((key) => !inputResponses[key]);
    return missing.length > 0 ? inputRequired({ inputRequests }) : then(inputResponses);
  };
}

// The same with signed state that must come back.
function stateful(inputRequests) {
  return async (request) => {
    if (request.requestState() === undefined) {
      return inputRequired({ inputRequests, requestState: await codec.mint({ round: 1 }) });
    }
    return once(inputRequests, () => says(text('state-ok')))(request);
  };
}

async function inRounds(request) {
  const round = request.requestState()?.round ?? 0;
  if (round === 2) return says(text('Two rounds.'));
  const inputRequests = round === 0 ? { step1: NEEDS.name } : { step2: NEEDS.color };
  return inputRequired({ inputRequests, requestState: await codec.mint({ round: round + 1 }) });
}

function withinCapabilities({ envelope }) {
  const declared = envelope?.[CAPABILITIES] ?? {};
  const inputRequests = {
    ...(declared.sampling ? { sample: NEEDS.sample } : {}),
    ...(declared.elicitation ? { name: NEEDS.name } : {}),
  };
  return inputRequired({ inputRequests });
}

const greet = (answers) => says(text(`Hello, ${acceptedContent(answers, 'user_name')?.name}!`));

// Tools that need something from the client say so in their result.
const MODERN_TOOLS = {
  test_input_required_result_elicitation: once({ user_name: NEEDS.name }, greet),
  test_input_required_result_sampling: once({ capital_question: NEEDS.sample }, () => says(text('Asked.'))),
  test_input_required_result_list_roots: once({ client_roots: NEEDS.roots }, (answers) =>
    says(text(`Roots: ${JSON.stringify(answers.client_roots.roots)}`))),
  test_input_required_result_request_state: stateful({ confirm: NEEDS.confirm }),
  test_input_required_result_multiple_inputs: stateful({
    user_name: NEEDS.name, greeting: NEEDS.sample, client_roots: NEEDS.roots,
  }),
  test_input_required_result_multi_round: inRounds,
  test_input_required_result_tampered_state: stateful({ confirm: NEEDS.confirm }),
  test_input_required_result_capabilities: withinCapabilities,
  test_streaming_elicitation: once({ user_name: NEEDS.name }, greet),
  test_missing_capability: once({ sample: NEEDS.sample }, () => says(text('Asked.'))),
  test_logging_tool: async (request) => {
    await request.log('info', 'Only for who asked for it.');
    return says(text('Logged.'));
  },
  ...WITHOUT_TASKS,
  test_custom_header: () => says(text('The header agreed.')),
  test_trigger_tool_change: () => (modern.notify.toolsChanged(), says(text('Tools changed.'))),
  test_trigger_prompt_change: () => (modern.notify.promptsChanged(), says(text('Prompts changed.'))),
};

const MODERN_SCHEMAS = new Map(
  [...Object.keys(TOOLS), ...Object.keys(MODERN_TOOLS)].map((name) => [name, fromJsonSchema(schema(name))]),
);

function modernServer() {
  const capabilities = { logging: {}, extensions: { [EXTENSION]: {} } };
  const server = new McpServer(NAME, { capabilities, requestState: { verify: codec.verify } });
  const tool = (name, run) =>
    server.registerTool(name, { description: `The tool ${name}.`, inputSchema: MODERN_SCHEMAS.get(name) }, run);
  for (const [name, run] of Object.entries(TOOLS)) {
    tool(name, (given, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      const tell = (params) => mcpReq.notify({ method: 'notifications/progress', params });
      const progress = (value, total) => tell({ progressToken, progress: value, total });
      return run(given, { progress: progressToken === undefined ? () => {} : progress });
    });
  }
  for (const [name, run] of Object.entries(MODERN_TOOLS)) tool(name, (_, { mcpReq }) => run(mcpReq));
  const argument = () => completable(z.string(), (value) => [`${value}-completed`]);
  for (const [name, prompt] of Object.entries(PROMPTS)) {
    const shape = Object.fromEntries((prompt.arguments ?? []).map((key) => [key, argument()]));
    const about = { description: `The prompt ${name}.`, argsSchema: z.object(shape) };
    server.registerPrompt(name, about, (given) => ({ messages: prompt.run(given) }));
  }
  const asking = once({ user_context: NEEDS.context }, () => ({ messages: [user(text('With context.'))] }));
  const about = { description: 'A prompt that asks first.', argsSchema: z.object({}) };
  server.registerPrompt('test_input_required_result_prompt', about, (_, { mcpReq }) => asking(mcpReq));
  for (const [uri, { mimeType, ...content }] of Object.entries(RESOURCES)) {
    const meta = { description: `The resource ${uri}.`, mimeType };
    server.registerResource(uri, uri, meta, () => ({ contents: [{ uri, mimeType, ...content }] }));
  }
  const template = new ResourceTemplate(TEMPLATE, { list: undefined });
  server.registerResource('template', template, { description: 'By id.' }, (uri, { id }) => ({
    contents: [fromTemplate(uri.href, id)],
  }));
  return server;
}

const modern = createMcpHandler(modernServer, { legacy: 'reject' });

function withoutSessions() {
  const app = createModernApp();
  const handle = toNodeHandler(modern);
  app.post('/mcp', withTasks);
  app.all('/mcp', (request, response) => handle(request, response, request.body));
  return app;
}

const { values: options } = parseArgs({ options: { revision: { type: 'string' } } });
const serve = { '2025-11-25': withSessions, '2026-07-28': withoutSessions }[options.revision];
if (serve === undefined) throw new Error(`no such revision: ${options.revision}`);
const listener = serve().listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ port: listener.address().port }));
});
