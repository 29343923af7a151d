// Holds Handscroll to OpenAI's API by npm's openai, unchanged. HANDSCROLL_URL is the
// server; TestNode of this folder starts one and runs this. HANDSCROLL_FAKE says that
// it has the fake backend, whose answers are known.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI, { toFile } from 'openai';

const base = process.env.HANDSCROLL_URL?.replace(/\/$/, '');
if (!base) throw new Error('HANDSCROLL_URL is not set');
const fake = Boolean(process.env.HANDSCROLL_FAKE);
const onlyFake = { skip: fake ? false : "what comes back is up to the model; only the fake backend's is known" };
const apiKey = process.env.HANDSCROLL_KEY || 'local';
const client = (prefix = '/v1', more = {}) => new OpenAI({ baseURL: base + prefix, apiKey, maxRetries: 0, ...more });
const prefixes = ['/v1', '/v1beta/openai'];

const gate = 'What is the gate code?';
const dataURL = (text, type = 'text/plain') => `data:${type};base64,${Buffer.from(text).toString('base64')}`;
const tinyPNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const file = { type: 'file', file: { filename: 'gate.txt', file_data: dataURL('The gate code is 7421.\n') } };
const about = (model, question) => ({ model, messages: [{ role: 'user', content: [file, { type: 'text', text: question }] }] });
const inputFile = [{ role: 'user', content: [
  { type: 'input_file', filename: 'gate.txt', file_data: dataURL('The gate code is 7421.\n') }, { type: 'input_text', text: gate }] }];

const models = (await client().models.list()).data;
const model = models[0].id;
const embedder = models.find((m) => m.embedding_dimensions)?.id;

function said(got, want) {
  if (fake) assert.equal(got, want);
  else assert.ok(got, 'there is no answer');
}

async function fails(promise, status, { code = null, param = null, text = '' }) {
  await assert.rejects(promise, (e) => {
    assert.ok(e instanceof OpenAI.APIError, `${e}`);
    assert.equal(e.status, status, e.message);
    assert.equal(e.code ?? null, code, e.message);
    assert.equal(e.param ?? null, param, e.message);
    assert.ok(e.type, 'an error has a type');
    assert.ok(e.message.includes(text), e.message);
    return true;
  });
}

