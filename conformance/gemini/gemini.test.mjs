// Npm's @google/genai against a server: HANDSCROLL_URL, with HANDSCROLL_KEY. With
// HANDSCROLL_FAKE the server has the fake backend, and only then is all tested that a
// model decides. TestNode starts this.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ApiError, createPartFromUri, FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai'

const base = process.env.HANDSCROLL_URL
const fake = Boolean(process.env.HANDSCROLL_FAKE)
const apiKey = process.env.HANDSCROLL_KEY ?? 'local'
assert.ok(base, 'HANDSCROLL_URL is missing')

const client = (headers = {}, key = apiKey) => new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: base, headers } })
const ai = client()
const model = (await (await ai.models.list()).getItem(0)).name

const fact = 'The password of the vault is 7391.'
const question = 'What is the password of the vault?'
const answer = '7391'
// needFake is of tests of what a model decides.
const needFake = { skip: fake ? false : 'only what the fake backend answers is known' }

function said (got, asked) {
  if (fake) assert.equal(got, asked)
  else assert.match(got, new RegExp(answer))
}

async function fails (promise, code, status, ...texts) {
  await assert.rejects(promise, (e) => {
    assert.ok(e instanceof ApiError, `${e}`)
    assert.equal(e.status, code, e.message)
    // Of streams the message has a line before the JSON.
    const { error } = JSON.parse(e.message.slice(e.message.indexOf('{')))
    assert.equal(error.code, code)
    assert.equal(error.status, status)
    assert.match(error.details[0]['@type'], /^type\.googleapis\.com\/google\.rpc\./)
    for (const text of texts) assert.ok(error.message.includes(text), `${error.message} does not say ${text}`)
    return true
  })
}

async function upload (content, mimeType, displayName) {
  let f = await ai.files.upload({ file: new Blob([content], { type: mimeType }), config: { mimeType, displayName } })
  for (let i = 0; f.state === 'PROCESSING'; i++) {
    assert.ok(i < 1000, `${f.name} is still being processed`)
    await wait(50)
    f = await ai.files.get({ name: f.name })
  }
  return f
}

test('models', async () => {
  const names = []
  for await (const m of await ai.models.list({ config: { pageSize: 1 } })) {
    names.push(m.name)
    assert.ok(m.inputTokenLimit > 0 && m.outputTokenLimit > 0 && m.displayName && m.supportedActions.includes('generateContent'))
    assert.equal((await ai.models.get({ model: m.name })).name, m.name)
  }
  assert.equal(new Set(names).size, names.length)
  await fails(ai.models.get({ model: 'no-such-model' }), 404, 'NOT_FOUND', names[0].replace('models/', ''))
})

test('generateContent', async () => {
  const r = await ai.models.generateContent({
    model,
    contents: [{ role: 'user', parts: [{ text: fact }] }, { role: 'model', parts: [{ text: 'I see.' }] }, { role: 'user', parts: [{ text: question }] }]
  })
  said(r.text, question)
  assert.equal(r.candidates[0].finishReason, 'STOP')
  assert.ok(r.responseId && r.modelVersion)
  const u = r.usageMetadata
  assert.equal(u.totalTokenCount, u.promptTokenCount + u.candidatesTokenCount)
  assert.deepEqual(u.promptTokensDetails, [{ modality: 'TEXT', tokenCount: u.promptTokenCount }])
})

test('generationConfig', needFake, async () => {
  const r = await ai.models.generateContent({
    model,
    contents: 'one two three STOP four',
    config: {
      systemInstruction: 'be brief', temperature: 0.7, topP: 0.9, topK: 40, seed: 7, candidateCount: 2, maxOutputTokens: 2,
      stopSequences: ['STOP'], presencePenalty: 0.5, frequencyPenalty: 0.5, responseLogprobs: true, logprobs: 3,
      mediaResolution: 'MEDIA_RESOLUTION_LOW', thinkingConfig: { thinkingBudget: 0 }, responseModalities: ['TEXT'],
      safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }]
    }
  })
  assert.equal(r.candidates.length, 2)
  assert.equal(r.candidates[0].content.parts[0].text, 'one two')
  assert.equal(r.candidates[0].finishReason, 'MAX_TOKENS')
  assert.equal(r.candidates[0].logprobsResult.topCandidates[0].candidates.length, 3)
  assert.ok(Math.abs(r.candidates[0].avgLogprobs - Math.log(0.5)) < 1e-6)
})

