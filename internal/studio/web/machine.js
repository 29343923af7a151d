// What the server runs on, from /v1beta/models, /readyz and /metrics.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import * as api from "./api.js";
import { brief, bytes, count, plural } from "./format.js";
import * as scrolls from "./scroll.js";
import { useStore } from "./store.js";

/** Reads Prometheus' text format: {name: [{labels, value}]}. */
export function parseMetrics(text) {
  const out = {};
  for (const line of text.split("\n")) {
    const m = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!m || line.startsWith("#")) continue;
    const labels = {};
    for (const [, k, v] of (m[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[k] = v;
    const value = m[3] === "+Inf" ? Infinity : Number(m[3]);
    (out[m[1]] ||= []).push({ labels, value });
  }
  return out;
}

// The sum of a metric over its labels; undefined if the server does not have it.
const total = (metrics, name) => metrics[`handscroll_${name}`]?.reduce((a, x) => a + x.value, 0);

/** Asks for the metrics every other second while the page can be seen. */
function useMetrics() {
  const [state, setState] = useState({ history: [], error: "", ready: "" });
  useEffect(() => {
    const control = new AbortController();
    let timer = 0;
    const look = async () => {
      if (!document.hidden) {
        try {
          const [res, ready] = await Promise.all([
            api.request("/metrics", { signal: control.signal }),
            fetch("/readyz", { signal: control.signal, cache: "no-store" }).then(async (r) => (r.ok ? "Ready" : (await r.text()).trim().slice(0, 200) || "Not ready")),
          ]);
          const now = { at: performance.now() / 1000, metrics: parseMetrics(await res.text()) };
          setState((s) => ({ history: [...s.history.slice(-59), now], error: "", ready }));
        } catch (err) {
          if (api.stopped(err)) return;
          setState((s) => ({ ...s, error: err.message || String(err), ready: "" }));
        }
      }
      if (!control.signal.aborted) timer = setTimeout(look, 2000);
    };
    look();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, []);
  return state;
}

// Per second between looks, oldest first. A counter that fell has begun anew.
function rates(history, name) {
  const out = [];
  for (let i = 1; i < history.length; i++) {
    const [a, b] = [history[i - 1], history[i]];
    const d = (total(b.metrics, name) ?? 0) - (total(a.metrics, name) ?? 0);
    out.push(Math.max(0, d) / Math.max(0.1, b.at - a.at));
  }
  return out;
}

function Spark({ values, name }) {
  const max = Math.max(...values, 1e-9);
  const step = 120 / 59;
  const x = (i) => 120 - (values.length - 1 - i) * step;
  const d = values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${(30 - (v / max) * 28).toFixed(1)}`).join("");
  return html`<svg class="spark" viewBox="0 0 120 32" role="img" aria-label=${`${name}, the last two minutes`} preserveAspectRatio="none"><path d=${d || "M0 30"} /></svg>`;
}

function Meter({ name, value, max, write }) {
  if (value === undefined) return null;
  return html`<div class="figure"><dt>${name}</dt><dd><b>${write(value)}</b>${max > 0 ? ` of ${write(max)}` : ""}
    ${max > 0 && html`<meter min="0" max=${max} value=${value} aria-label=${name}></meter>`}</dd></div>`;
}

function Figure({ name, value, note, children }) {
  if (value === undefined) return null;
  return html`<div class="figure"><dt>${name}</dt><dd><b>${value}</b>${note ? ` ${note}` : ""}${children}</dd></div>`;
}

function Figures({ history }) {
  const { metrics } = history[history.length - 1];
  const of = (name) => total(metrics, name);
  const read = rates(history, "prefill_tokens_total");
  const said = rates(history, "decode_tokens_total");
  const tried = of("prefix_cache_hits_total") + of("prefix_cache_misses_total");
  const last = (list) => (list.length ? list[list.length - 1] : 0);
  const mean = (what) => (of(`${what}_seconds_total`) > 0 ? `${brief(of(`${what}_tokens_total`) / of(`${what}_seconds_total`))} a second while at it` : "");
  const shown = (name, write = count) => (of(name) === undefined ? undefined : write(of(name)));
  return html`<dl class="figures">
    <${Figure} name="Reading" value=${`${brief(last(read))} tokens/s`} note=${mean("prefill")}><${Spark} values=${read} name="Tokens read a second" /><//>
    <${Figure} name="Answering" value=${`${brief(last(said))} tokens/s`} note=${mean("decode")}><${Spark} values=${said} name="Tokens answered a second" /><//>
    <${Figure} name="Requests" value=${shown("requests_running", (n) => `${count(n)} running`)} note=${`${count(of("queue_waiting"))} waiting${of("requests_refused_total") ? `, ${count(of("requests_refused_total"))} refused as too many` : ""}`} />
    <${Figure} name="Read before" value=${tried >= 0 ? (tried ? `${Math.round((100 * of("prefix_cache_hits_total")) / tried)} %` : "–") : undefined} note=${`of ${plural(tried || 0, "prompt")}; ${brief(of("cached_tokens_total"))} tokens not read again`} />
    <${Meter} name="Memory of contexts" value=${of("context_memory_bytes")} max=${of("context_memory_limit_bytes") || 0} write=${bytes} />
    <${Meter} name="Disk" value=${of("disk_bytes")} max=${of("disk_quota_bytes") || 0} write=${bytes} />
    <${Figure} name="Stored contexts" value=${shown("stored_contexts")} note=${of("evicted_contexts_total") ? `${count(of("evicted_contexts_total"))} made room for others` : ""} />
    <${Figure} name="Process" value=${metrics.process_resident_memory_bytes && bytes(metrics.process_resident_memory_bytes[0].value)} note=${metrics.go_goroutines ? `${count(metrics.go_goroutines[0].value)} goroutines` : ""} />
  </dl>`;
}

function Models() {
  const models = useStore(scrolls.state, (s) => s.models);
  const error = useStore(scrolls.state, (s) => s.modelsError);
  if (error) return html`<p class="error" role="alert">${error} <button type="button" class="link" onClick=${scrolls.loadModels}>Try again</button></p>`;
  if (!models) return html`<p class="quiet">…</p>`;
  return html`<ul class="rows">${models.map((m) => html`<li class="row" key=${m.name}><div class="row-main">
    <h3>${m.displayName || m.name}</h3><p class="quiet"><code>${m.name.replace("models/", "")}</code> · reads ${count(m.inputTokenLimit)} tokens · answers up to ${count(m.outputTokenLimit)}</p>
    ${m.description && html`<p>${m.description}</p>`}
  </div></li>`)}</ul>`;
}

function Key() {
  const [key, setKey] = useState(api.getKey());
  const [saved, setSaved] = useState(false);
  const status = useRef(null);
  const submit = (e) => {
    e.preventDefault();
    api.setKey(key.trim());
    setSaved(true);
    scrolls.loadModels();
  };
  return html`<form class="panel inline" onSubmit=${submit} aria-label="API key">
    <label class="field">API key, if the server asks for one <input type="password" autocomplete="off" value=${key} onInput=${(e) => { setKey(e.target.value); setSaved(false); }} /></label>
    <button type="submit" class="button">Use</button><span role="status" ref=${status} class="quiet">${saved ? "Kept until this tab is closed" : ""}</span>
  </form>`;
}

/** The page about models and memory. */
export function Machine() {
  const { history, error, ready } = useMetrics();
  const last = history[history.length - 1];
  return html`<div class="page-body">
    <header class="page-head"><h1 tabindex="-1">Machine</h1><p class="readiness" data-ready=${ready === "Ready" || null}>${ready || (error ? "No answer" : "…")}</p></header>
    <section><h2>Models</h2><${Models} /></section>
    <section class="measured"><h2>Now</h2>
      ${error && html`<p class="error" role="alert">${error}</p>`}
      ${last && html`<${Figures} history=${history} />`}
    </section>
    <section><h2>Key</h2><${Key} /></section>
    ${last && html`<details><summary>All of /metrics</summary><div class="all-metrics" tabindex="0" role="region" aria-label="All metrics"><table><tbody>
      ${Object.entries(last.metrics).filter(([n]) => !/_bucket$/.test(n)).map(([n, list]) => list.map((x) => html`<tr><th scope="row">${n}${Object.keys(x.labels).length ? ` {${Object.entries(x.labels).map(([k, v]) => `${k}=${v}`).join(", ")}}` : ""}</th><td>${x.value}</td></tr>`))}
    </tbody></table></div></details>`}
  </div>`;
}