for (const prefix of prefixes) {
  const c = client(prefix);

  test(`${prefix}: models`, async () => {
    let n = 0;
    for await (const m of c.models.list()) {
      assert.deepEqual(await c.models.retrieve(m.id), m);
      assert.equal(m.object, 'model');
      n++;
    }
    assert.ok(n > 0);
    await fails(c.models.retrieve('gpt-9'), 404, { code: 'model_not_found', param: 'model', text: model });
  });

  test(`${prefix}: chat`, async () => {
    const a = await c.chat.completions.create({ ...about(model, gate), temperature: 0, seed: 1, max_completion_tokens: 100, user: 'u', store: false });
    const [choice] = a.choices;
    said(choice.message.content, gate);
    if (!fake) assert.match(choice.message.content, /7421/);
    assert.equal(choice.finish_reason, 'stop');
    assert.equal(choice.message.evidence[0].source, 'gate.txt');
    assert.match(choice.message.evidence[0].quote, /7421/);
    assert.equal(choice.message.annotations[0].type, 'file_citation');
    assert.equal(a.usage.total_tokens, a.usage.prompt_tokens + a.usage.completion_tokens);
    const again = await c.chat.completions.create(about(model, gate));
    assert.ok(again.usage.prompt_tokens_details.cached_tokens > 0, 'it was read again');
  });

  test(`${prefix}: files`, async () => {
    const made = [];
    for (const name of ['gate.txt', 'other.txt', 'third.txt']) {
      made.push(await c.files.create({ file: await toFile(Buffer.from('The gate code is 7421.\n'), name, { type: 'text/plain' }), purpose: 'assistants' }));
    }
    const [one] = made;
    assert.equal(one.filename, 'gate.txt');
    assert.equal(one.bytes, 23);
    assert.equal(one.purpose, 'assistants');
    const ready = await c.files.waitForProcessing(one.id, { pollInterval: 50, maxWait: 60000 });
    assert.equal(ready.status, 'processed');
    const seen = new Set();
    for await (const f of c.files.list({ limit: 2, purpose: 'assistants', order: 'asc' })) seen.add(f.id);
    for (const f of made) assert.ok(seen.has(f.id));
    assert.equal(await (await c.files.content(one.id)).text(), 'The gate code is 7421.\n');
    const a = await c.chat.completions.create({ model, messages: [{ role: 'user', content: [
      { type: 'file', file: { file_id: one.id } }, { type: 'text', text: gate }] }] });
    said(a.choices[0].message.content, gate);
    assert.equal(a.choices[0].message.evidence[0].file_id, one.id);
    for (const f of made) assert.equal((await c.files.delete(f.id)).deleted, true);
    await fails(c.files.retrieve(one.id), 404, { code: 'not_found', text: one.id });
    await fails(c.files.create({ file: await toFile(Buffer.from('x'), 'a.txt'), purpose: 'fun' }), 400, { param: 'purpose', text: 'user_data' });
  });

  test(`${prefix}: embeddings`, async () => {
    if (!embedder) { // then that is what the server says
      await fails(c.embeddings.create({ model, input: 'a dog' }), 400, { param: 'model', text: 'makes no embeddings' });
      return;
    }
    // The SDK asks for base64 and makes numbers of it.
    const e = await c.embeddings.create({ model: embedder, input: ['a dog', 'a cat'] });
    const f = await c.embeddings.create({ model: embedder, input: 'a cat', encoding_format: 'float' });
    assert.equal(e.data.length, 2);
    const sum = e.data[1].embedding.reduce((s, x) => s + x * x, 0);
    assert.ok(Math.abs(sum - 1) < 1e-3, `length ${sum}`);
    e.data[1].embedding.forEach((x, i) => assert.ok(Math.abs(x - f.data[0].embedding[i]) < 1e-6));
    assert.ok(e.usage.prompt_tokens > 0);
    if (fake) assert.equal((await c.embeddings.create({ model: embedder, input: 'x', dimensions: 16 })).data[0].embedding.length, 16);
  });

  test(`${prefix}: responses`, async () => {
    const r = await c.responses.create({ model, input: inputFile, instructions: 'Answer from the file.', max_output_tokens: 100, metadata: { a: 'b' } });
    said(r.output_text, gate);
    assert.equal(r.status, 'completed');
    assert.equal(r.metadata.a, 'b');
    assert.equal(r.output[0].content[0].annotations[0].type, 'file_citation');
    assert.equal(r.output[0].content[0].annotations[0].filename, 'gate.txt');
    const got = await c.responses.retrieve(r.id);
    assert.deepEqual(got.output, r.output);
    assert.equal(got.output_text, r.output_text);
    const items = [];
    for await (const i of c.responses.inputItems.list(r.id)) items.push(i);
    assert.equal(items.length, 1);
    assert.equal(items[0].role, 'user');
    const two = await c.responses.create({ model, previous_response_id: r.id, input: 'And what is behind the gate?' });
    said(two.output_text, 'And what is behind the gate?');
    assert.equal(two.previous_response_id, r.id);
    await c.responses.delete(r.id);
    await fails(c.responses.retrieve(r.id), 404, { code: 'not_found', text: 'not kept' });
    const n = await c.responses.inputTokens.count({ model, input: 'one two three' });
    assert.ok(n.input_tokens >= 3);
  });
}

test('chat: stream', async () => {
  const stream = client().chat.completions.stream({ ...about(model, gate), stream_options: { include_usage: true } });
  const final = await stream.finalChatCompletion();
  said(final.choices[0].message.content, gate);
  assert.ok(final.usage.total_tokens > 0);
  assert.equal(final.choices[0].message.evidence[0].source, 'gate.txt');
  let reports = 0, text = '';
  // Of a text that was read before there is no progress.
  const fresh = { type: 'file', file: { filename: 'gate.txt', file_data: dataURL(`The gate code is 7421. ${crypto.randomUUID()}\n`) } };
  for await (const chunk of await client().chat.completions.create({ model, stream: true, return_progress: true,
    messages: [{ role: 'user', content: [fresh, { type: 'text', text: gate }] }] })) {
    if (chunk.prompt_progress) reports++;
    text += chunk.choices[0]?.delta?.content ?? '';
  }
  said(text, gate);
  assert.ok(reports > 0);
});

