// A scroll: files that are read as one context, and what was asked of it. What is
// here survives a reload; running uploads, readings and answers do not, and are
// gone on with where the server allows.

import * as api from "./api.js";
import { base, plural } from "./format.js";
import { estimate, kindOf, kindOfSource, kinds, ofModality } from "./kinds.js";
import { createStore, load, names, newID, save } from "./store.js";

const day = 86400;
const parallel = 4; // uploads

/**
 * The page's state.
 *   models    of the server; null until they are known
 *   scrolls   {id: scroll}, all of them
 *   busy      {id: {upload, read, answer}} AbortControllers of what runs
 *   notice    what happened last, for screen readers
 */
export const state = createStore({ models: null, modelsError: "", scrolls: remembered(), busy: {}, notice: "", saveError: "" });

function remembered() {
  const all = names("scroll.").map((id) => load(`scroll.${id}`, null));
  return Object.fromEntries(all.filter(Boolean).map((s) => [s.id, s]));
}

/** Files as they were dropped, by part key: they can be shown without asking the server. */
export const dropped = new Map();

export const announce = (notice) => state.set({ notice });

// Each scroll is written by itself, so that tabs do not undo each other's; many
// changes are written once.
const unsaved = new Set();
let saving = 0;
function persist(id) {
  unsaved.add(id);
  saving ||= setTimeout(flush, 300);
}
function flush() {
  clearTimeout(saving);
  saving = 0;
  let err;
  for (const id of unsaved) err = save(`scroll.${id}`, state.get().scrolls[id]) || err;
  unsaved.clear();
  const saveError = err ? "The browser's storage is full: this page will not remember what is new. Delete scrolls that you no longer need." : "";
  if (saveError !== state.get().saveError) state.set({ saveError });
}
addEventListener("pagehide", flush);

// What another tab did.
addEventListener("storage", (e) => {
  const id = e.key?.startsWith("handscroll.scroll.") && e.key.slice(18);
  if (!id || Object.values(state.get().busy[id] || {}).some(Boolean)) return;
  const now = load(`scroll.${id}`, null);
  state.set((s) => {
    const scrolls = { ...s.scrolls };
    if (now) scrolls[id] = now;
    else delete scrolls[id];
    return { scrolls };
  });
});

export const get = (id) => state.get().scrolls[id];

/** Changes a scroll; patch is an object, or a function of the scroll. */
export function update(id, patch) {
  state.set((s) => {
    const old = s.scrolls[id];
    if (!old) return {};
    return { scrolls: { ...s.scrolls, [id]: { ...old, ...(typeof patch === "function" ? patch(old) : patch) } } };
  });
  persist(id);
}

const updatePart = (id, key, patch) => update(id, (s) => ({ parts: s.parts.map((p) => (p.key === key ? { ...p, ...patch } : p)) }));
const updateMessage = (id, mid, patch) => update(id, (s) => ({ messages: s.messages.map((m) => (m.id === mid ? { ...m, ...patch } : m)) }));

function setBusy(id, what, value) {
  state.set((s) => ({ busy: { ...s.busy, [id]: { ...s.busy[id], [what]: value } } }));
}
export const busy = (id, what) => state.get().busy[id]?.[what];

/** Makes an empty scroll and returns its ID. */
export function create(more = {}) {
  const id = newID();
  const scroll = {
    id,
    created: Date.now(),
    title: "",
    model: "",
    parts: [],
    context: "", // of the API, once read
    tokens: 0, // of the context
    expires: "",
    reading: null, // {fraction, tokens, total, rate, left, source} while it is read
    readError: "",
    wanted: false, // whether reading is to go on after a reload
    memory: false, // whether earlier turns are sent along
    messages: [],
    draft: "",
    left: [], // names that were not taken
    ...more,
  };
  state.set((s) => ({ scrolls: { ...s.scrolls, [id]: scroll } }));
  persist(id);
  return id;
}