test('streams', async () => {
  for (const progress of ['false', 'true']) {
    let text = ''
    let last
    for await (const chunk of await client({ 'X-Handscroll-Progress': progress }).models.generateContentStream({ model, contents: `${fact} ${question}` })) {
      text += chunk.text ?? ''
      last = chunk
    }
    said(text, `${fact} ${question}`)
    assert.equal(last.candidates[0].finishReason, 'STOP')
    assert.ok(last.usageMetadata.totalTokenCount > 0)
  }
})

test('chats', async () => {
  const chat = ai.chats.create({ model })
  let pieces = 0
  for await (const chunk of await chat.sendMessageStream({ message: fact })) pieces += chunk.candidates.length
  assert.ok(pieces > 0)
  for (let i = 0; i < 2; i++) said((await chat.sendMessage({ message: question })).text, question)
  assert.equal(chat.getHistory(true).filter((c) => c.role === 'user').length, 3)
})

const weather = {
  functionDeclarations: [
    { name: 'weather', description: 'The weather of a place', parameters: { type: Type.OBJECT, properties: { place: { type: Type.STRING } }, required: ['place'] } },
    { name: 'clock', description: 'The time of a place', parametersJsonSchema: { type: 'object', properties: { place: { type: 'string' } } } }
  ]
}

test('functions', needFake, async () => {
  const ask = (contents, functionCallingConfig) =>
    ai.models.generateContent({ model, contents, config: { tools: [weather], toolConfig: functionCallingConfig && { functionCallingConfig } } })
  for (const [text, mode, allowedFunctionNames, want] of [
    ['please call clock', FunctionCallingConfigMode.AUTO, undefined, 'clock'],
    ['hello', FunctionCallingConfigMode.AUTO, undefined, undefined],
    ['hello', FunctionCallingConfigMode.ANY, undefined, 'weather'],
    ['hello', FunctionCallingConfigMode.ANY, ['clock'], 'clock'],
    ['please call clock', FunctionCallingConfigMode.NONE, undefined, undefined],
    ['please call clock', FunctionCallingConfigMode.VALIDATED, ['clock'], 'clock']
  ]) {
    const r = await ask(text, { mode, allowedFunctionNames })
    assert.equal(r.functionCalls?.[0].name, want, `${text}, ${mode}`)
    if (want) assert.deepEqual(r.functionCalls[0].args, { place: 'word' })
  }
  const call = (await ask('please call weather')).candidates[0].content
  const r = await ask([
    { role: 'user', parts: [{ text: 'please call weather' }] }, call,
    { role: 'user', parts: [{ functionResponse: { name: 'weather', id: call.parts[0].functionCall.id, response: { output: 'sunny' } } }] },
    { role: 'user', parts: [{ text: 'and now?' }] }
  ])
  assert.equal(r.text, 'and now?')
})

test('structured answers', needFake, async () => {
  for (const [config, want] of [
    [{ responseMimeType: 'application/json', responseSchema: { type: Type.OBJECT, properties: { n: { type: Type.INTEGER, nullable: true, minItems: '1' } }, propertyOrdering: ['n'] } }, '{"n":7}'],
    [{ responseMimeType: 'application/json', responseJsonSchema: { type: 'boolean' } }, 'true'],
    [{ responseMimeType: 'text/x.enum', responseSchema: { type: Type.STRING, format: 'enum', enum: ['yes', 'no'] } }, 'yes']
  ]) {
    assert.equal((await ai.models.generateContent({ model, contents: 'x', config })).text, want)
  }
})

test('countTokens', async () => {
  assert.ok((await ai.models.countTokens({ model, contents: 'one two three' })).totalTokens >= 3)
})

test('embedContent', async () => {
  const m = await ai.models.get({ model })
  const asked = ai.models.embedContent({ model, contents: ['a whale', 'a ship'], config: { taskType: 'RETRIEVAL_QUERY' } })
  if (!m.supportedActions.includes('embedContent')) return fails(asked, 400, 'INVALID_ARGUMENT')
  const r = await asked
  assert.equal(r.embeddings.length, 2)
  assert.ok(Math.abs(r.embeddings[0].values.reduce((s, x) => s + x * x, 0) - 1) < 1e-3)
})

