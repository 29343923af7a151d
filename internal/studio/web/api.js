// The server's public API, as any client speaks it: the Gemini family under
// /v1beta, /metrics and /readyz.

import { span } from "./format.js";

const chunkSize = 8 << 20; // of uploads, as the SDKs send them
const keyName = "handscroll.key";

/** What went wrong, in words that can be shown. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", retryAfter = 0 } = {}) {
    super(message);
    this.status = status; // 0: the server was not reached
    this.code = code;
    this.retryAfter = retryAfter; // seconds
  }
}

/** Whether an error is that the user stopped it. */
export const stopped = (err) => err?.name === "AbortError";

/** The API key, for this tab alone. */
export function getKey() {
  try {
    return sessionStorage.getItem(keyName) || "";
  } catch {
    return heldKey;
  }
}
let heldKey = ""; // where there is no storage

export function setKey(key) {
  heldKey = key;
  try {
    sessionStorage.setItem(keyName, key);
  } catch {
    // It is kept until the page is closed.
  }
}

/** Called when the server asks for a key. */
let askKey = () => {};
export const onKeyNeeded = (f) => (askKey = f);

function headers(more) {
  const key = getKey();
  return key ? { "x-goog-api-key": key, ...more } : { ...more };
}

async function failure(res) {
  let message = "";
  let code = "";
  try {
    const { error } = await res.json();
    message = error?.message || "";
    code = error?.status || "";
  } catch {
    // Not the API's own error: a proxy's, say. The status has to do.
  }
  const retryAfter = parseInt(res.headers.get("Retry-After"), 10) || 0;
  return makeError(message, res.status, code, retryAfter);
}

function makeError(message, status, code, retryAfter = 0) {
  switch (status) {
    case 401:
      askKey(message);
      return new ApiError(message || "The server asks for an API key.", { status, code });
    case 429:
      message = `The server is busy. ${message}`.trim();
      if (retryAfter) message += ` Try again in ${span(retryAfter)}.`;
      break;
    case 502:
    case 504:
      message ||= "The server took too long to answer.";
      break;
  }
  return new ApiError(message || `The server answered with status ${status} and no explanation.`, { status, code, retryAfter });
}

/** Fetches; what is not a success is an ApiError. */
export async function request(path, { method = "GET", json, body, headers: more, signal } = {}) {
  if (json !== undefined) {
    body = JSON.stringify(json);
    more = { "Content-Type": "application/json", ...more };
  }
  let res;
  try {
    res = await fetch(path, { method, body, headers: headers(more), signal, cache: "no-store" });
  } catch (err) {
    if (stopped(err)) throw err;
    throw new ApiError("The server cannot be reached. Is handscroll serve still running?");
  }
  if (!res.ok) throw await failure(res);
  return res;
}

export const getJSON = async (path, options) => (await request(path, options)).json();

/** Calls emit with each object of a stream of server-sent events. */
async function stream(path, json, signal, emit) {
  const res = await request(path, { method: "POST", json, signal });
  // A server that does not stream here answers at once.
  if (!(res.headers.get("Content-Type") || "").includes("event-stream")) {
    emit(await res.json());
    return;
  }
  const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
  const event = (block) => {
    const data = block.split("\n").filter((l) => l.startsWith("data:")).map((l) => l.slice(5).trimStart()).join("\n");
    if (!data) return;
    const value = JSON.parse(data);
    if (value.error) throw makeError(value.error.message, value.error.code, value.error.status);
    emit(value);
  };
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = blocks.pop();
      blocks.forEach(event);
    }
  } catch (err) {
    if (stopped(err) || err instanceof ApiError) throw err;
    throw new ApiError("The connection to the server was lost.");
  } finally {
    reader.cancel().catch(() => {}); // it has ended, or its error was thrown
  }
  event(rest);
}

/** Progress as the API writes it, in numbers. */
function readProgress(p) {
  return {
    tokens: p.tokens || 0,
    total: p.total || 0,
    source: p.source || "",
    fraction: Math.min(1, p.fraction || (p.total ? (p.tokens || 0) / p.total : 0)),
    rate: p.tokensPerSecond || 0,
    left: p.secondsLeft || 0,
    waiting: Boolean(p.waiting),
  };
}

/** All entries of a list that comes in pages. */
async function pages(path, field, signal) {
  const all = [];
  let token = "";
  do {
    const query = new URLSearchParams({ pageSize: "100", ...(token && { pageToken: token }) });
    const page = await getJSON(`${path}?${query}`, { signal });
    all.push(...(page[field] || []));
    token = page.nextPageToken || "";
  } while (token);
  return all;
}

export const models = (signal) => pages("/v1beta/models", "models", signal);
export const files = (signal) => pages("/v1beta/files", "files", signal);
export const contexts = (signal) => pages("/v1beta/cachedContents", "cachedContents", signal);

export const getContext = (name, signal) => getJSON(`/v1beta/${name}`, { signal });
export const extendContext = (name, seconds) => getJSON(`/v1beta/${name}`, { method: "PATCH", json: { ttl: `${seconds}s` } });
export const deleteContext = (name) => request(`/v1beta/${name}`, { method: "DELETE" });
export const deleteFile = (name) => request(`/v1beta/${name}`, { method: "DELETE" });

/** Reads parts into a stored context and returns it. */
export async function createContext({ model, displayName, contents, ttl }, { signal, onProgress = () => {} } = {}) {
  let made = null;
  await stream("/v1beta/cachedContents?alt=sse", { model, displayName, contents, ttl: `${ttl}s` }, signal, (chunk) => {
    if (chunk.progress) onProgress(readProgress(chunk.progress));
    else if (chunk.name) made = chunk;
    else if (chunk.cachedContent) made = chunk.cachedContent;
  });
  if (!made) throw new ApiError("The server stopped reading without saying why.");
  return made;
}

