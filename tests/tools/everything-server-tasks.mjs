// The tasks extension for everything-server.mjs, whose library has none: tools that answer with a task,
// and `tasks/get`, `tasks/update` and `tasks/cancel`. It takes what is of that kind and leaves the rest.

import { randomUUID } from 'node:crypto';

export const EXTENSION = 'io.modelcontextprotocol/tasks';

const METHODS = ['tasks/get', 'tasks/update', 'tasks/cancel'];
const META = 'io.modelcontextprotocol/clientCapabilities';
const OVER = ['completed', 'failed', 'cancelled'];
// What the suite calls a second, in milliseconds: nobody has to wait for real ones.
const SECOND = 100;

const says = (words) => ({ content: [{ type: 'text', text: words }] });
const ask = (message) => ({
  method: 'elicitation/create',
  params: {
    message,
    requestedSchema: { type: 'object', properties: { name: { type: 'string' }, confirm: { type: 'boolean' } } },
  },
});

const tasks = new Map();

function create(then) {
  const now = new Date().toISOString();
  const times = { createdAt: now, lastUpdatedAt: now, ttlMs: 60_000, pollIntervalMs: 50 };
  const task = { taskId: randomUUID(), status: 'working', ...times };
  tasks.set(task.taskId, { task, more: {} });
  then(task.taskId);
  return { resultType: 'task', ...task };
}

function settle(taskId, status, more) {
  const entry = tasks.get(taskId);
  if (OVER.includes(entry.task.status)) return;
  entry.task = { ...entry.task, status, lastUpdatedAt: new Date().toISOString() };
  entry.more = more;
}

const complete = (result) => (id) => settle(id, 'completed', { result: { resultType: 'complete', ...result } });
const wait = (inputRequests) => (id) => settle(id, 'input_required', { inputRequests });

// Tools that become tasks for clients that know of them.
const TOOLS = {
  slow_compute: ({ seconds }) =>
    create((id) => {
      const done = () => complete(says(`${seconds} seconds later.`))(id);
      // A minute is for ever: it ends when it is cancelled.
      if (seconds < 60) setTimeout(done, seconds * SECOND);
    }),
  failing_job: () => create(complete({ ...says('This job fails.'), isError: true })),
  protocol_error_job: () =>
    create((id) => settle(id, 'failed', { error: { code: -32603, message: 'This job breaks.' } })),
  confirm_delete: () => create(wait({ confirm: ask('Really?') })),
  multi_input: () => create(wait({ first: ask('Your name?'), second: ask('Her name?') })),
  // Asks before there is a task.
  test_tool_with_task: (_, { inputResponses }) => {
    const name = inputResponses?.user_name?.content?.name;
    if (name === undefined) {
      return { resultType: 'input_required', inputRequests: { user_name: ask('Your name?') } };
    }
    return create(complete(says(`Hello, ${name}!`)));
  },
};

// The same for clients that know of no tasks; who has no answer here must know of them.
export const WITHOUT_TASKS = {
  slow_compute: () => says('At once.'),
  confirm_delete: () => says('Nothing was deleted.'),
  multi_input: () => says('Nobody was asked.'),
  protocol_error_job: () => says('Nothing broke.'),
  test_tool_with_task: () => says('Hello!'),
};

const ACTIONS = {
  'tasks/get': ({ task, more }) => ({ resultType: 'complete', ...task, ...more }),
  'tasks/cancel': ({ task }) => {
    settle(task.taskId, 'cancelled', {});
    return { resultType: 'complete' };
  },
  'tasks/update': ({ task, more }, { inputResponses }) => {
    const open = Object.entries(more.inputRequests ?? {});
    const left = open.filter(([key]) => !Object.hasOwn(inputResponses, key));
    if (left.length > 0) wait(Object.fromEntries(left))(task.taskId);
    else if (open.length > 0) complete(says('Everybody has answered.'))(task.taskId);
    return { resultType: 'complete' };
  },
};

function run(method, params) {
  if (method === 'tools/call') return TOOLS[params.name](params.arguments ?? {}, params);
  const entry = tasks.get(params.taskId);
  return entry && ACTIONS[method](entry, params);
}

// An Express handler.
export function withTasks(request, response, next) {
  const { id, method, params } = request.body ?? {};
  const isTool = method === 'tools/call' && Object.hasOwn(TOOLS, params?.name ?? '');
  if (!isTool && !METHODS.includes(method)) return next();
  const answer = (status, body) => response.status(status).json({ jsonrpc: '2.0', id, ...body });
  const refuse = (code, message, data) => answer(400, { error: { code, message, data } });
  const name = isTool ? params.name : params.taskId;
  if (request.get('mcp-method') !== method || request.get('mcp-name') !== name) {
    return refuse(-32020, 'a header does not say what the body says');
  }
  if (params._meta?.[META]?.extensions?.[EXTENSION] === undefined) {
    if (isTool && Object.hasOwn(WITHOUT_TASKS, name)) return next();
    const requiredCapabilities = { extensions: { [EXTENSION]: {} } };
    return refuse(-32021, 'this needs the tasks extension', { requiredCapabilities });
  }
  const result = run(method, params);
  return result ? answer(200, { result }) : refuse(-32602, `no task ${name}`);
}