test('files', async () => {
  const chunk = 8 << 20
  const line = 'All work and no play makes Jack a dull boy, said the parrot again.\n'
  const book = line.repeat(Math.ceil(chunk / line.length) + 10)
  const dir = await mkdtemp(join(tmpdir(), 'handscroll-'))
  try {
    for (const size of [line.length, chunk, chunk + 1]) {
      const content = book.slice(0, size)
      const f = await upload(content, 'text/plain', 'jack.txt')
      assert.equal(f.sizeBytes, String(size))
      assert.equal(f.displayName, 'jack.txt')
      assert.equal(f.state, 'ACTIVE')
      assert.equal(f.uri, `${base}/v1beta/${f.name}`)
      assert.equal(f.sha256Hash, Buffer.from(createHash('sha256').update(content).digest('hex')).toString('base64'))
      const saved = join(dir, 'saved.txt')
      await ai.files.download({ file: f, downloadPath: saved })
      assert.equal(await eventually(saved, size), content)
      await ai.files.delete({ name: f.name })
      await fails(ai.files.get({ name: f.name }), 404, 'NOT_FOUND')
    }
    const path = join(dir, 'vault.txt')
    await writeFile(path, fact)
    const f = await ai.files.upload({ file: path, config: { mimeType: 'text/plain' } })
    const other = await upload(question, 'text/plain', 'b.txt')
    const seen = []
    for await (const x of await ai.files.list({ config: { pageSize: 1 } })) seen.push(x.name)
    assert.ok(seen.includes(f.name) && seen.includes(other.name), `${seen}`)
    for (const name of [f.name, other.name]) await ai.files.delete({ name })
  } finally {
    await rm(dir, { recursive: true })
  }
})

// eventually is the content of a file: the SDK's download does not wait until it has
// written all.
async function eventually (path, size) {
  for (let i = 0; i < 200; i++) {
    const content = await readFile(path, 'utf8').catch(() => '')
    if (content.length === size) return content
    await wait(50)
  }
  assert.fail(`${path} is not there`)
}

test('evidence', async () => {
  const f = await upload(`${fact}\n`, 'text/plain', 'vault.txt')
  const r = await ai.models.generateContent({ model, contents: [{ role: 'user', parts: [createPartFromUri(f.uri, f.mimeType), { text: question }] }] })
  said(r.text, question)
  const [c] = r.candidates
  const found = c.groundingMetadata.groundingChunks[0].retrievedContext
  assert.equal(found.title, 'vault.txt')
  assert.equal(found.uri, f.uri)
  assert.match(found.text, new RegExp(answer))
  assert.equal(c.citationMetadata.citations[0].uri, f.uri)
  const { segment } = c.groundingMetadata.groundingSupports[0]
  assert.equal(segment.text, Buffer.from(r.text).subarray(segment.startIndex, segment.endIndex).toString())
  await ai.files.delete({ name: f.name })
})

test('media', needFake, async () => {
  const f = await upload('frames', 'video/mp4', 'film.mp4')
  assert.equal(f.videoMetadata.videoDuration, '10s')
  const r = await ai.models.generateContent({
    model,
    contents: [{
      role: 'user',
      parts: [
        { fileData: { fileUri: f.uri, mimeType: f.mimeType }, videoMetadata: { fps: 0.5, startOffset: '2s', endOffset: '6s' } },
        { inlineData: { mimeType: 'image/png', data: Buffer.from([1, 2, 3, 0xfb]).toString('base64url') } }, { text: 'what is it' }
      ]
    }]
  })
  const counts = Object.fromEntries(r.usageMetadata.promptTokensDetails.map((d) => [d.modality, d.tokenCount]))
  assert.deepEqual(counts, { TEXT: 3, IMAGE: 258, VIDEO: 600 })
  const broken = await ai.files.upload({ file: new Blob(['x']), config: { mimeType: 'application/pdf', displayName: 'broken.pdf' } })
  assert.equal(broken.state, 'FAILED')
  assert.ok(broken.error.message)
})

