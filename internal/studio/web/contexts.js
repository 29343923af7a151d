// Stored contexts and files: what the server keeps.

import { html, useCallback, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import * as api from "./api.js";
import { TimeLeft } from "./chat.js";
import { bytes, count, plural } from "./format.js";
import { kinds, kindOf, kindOfSource, ofModality } from "./kinds.js";
import * as scrolls from "./scroll.js";
import { useStore } from "./store.js";

const day = 86400;
const terms = [["1 hour", 3600], ["1 day", day], ["7 days", 7 * day], ["30 days", 30 * day], ["1 year", 365 * day]];

/** Loads a list and says how that goes: [list or null, error, reload]. */
function useList(fetch) {
  const [list, setList] = useState(null);
  const [error, setError] = useState("");
  const reload = useCallback(async () => {
    try {
      setList(await fetch());
      setError("");
    } catch (err) {
      setError(err.message);
    }
  }, []);
  useEffect(() => {
    reload();
  }, []);
  return [list, error, reload];
}

/** A button that asks once more before it does what cannot be undone. */
export function Confirm({ label, name, question, onConfirm }) {
  const [asking, setAsking] = useState(false);
  const yes = useRef(null);
  useEffect(() => {
    if (asking) yes.current.focus();
  }, [asking]);
  if (!asking) return html`<button type="button" class="button small" aria-label=${`${label} ${name}`} onClick=${() => setAsking(true)}>${label}</button>`;
  return html`<span class="confirm" role="group" aria-label=${question}>
    <span>${question}</span>
    <button type="button" class="button small danger" ref=${yes} onClick=${() => { setAsking(false); onConfirm(); }}>${label}</button>
    <button type="button" class="button small" onClick=${() => setAsking(false)}>Keep</button>
  </span>`;
}

function Mix({ details }) {
  if (!details?.length) return null;
  const total = details.reduce((n, d) => n + d.tokenCount, 0) || 1;
  return html`<span class="mix" role="img" aria-label=${details.map((d) => `${kinds[ofModality(d.modality)].name} ${count(d.tokenCount)}`).join(", ")}>
    ${details.map((d) => html`<span class="swatch" data-kind=${ofModality(d.modality)} style=${{ flexGrow: Math.max(0.02, d.tokenCount / total) }}></span>`)}
  </span>`;
}

// What a context is made of: the server's sums by kind, or its sources'.
function detailsOf(c) {
  if (c.usageMetadata?.tokensDetails) return c.usageMetadata.tokensDetails;
  const by = {};
  for (const s of c.sources || []) {
    const m = kinds[kindOfSource(s)].modality;
    by[m] = (by[m] || 0) + (s.tokens || 0);
  }
  return Object.entries(by).map(([modality, tokenCount]) => ({ modality, tokenCount }));
}

function Context({ context, onChanged, go }) {
  const [error, setError] = useState("");
  const name = context.displayName || context.name;
  const run = async (f) => {
    try {
      setError("");
      await f();
      onChanged();
    } catch (err) {
      setError(err.message);
    }
  };
  const open = async (e) => {
    e.preventDefault();
    try {
      go(`#/s/${await scrolls.open(context)}`);
    } catch (err) {
      setError(err.message);
    }
  };
  return html`<li class="row">
    <div class="row-main">
      <h3><a href="#/" onClick=${open}>${name}</a></h3>
      <p class="quiet">${plural(context.usageMetadata?.totalTokenCount || 0, "token")} · ${(context.model || "").replace("models/", "")} · <${TimeLeft} expires=${context.expireTime} /></p>
      <${Mix} details=${detailsOf(context)} />
      ${error && html`<p class="error" role="alert">${error}</p>`}
    </div>
    <div class="row-actions">
      <label class="field inline"><span class="sr">Keep ${name} for</span>
        <select value="" onChange=${(e) => { const s = Number(e.target.value); e.target.value = ""; if (s) run(() => api.extendContext(context.name, s)); }}>
          <option value="">Keep for …</option>
          ${terms.map(([label, s]) => html`<option value=${s}>${label}</option>`)}
        </select>
      </label>
      <${Confirm} label="Delete" name=${name} question="Delete for good?" onConfirm=${() => run(() => api.deleteContext(context.name))} />
    </div>
  </li>`;
}

function StoredFile({ file, onChanged }) {
  const [error, setError] = useState("");
  const name = file.displayName || file.name;
  const kind = kindOf(file.mimeType, name);
  const remove = async () => {
    try {
      await api.deleteFile(file.name);
      onChanged();
    } catch (err) {
      setError(err.message);
    }
  };
  return html`<li class="row compact">
    <div class="row-main"><p class="file"><span class="swatch" data-kind=${kind} aria-hidden="true"></span>${name}</p>
      <p class="quiet">${kinds[kind].name} · ${bytes(file.sizeBytes)}${file.expirationTime ? html` · <${TimeLeft} expires=${file.expirationTime} />` : ""}${file.state === "FAILED" ? " · cannot be read" : ""}</p>
      ${error && html`<p class="error" role="alert">${error}</p>`}</div>
    <div class="row-actions"><${Confirm} label="Delete" name=${name} question="Delete for good?" onConfirm=${remove} /></div>
  </li>`;
}

// Conversations of this browser that have no stored context of their own in the list.
function Conversations({ known, go }) {
  const all = useStore(scrolls.state, (s) => s.scrolls);
  const list = Object.values(all).filter((s) => s.messages.length || s.parts.length).sort((a, b) => b.created - a.created);
  if (!list.length) return null;
  return html`<section><h2>In this browser</h2><ul class="rows">
    ${list.map((s) => html`<li class="row compact" key=${s.id}>
      <div class="row-main"><p><a href=${`#/s/${s.id}`}>${s.title || "Untitled"}</a></p>
        <p class="quiet">${plural(s.parts.length, "part")} · ${plural(Math.floor(s.messages.length / 2), "question")} · ${new Date(s.created).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}${s.context && known && !known.has(s.context) ? " · no longer on the server" : ""}</p></div>
      <div class="row-actions"><${Confirm} label="Forget" name=${s.title || "Untitled"} question="Forget its questions and answers?" onConfirm=${() => scrolls.forget(s.id)} /></div>
    </li>`)}
  </ul></section>`;
}

/** The page of stored contexts. */
export function Contexts({ go }) {
  const [list, error, reload] = useList(api.contexts);
  const [files, filesError, reloadFiles] = useList(api.files);
  return html`<div class="page-body">
    <header class="page-head"><h1 tabindex="-1">Contexts</h1><p>What was read is kept on the server’s disk and can be asked at once, also after a restart.</p></header>
    <section aria-busy=${list ? "false" : "true"}><h2>Stored contexts</h2>
      ${error && html`<p class="error" role="alert">${error} <button type="button" class="link" onClick=${reload}>Try again</button></p>`}
      ${list && (list.length ? html`<ul class="rows">${list.map((c) => html`<${Context} key=${c.name} context=${c} onChanged=${reload} go=${go} />`)}</ul>` : html`<p class="quiet">None yet. Drop files on a new scroll and they are read into one.</p>`)}
    </section>
    <${Conversations} known=${list && new Set(list.map((c) => c.name))} go=${go} />
    <section aria-busy=${files ? "false" : "true"}><h2>Files on the server</h2>
      ${filesError && html`<p class="error" role="alert">${filesError} <button type="button" class="link" onClick=${reloadFiles}>Try again</button></p>`}
      ${files && (files.length ? html`<ul class="rows">${files.map((f) => html`<${StoredFile} key=${f.name} file=${f} onChanged=${reloadFiles} />`)}</ul>` : html`<p class="quiet">None.</p>`)}
    </section>
  </div>`;
}