/** Forgets a scroll here; what the server keeps is not touched. */
export function forget(id) {
  for (const c of Object.values(state.get().busy[id] || {})) c?.abort();
  state.set((s) => {
    const scrolls = { ...s.scrolls };
    delete scrolls[id];
    return { scrolls };
  });
  persist(id);
}

/** The model of a scroll, as the API describes it. */
export function modelOf(scroll, models = state.get().models) {
  return models?.find((m) => m.name === scroll?.model) || models?.[0];
}

export async function loadModels() {
  try {
    const all = await api.models();
    state.set({ models: all.filter((m) => (m.supportedGenerationMethods || []).includes("generateContent")), modelsError: "" });
  } catch (err) {
    state.set({ modelsError: err.message });
  }
}

// Parts

/** Adds files, sends them to the server, and reads them. */
export function addFiles(id, { files, left }) {
  const parts = [];
  const resumed = [];
  const there = new Map(get(id).parts.map((p) => [`${p.size} ${p.name}`, p]));
  for (const { file, name } of files) {
    const known = there.get(`${file.size} ${name}`);
    if (known && !["failed", "stopped"].includes(known.state)) {
      left.push(`${name} (already here)`);
      continue;
    }
    // The same file again after an interruption: its upload goes on.
    const key = known?.key || newID();
    dropped.set(key, file);
    if (known) resumed.push(key);
    else {
      const kind = kindOf(file.type, name);
      parts.push({ key, name, size: file.size, mime: file.type, kind, file: "", state: "waiting", sent: 0, tokens: estimate(kind, file.size), exact: false, duration: 0, error: "", url: "" });
    }
  }
  update(id, (s) => ({
    parts: [...s.parts.map((p) => (resumed.includes(p.key) ? { ...p, state: "waiting", error: "" } : p)), ...parts],
    left: [...new Set([...s.left, ...left])],
    title: s.title || titleOf([...s.parts, ...parts]),
    readError: "",
    wanted: true,
  }));
  announce(`${plural(parts.length + resumed.length, "file")} added`);
  send(id);
}

function titleOf(parts) {
  if (parts.length === 0) return "";
  const tops = [...new Set(parts.map((p) => p.name.split("/")[0]))];
  return tops.length === 1 ? tops[0] : `${base(tops[0])} and ${tops.length - 1} more`;
}