test('caches', async () => {
  const f = await upload('Nothing happened that day.\n'.repeat(50) + fact, 'text/plain', 'diary.txt')
  const made = await ai.caches.create({ model, config: { displayName: 'a diary', ttl: '600s', contents: [createPartFromUri(f.uri, f.mimeType)] } })
  assert.ok(made.usageMetadata.totalTokenCount > 200)
  assert.equal(made.displayName, 'a diary')
  assert.ok(Math.abs(Date.parse(made.expireTime) - Date.now() - 600e3) < 60e3)
  const r = await ai.models.generateContent({ model, contents: question, config: { cachedContent: made.name } })
  said(r.text, question)
  assert.ok(r.usageMetadata.cachedContentTokenCount >= made.usageMetadata.totalTokenCount * 0.9)
  assert.equal((await ai.caches.get({ name: made.name })).name, made.name)
  const later = await ai.caches.update({ name: made.name, config: { ttl: '3600s' } })
  assert.ok(Date.parse(later.expireTime) - Date.now() > 3500e3)
  const at = new Date(Date.now() + 7200e3).toISOString()
  assert.equal(Date.parse((await ai.caches.update({ name: made.name, config: { expireTime: at } })).expireTime), Date.parse(at))
  const seen = []
  for await (const x of await ai.caches.list()) seen.push(x.name)
  assert.ok(seen.includes(made.name))
  await ai.caches.delete({ name: made.name })
  await fails(ai.caches.get({ name: made.name }), 404, 'NOT_FOUND')
  await ai.files.delete({ name: f.name })
})

test('errors', async () => {
  const ask = (request, ai_ = ai) => ai_.models.generateContent({ model, contents: 'x', ...request })
  await fails(ask({ model: 'no-such-model' }), 404, 'NOT_FOUND', model.replace('models/', ''))
  await fails(ask({ config: { cachedContent: 'cachedContents/gone' } }), 404, 'NOT_FOUND')
  await fails(ask({ contents: [{ role: 'user', parts: [{ executableCode: { code: '1', language: 'PYTHON' } }] }] }), 400, 'INVALID_ARGUMENT', 'contents[0].parts[0].executableCode')
  await fails(ask({ contents: [createPartFromUri('https://example.com/a.png', 'image/png')] }), 400, 'INVALID_ARGUMENT', 'contents[0].parts[0].fileData.fileUri')
  await fails(ask({ config: { tools: [{ googleSearch: {} }] } }), 400, 'INVALID_ARGUMENT', 'tools[0].googleSearch')
  await fails(ask({ config: { temperature: 3 } }), 400, 'INVALID_ARGUMENT', 'generationConfig.temperature')
  await fails(ai.models.generateContentStream({ model, contents: 'x', config: { topP: 2 } }), 400, 'INVALID_ARGUMENT', 'generationConfig.topP')
  if (!fake) return
  await fails(ask({ model: 'small-limit', contents: 'word '.repeat(21) }), 400, 'INVALID_ARGUMENT', '21', '20')
  await fails(ask({ contents: 'long '.repeat(1 << 19) }), 413, 'INVALID_ARGUMENT', '1048576')
  await fails(ask({}, client({}, 'wrong')), 401, 'UNAUTHENTICATED')
  await fails(ask({}, client({ 'X-Fake-Fail': 'Generate' })), 429, 'RESOURCE_EXHAUSTED', 'queue')
})

test('an error in the middle of a stream', needFake, async () => {
  let text = ''
  await fails((async () => {
    for await (const chunk of await client({ 'X-Fake-Fail': 'Stream' }).models.generateContentStream({ model, contents: 'one two' })) text += chunk.text
  })(), 429, 'RESOURCE_EXHAUSTED', 'queue')
  assert.equal(text, 'one ')
})

test('a client that leaves', async () => {
  const abort = new AbortController()
  const stream = await ai.models.generateContentStream({ model, contents: 'one two three', config: { abortSignal: abort.signal } })
  await stream.next()
  abort.abort()
  const r = await ai.models.generateContent({ model, contents: 'one two three' })
  assert.ok(r.candidates.length)
})