/** Asks. onText is called with each piece, onProgress while the prompt is read. */
export async function generate(model, body, { signal, onText = () => {}, onProgress = () => {} } = {}) {
  const out = { text: "", evidence: [], found: true, finish: "", usage: null };
  await stream(`/v1beta/${model}:streamGenerateContent?alt=sse&progress=true`, body, signal, (chunk) => {
    if (chunk.progress) onProgress(readProgress(chunk.progress));
    if (chunk.usageMetadata) out.usage = chunk.usageMetadata;
    const c = chunk.candidates?.[0];
    if (!c) return;
    const piece = (c.content?.parts || []).map((p) => p.text || "").join("");
    if (piece) {
      out.text += piece;
      onText(out.text);
    }
    if (c.evidence) out.evidence = c.evidence.map(readEvidence);
    if (c.found === false) out.found = false;
    if (c.finishReason) out.finish = c.finishReason;
  });
  return out;
}

/** The name of the file that an address is of, or "". */
export const fileOf = (uri) => /files\/[\w-]+$/.exec(uri || "")?.[0] || "";

function readEvidence(e) {
  return {
    source: e.source || "",
    file: fileOf(e.uri),
    page: e.page || 0,
    line: e.line || 0,
    offset: Number(e.offset) || 0,
    time: e.time ?? null,
    quote: e.quote || "",
    weight: e.weight || 0,
  };
}

/** Counts a request's tokens: { total, byModality }. */
export async function countTokens(model, body, signal) {
  const res = await getJSON(`/v1beta/${model}:countTokens`, {
    method: "POST",
    json: { generateContentRequest: { model, ...body } },
    signal,
  });
  return { total: res.totalTokens || 0, details: res.promptTokensDetails || [] };
}

const wait = (seconds, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

/** Calls f again, later each time, where the server was not reached or is busy. */
export async function patiently(f, signal, times = 6) {
  for (let i = 1; ; i++) {
    try {
      return await f();
    } catch (err) {
      const passing = err instanceof ApiError && (err.status === 0 || err.status === 429 || err.status === 503);
      if (!passing || i === times) throw err;
      await wait(Math.max(err.retryAfter, 0.4 * 2 ** i), signal);
    }
  }
}

// The address that an upload goes to, on this server whatever name it gives itself.
function here(url) {
  const u = new URL(url, location.href);
  return u.pathname + u.search;
}

/**
 * Uploads a file and returns the API's. It goes on after interruptions: with url, one
 * that onStart was called with in an earlier page, even after a reload.
 */
export async function upload(file, { name, url, signal, onStart = () => {}, onSent = () => {} }) {
  let offset = 0;
  const query = async () => {
    const res = await request(url, { method: "POST", headers: { "X-Goog-Upload-Command": "query" }, signal });
    if (res.headers.get("X-Goog-Upload-Status") !== "active") throw new ApiError("This upload has ended.", { status: 404 });
    return Number(res.headers.get("X-Goog-Upload-Size-Received")) || 0;
  };
  if (url) {
    try {
      offset = await query();
    } catch (err) {
      if (stopped(err) || err.status === 0 || err.status === 401) throw err;
      url = ""; // abandoned for too long: begin anew
    }
  }
  if (!url) {
    const type = file.type || "application/octet-stream";
    const res = await patiently(() => request("/upload/v1beta/files", {
      method: "POST",
      json: { file: { displayName: name } },
      headers: {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": String(file.size),
        "X-Goog-Upload-Header-Content-Type": type,
      },
      signal,
    }), signal);
    await res.arrayBuffer(); // it is empty
    url = here(res.headers.get("X-Goog-Upload-URL") || "");
    onStart(url);
  }
  for (let lost = false; ; ) {
    onSent(offset);
    const piece = file.slice(offset, offset + chunkSize);
    const last = offset + piece.size >= file.size;
    const res = await patiently(async () => {
      // Some of the chunk may have come through before the connection was lost.
      if (lost) {
        lost = false;
        const got = await query();
        if (got !== offset) {
          offset = got;
          return null;
        }
      }
      try {
        return await request(url, {
          method: "POST",
          body: piece,
          headers: { "X-Goog-Upload-Command": last ? "upload, finalize" : "upload", "X-Goog-Upload-Offset": String(offset) },
          signal,
        });
      } catch (err) {
        lost = true;
        throw err;
      }
    }, signal);
    if (!res) continue;
    offset += piece.size;
    if (last) {
      onSent(offset);
      return (await res.json()).file;
    }
    await res.arrayBuffer();
  }
}

/** Waits until a file has been looked at; one that cannot be read is an ApiError. */
export async function settle(file, signal) {
  for (let i = 0; file.state === "PROCESSING"; i++) {
    await wait(Math.min(0.02 * 1.6 ** i, 3), signal);
    file = await patiently(() => getJSON(`/v1beta/${file.name}`, { signal }), signal);
  }
  if (file.state === "FAILED") throw new ApiError(file.error?.message || "The server cannot read this file.", { status: 400 });
  return file;
}

const contentPath = (name) => `/v1beta/${name}:download?alt=media`;

/** Fetches a stored file's bytes from start to end (exclusive), or all of them. */
export function content(name, { start, end, signal } = {}) {
  const range = start === undefined ? undefined : { Range: `bytes=${start}-${end - 1}` };
  return request(contentPath(name), { headers: range, signal });
}

/**
 * An address that elements can load a stored file from. Elements send no headers,
 * so that a key has to be in the query, as the API allows.
 */
export function contentURL(name) {
  const key = getKey();
  return contentPath(name) + (key ? `&key=${encodeURIComponent(key)}` : "");
}