/** Uploads what waits, some at a time, then reads. */
async function send(id) {
  if (busy(id, "upload")) return; // it takes what is new as well
  const control = new AbortController();
  setBusy(id, "upload", control);
  const one = async () => {
    for (;;) {
      const part = get(id)?.parts.find((p) => p.state === "waiting" && dropped.has(p.key));
      if (!part || control.signal.aborted) return;
      await sendOne(id, part, control.signal);
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  setBusy(id, "upload", null);
  const scroll = get(id);
  if (!scroll || control.signal.aborted) return;
  if (scroll.parts.some((p) => p.state === "waiting" && dropped.has(p.key))) return send(id);
  if (scroll.parts.some((p) => p.state === "ready")) read(id);
}

async function sendOne(id, part, signal) {
  const { key } = part;
  updatePart(id, key, { state: "sending", error: "" });
  try {
    let file = await api.upload(dropped.get(key), {
      name: part.name,
      url: part.url,
      signal,
      onStart: (url) => updatePart(id, key, { url }),
      onSent: (sent) => updatePart(id, key, { sent }),
    });
    updatePart(id, key, { state: "looking", file: file.name, url: "" });
    file = await api.settle(file, signal);
    await settled(id, key, file, signal);
  } catch (err) {
    if (api.stopped(err)) updatePart(id, key, { state: "stopped" });
    else updatePart(id, key, { state: "failed", error: err.message });
  }
}

// Notes what the server found in a file, and what it counts to.
async function settled(id, key, file, signal) {
  const part = get(id)?.parts.find((p) => p.key === key);
  if (!part) return;
  const length = parseFloat(file.videoMetadata?.videoDuration) || 0;
  const kind = kindOf(file.mimeType, part.name);
  const patch = { file: file.name, mime: file.mimeType || part.mime, kind, duration: length, tokens: estimate(kind, part.size, length) };
  const model = modelOf(get(id));
  if (model) {
    try {
      const { total } = await api.countTokens(model.name, { contents: contentsOf([{ ...part, ...patch }]) }, signal);
      if (total > 0) Object.assign(patch, { tokens: total, exact: true });
    } catch (err) {
      // An estimate is shown as one; reading will say what is wrong with the file.
      if (api.stopped(err)) throw err;
    }
  }
  updatePart(id, key, { ...patch, state: "ready" });
}

/** Takes a part out; what is left is read again, which is quick: it was read before. */
export function removePart(id, key) {
  const was = get(id).parts.find((p) => p.key === key);
  dropped.delete(key);
  update(id, (s) => ({ parts: s.parts.filter((p) => p.key !== key), stale: s.stale || was.state === "read" }));
  announce(`${was.name} taken out`);
  const scroll = get(id);
  if (was.state !== "read") return;
  if (scroll.parts.length > 0) {
    read(id);
    return;
  }
  const old = scroll.context;
  update(id, { context: "", tokens: 0, expires: "", stale: false });
  if (old) api.deleteContext(old).catch((err) => update(id, { readError: err.message }));
}

/** Whether files can be added: not if parts of the context are only known by name. */
export const extensible = (scroll) => scroll.parts.every((p) => p.file || p.state !== "read");

const contentsOf = (parts) => [
  { role: "user", parts: parts.map((p) => ({ fileData: { fileUri: fileURI(p.file), mimeType: p.mime || "application/octet-stream" } })) },
];
const fileURI = (name) => `${location.origin}/v1beta/${name}`;

// Reading

const unread = (scroll) => scroll.stale || scroll.parts.some((p) => p.state === "ready");
const included = (scroll) => scroll.parts.filter((p) => p.file && (p.state === "ready" || p.state === "read"));

/** Reads all parts into a stored context, and asks what waited for it. */
export async function read(id) {
  if (busy(id, "read") || busy(id, "upload")) return;
  const scroll = get(id);
  if (!scroll || !unread(scroll)) return;
  if (!state.get().models) await loadModels();
  const model = modelOf(scroll);
  if (!model) {
    update(id, { readError: state.get().modelsError || "The server has no model that answers." });
    return;
  }
  const parts = included(scroll);
  const control = new AbortController();
  setBusy(id, "read", control);
  update(id, { reading: { fraction: 0, tokens: 0, total: sum(parts), rate: 0, left: 0, source: "", waiting: true }, readError: "", wanted: true });
  announce("Reading");
  const track = tracker(id, parts);
  try {
    const made = await api.patiently(() => api.createContext(
      { model: model.name, displayName: scroll.title.slice(0, 120), contents: contentsOf(parts), ttl: 7 * day },
      { signal: control.signal, onProgress: track },
    ), control.signal);
    const old = get(id)?.context;
    if (!get(id)) return;
    const sources = made.sources || [];
    const { count = 0, files = [] } = made.skipped || {}; // of archives; many are not all named
    const skipped = count > files.length ? [`${plural(count, "file")} inside of others, first ${files[0].source}`] : files.map((f) => f.source);
    update(id, (s) => ({
      context: made.name,
      model: model.name,
      tokens: made.usageMetadata?.totalTokenCount || sum(parts),
      expires: made.expireTime || "",
      left: [...new Set([...s.left, ...skipped])],
      reading: null,
      wanted: false,
      stale: s.parts.filter((p) => p.state === "read").some((p) => !parts.some((q) => q.key === p.key)) || parts.some((q) => !s.parts.some((p) => p.key === q.key)),
      parts: s.parts.map((p) => {
        if (!parts.some((q) => q.key === p.key)) return p;
        const source = sources.find((x) => x.name === p.name);
        return { ...p, state: "read", error: "", ...(source?.tokens && { tokens: source.tokens, exact: true }) };
      }),
    }));
    announce(`Read: ${plural(get(id).tokens, "token")}`);
    // What it replaces would stay on disk until it expires.
    if (old && old !== made.name) api.deleteContext(old).catch((err) => console.info(err.message));
  } catch (err) {
    update(id, { reading: null, wanted: false, readError: api.stopped(err) ? "" : err.message });
    announce(api.stopped(err) ? "Reading stopped" : err.message);
  } finally {
    setBusy(id, "read", null);
  }
  const now = get(id);
  if (!now) return;
  // Something was added or taken out meanwhile.
  if (!now.readError && !control.signal.aborted && unread(now)) return read(id);
  const waiting = now.messages.find((m) => m.state === "waiting");
  if (waiting && now.context) answer(id, waiting.id);
  else if (waiting) updateMessage(id, waiting.id, { state: "stopped" });
}

// Turns progress into state; where a source ends, its size is known.
function tracker(id, parts) {
  let source = "";
  let start = 0;
  let tens = 0;
  return (p) => {
    if (p.source !== source) {
      source = p.source;
      start = p.tokens;
    }
    update(id, { reading: { ...p, start } });
    const n = Math.floor(p.fraction * 10);
    if (n > tens && n < 10) {
      tens = n;
      announce(`${n * 10} % read`);
    }
  };
}

export const sum = (parts) => parts.reduce((n, p) => n + p.tokens, 0);

/** Stops what of a scroll runs: "upload", "read" or "answer". */
export const stop = (id, what) => busy(id, what)?.abort();

// Asking

/** Asks; while files are still being read, the question waits for them. */
export function ask(id, text) {
  const question = { id: newID(), role: "user", text, at: Date.now() };
  const reply = { id: newID(), role: "model", text: "", evidence: [], state: "waiting", error: "", at: Date.now() };
  update(id, (s) => ({ messages: [...s.messages, question, reply], draft: "", title: s.title || text.slice(0, 60) }));
  const scroll = get(id);
  const pending = busy(id, "upload") || busy(id, "read");
  if (!pending && unread(scroll)) read(id);
  else if (!pending) answer(id, reply.id);
}

/** Asks again what was stopped or failed. */
export function again(id, mid) {
  if (busy(id, "answer")) return;
  updateMessage(id, mid, { text: "", evidence: [], error: "", state: "waiting", progress: null });
  if (busy(id, "upload") || busy(id, "read")) return;
  if (unread(get(id))) read(id);
  else answer(id, mid);
}

/** The contents of a question: the earlier turns if they are wanted, then its own. */
export function turns(scroll, upTo, text) {
  const out = [];
  if (scroll.memory) {
    const list = upTo === undefined ? scroll.messages : scroll.messages.slice(0, upTo);
    for (let i = 0; i + 1 < list.length; i += 2) {
      if (!list[i + 1].text) continue;
      out.push({ role: "user", parts: [{ text: list[i].text }] }, { role: "model", parts: [{ text: list[i + 1].text }] });
    }
  }
  out.push({ role: "user", parts: [{ text }] });
  return out;
}

async function answer(id, mid) {
  const scroll = get(id);
  const at = scroll.messages.findIndex((m) => m.id === mid);
  if (at < 1 || busy(id, "answer")) return;
  if (!state.get().models) await loadModels();
  const model = modelOf(scroll);
  if (!model) {
    updateMessage(id, mid, { state: "failed", error: state.get().modelsError || "The server has no model that answers." });
    return;
  }
  const control = new AbortController();
  setBusy(id, "answer", control);
  updateMessage(id, mid, { state: "streaming" });
  const began = performance.now();
  const body = { contents: turns(scroll, at - 1, scroll.messages[at - 1].text), ...(scroll.context && { cachedContent: scroll.context }) };
  try {
    const out = await api.generate(model.name, body, {
      signal: control.signal,
      onText: (text) => updateMessage(id, mid, { text, progress: null }),
      onProgress: (progress) => updateMessage(id, mid, { progress }),
    });
    updateMessage(id, mid, {
      text: out.text,
      evidence: out.evidence,
      found: out.found,
      cut: out.finish === "MAX_TOKENS",
      usage: out.usage && { prompt: out.usage.promptTokenCount || 0, cached: out.usage.cachedContentTokenCount || 0 },
      seconds: (performance.now() - began) / 1000,
      state: "done",
      progress: null,
    });
    announce(out.text ? `Answer: ${out.text}` : "The answer is empty");
  } catch (err) {
    const gone = err.status === 404 && scroll.context;
    updateMessage(id, mid, {
      state: api.stopped(err) ? "stopped" : "failed",
      error: api.stopped(err) ? "" : gone ? "The server no longer has this context. Read the files again, then ask again." : err.message,
      progress: null,
    });
    if (gone) lost(id);
    announce(api.stopped(err) ? "Stopped" : err.message);
  } finally {
    setBusy(id, "answer", null);
  }
}

// The context has expired or was deleted: its parts have to be read again.
function lost(id) {
  update(id, (s) => ({ context: "", tokens: 0, expires: "", parts: s.parts.map((p) => (p.state === "read" && p.file ? { ...p, state: "ready" } : p)) }));
}

// After a reload

/** Notes what the last page left unfinished, and goes on with what can be. */
export async function resume(id) {
  const scroll = get(id);
  if (!scroll) return;
  if (state.get().busy[id]) {
    // The page was here before: the server may have changed its mind meanwhile.
    if (scroll.context && !busy(id, "read")) await check(id);
    return;
  }
  setBusy(id, "upload", null);
  update(id, (s) => ({
    reading: null,
    messages: s.messages.map((m) => (m.state === "streaming" ? { ...m, state: "stopped" } : m)),
    parts: s.parts.map((p) => (["waiting", "sending", "stopped"].includes(p.state) && !dropped.has(p.key)
      ? { ...p, state: "failed", error: "Its upload was interrupted. Drop the same file again to go on with it." } : p)),
  }));
  for (const p of scroll.parts.filter((p) => p.state === "looking" && p.file)) {
    try {
      await settled(id, p.key, await api.settle(await api.getJSON(`/v1beta/${p.file}`)));
    } catch (err) {
      updatePart(id, p.key, { state: "failed", error: err.message });
    }
  }
  if (get(id).context) await check(id);
  else if (scroll.wanted) read(id);
}

// Whether the server still has the context, and until when.
async function check(id) {
  try {
    const c = await api.getContext(get(id).context);
    update(id, { expires: c.expireTime || "", tokens: c.usageMetadata?.totalTokenCount || get(id).tokens });
  } catch (err) {
    if (err.status === 404) {
      lost(id);
      update(id, { readError: "The server no longer has this context: it has expired or was deleted." });
    }
  }
}

/** The scroll of a stored context; made if this browser has none. */
export async function open(context) {
  const known = Object.values(state.get().scrolls).find((s) => s.context === context.name);
  if (known) return known.id;
  const details = context.usageMetadata?.tokensDetails || [];
  const tokens = context.usageMetadata?.totalTokenCount || 0;
  // A source is named as its file was when it was uploaded.
  const files = context.sources?.length ? await api.files() : [];
  const part = (name, kind, n, more) => ({ key: newID(), name, kind, size: 0, mime: "", file: "", state: "read", tokens: n, exact: true, duration: 0, error: "", ...more });
  const ofSource = (s) => {
    const file = files.find((f) => f.name === api.fileOf(s.uri)) || files.find((f) => f.displayName === s.name);
    return part(s.name, kindOfSource(s, file?.mimeType), s.tokens || 0, { size: Number(file?.sizeBytes || s.bytes) || 0, mime: file?.mimeType || "", duration: s.seconds || 0, file: file?.name || "" });
  };
  let parts = [part(context.displayName || "context", "text", tokens)];
  if (context.sources?.length) parts = context.sources.map(ofSource);
  else if (details.length) parts = details.map((d) => part(kinds[ofModality(d.modality)].name, ofModality(d.modality), d.tokenCount));
  return create({ title: context.displayName || "", model: context.model, context: context.name, tokens, expires: context.expireTime || "", parts });
}