test('chat: a stream that is left ends', async () => {
  const stream = await client().chat.completions.create({ ...about(model, gate), stream: true });
  for await (const _ of stream) break;
  const a = await client().chat.completions.create(about(model, gate));
  said(a.choices[0].message.content, gate);
});

test('chat: parts', async () => {
  const a = await client().chat.completions.create({ model, messages: [
    { role: 'developer', content: 'Answer from what you are given.' },
    { role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${tinyPNG}` } }, file, { type: 'text', text: gate }] }] });
  said(a.choices[0].message.content, gate);
  await fails(client().chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }), 415,
    { code: 'unsupported_content', param: 'messages[0].content[0].type', text: 'hologram' });
  await fails(client().chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }] }), 400,
    { param: 'messages[0].content[0].image_url.url', text: '--allow-remote' });
});

test('chat: parts of sound and film', onlyFake, async () => {
  const a = await client().chat.completions.create({ model, messages: [{ role: 'user', content: [
    { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
    { type: 'video_url', video_url: { url: 'data:video/mp4;base64,AAAA' } }, { type: 'text', text: 'what' }] }] });
  assert.equal(a.usage.prompt_tokens_details.audio_tokens, 250);
  assert.equal(a.choices[0].message.evidence[1].time, 1);
});

test('chat: sampling and log-probabilities', onlyFake, async () => {
  const a = await client().chat.completions.create({ model, n: 2, temperature: 0.7, top_p: 0.9, presence_penalty: 0.1, frequency_penalty: 0.1, seed: 4,
    max_tokens: 20, stop: [' four'], logprobs: true, top_logprobs: 2, messages: [{ role: 'user', content: 'one two three four' }] });
  assert.equal(a.choices[0].message.content, 'one two three');
  assert.equal(a.choices[0].logprobs.content[0].token, 'one ');
  assert.equal(a.choices[0].logprobs.content[0].top_logprobs.length, 2);
  assert.equal(a.choices.length, 2);
});

test('chat: structured', onlyFake, async () => {
  const a = await client().chat.completions.parse({ ...about(model, gate), response_format: { type: 'json_schema', json_schema: {
    name: 'answer', strict: true, schema: { type: 'object', properties: { code: { type: 'integer' } }, required: ['code'], additionalProperties: false } } } });
  assert.deepEqual(JSON.parse(a.choices[0].message.content), { code: 7 });
  const b = await client().chat.completions.create({ ...about(model, gate), response_format: { type: 'json_object' } });
  JSON.parse(b.choices[0].message.content);
});

const openTool = { type: 'function', function: { name: 'open', parameters: { type: 'object', properties: { door: { type: 'integer' } } } } };

test('chat: tools', onlyFake, async () => {
  const opened = [];
  const runner = client().chat.completions.runTools({ model, messages: [{ role: 'user', content: 'please call open' }],
    tools: [{ type: 'function', function: { ...openTool.function, parse: JSON.parse, function: (args) => { opened.push(args); return 'it is open'; } } }] }, { maxChatCompletions: 1 });
  await runner.done();
  assert.deepEqual(opened, [{ door: 7 }]);
  const stream = client().chat.completions.stream({ model, messages: [{ role: 'user', content: 'please call open' }], tools: [openTool] });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.tool_calls[0].function.arguments, '{"door":7}');
  assert.equal(final.choices[0].finish_reason, 'tool_calls');
  const b = await client().chat.completions.create({ model, messages: [{ role: 'user', content: 'hello' }], tools: [openTool], parallel_tool_calls: false,
    tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'open' } }] } } });
  assert.equal(b.choices[0].message.tool_calls.length, 1);
});

test('completions', onlyFake, async () => {
  const a = await client().completions.create({ model, prompt: ['one two', 'three'], max_tokens: 1, echo: true, logprobs: 1, temperature: 0 });
  assert.equal(a.choices[0].text, 'one two one');
  assert.equal(a.choices[0].logprobs.token_logprobs[0], null);
  assert.equal(a.choices[0].logprobs.tokens.length, 3);
  let text = '', usage;
  for await (const chunk of await client().completions.create({ model, prompt: 'a b', stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.text ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, 'a b');
  assert.equal(usage.total_tokens, 4);
  await fails(client().completions.create({ model, prompt: [1, 2] }), 415, { code: 'unsupported_content', param: 'prompt', text: 'send text' });
  await fails(client().completions.create({ model, prompt: 'a', best_of: 3 }), 400, { param: 'best_of', text: 'not supported' });
});

test('responses: stream', async () => {
  const stream = client().responses.stream({ model, input: inputFile });
  let text = '', n = 0;
  for await (const e of stream) {
    assert.equal(e.sequence_number, n++);
    if (e.type === 'response.output_text.delta') text += e.delta;
  }
  const final = await stream.finalResponse();
  said(text, gate);
  assert.equal(final.output_text, text);
  assert.equal(final.output[0].content[0].evidence[0].source, 'gate.txt');
});

test('responses: tools, formats, log-probabilities', onlyFake, async () => {
  const tools = [{ type: 'function', name: 'open', parameters: { type: 'object', properties: { door: { type: 'integer' } } }, strict: true }];
  const r = await client().responses.stream({ model, input: 'please call open', tools }).finalResponse();
  assert.equal(r.output[0].arguments, '{"door":7}');
  const two = await client().responses.create({ model, tools, previous_response_id: r.id, input: [
    { type: 'function_call_output', call_id: r.output[0].call_id, output: 'it is open' }, { role: 'user', content: 'thanks' }] });
  assert.equal(two.output_text, 'thanks');
  // The same with nothing kept: what came is sent back as it was.
  const three = await client().responses.create({ model, tools, store: false, input: [{ role: 'user', content: 'please call open' }, ...r.output,
    { type: 'function_call_output', call_id: r.output[0].call_id, output: 'it is open' }, { role: 'user', content: 'thanks' }] });
  assert.equal(three.output_text, 'thanks');
  const s = await client().responses.parse({ model, input: 'x', include: ['message.output_text.logprobs'], top_logprobs: 1, text: { format: {
    type: 'json_schema', name: 'n', schema: { type: 'object', properties: { a: { type: 'integer' } } } } } });
  assert.equal(s.output_text, '{"a":7}');
  assert.ok(s.output[0].content[0].logprobs.length > 0);
});

test('errors', async () => {
  const c = client();
  await fails(c.chat.completions.create(about('gpt-9', gate)), 404, { code: 'model_not_found', param: 'model', text: model });
  await fails(c.chat.completions.create({ ...about(model, gate), temperature: 9 }), 400, { param: 'temperature', text: '0 to 2' });
  await fails(c.chat.completions.create({ ...about('gpt-9', gate), stream: true }), 404, { code: 'model_not_found', param: 'model', text: model });
  await fails(c.responses.create({ model, input: 'x', background: true }), 400, { param: 'background', text: 'not supported' });
});

test('errors that a backend has', onlyFake, async () => {
  const c = client();
  await fails(client('/v1', { apiKey: 'wrong' }).models.list(), 401, { code: 'invalid_api_key', text: 'key' });
  await fails(c.chat.completions.create(about(model, 'x'.repeat(9 << 20))), 413, { code: 'request_too_large', text: '8388608 bytes' });
  await fails(c.chat.completions.create(about('small-limit', 'word '.repeat(30))), 400, { code: 'context_length_exceeded', text: 'takes 20' });
  const busy = { headers: { 'X-Fake-Fail': 'Generate' } }, broken = { headers: { 'X-Fake-Fail': 'Stream' } };
  await fails(c.chat.completions.create(about(model, gate), busy), 429, { code: 'rate_limit_exceeded', text: 'queue' });
  await assert.rejects(async () => {
    for await (const _ of await c.chat.completions.create({ ...about(model, gate), stream: true }, broken));
  }, (e) => e instanceof OpenAI.APIError && /queue is full/.test(e.message));
  let failed = false;
  await assert.rejects(async () => {
    for await (const e of await c.responses.create({ model, input: 'one two', stream: true }, broken)) failed ||= e.type === 'response.failed';
  }, (e) => e instanceof OpenAI.APIError && /queue is full/.test(e.message));
  assert.ok(failed);
});
