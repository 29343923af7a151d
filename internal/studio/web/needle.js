// The needle test: sentences hidden at depths of texts of many lengths, asked for
// through the public API, and painted as the answers come.

import { html, useEffect, useState } from "./vendor/htm-preact.js";
import * as api from "./api.js";
import { brief, plural, span } from "./format.js";
import { cut, has, hide, needle, prose, random, repeated } from "./haystack.js";
import * as scrolls from "./scroll.js";
import { createStore, load, save, useStore } from "./store.js";

const sizes = [1024, 4096, 16384, 65536, 262144, 1048576, 2097152, 4194304];
const label = (n) => (n >= 1 << 20 ? `${n >> 20}M` : `${n >> 10}k`);
const depthsOf = (n) => Array.from({ length: n }, (_, i) => (n === 1 ? 0.5 : i / (n - 1)));

// The run goes on while other pages are looked at, and its results stay.
const run = createStore({ result: settled(load("needle", null)), control: null });

// A result in which nothing is under way.
function settled(result) {
  if (!result) return null;
  const rest = ([k, c]) => [k, c.state === "reading" || c.state === "asking" ? { state: "waiting" } : c];
  return { ...result, cells: Object.fromEntries(Object.entries(result.cells).map(rest)) };
}

function keep() {
  run.set((s) => ({ result: { ...s.result, ended: Date.now() } }));
  save("needle", run.get().result);
}

/** Runs a test; cells change as it goes. */
async function start(config, text, model) {
  const control = new AbortController();
  const { lengths, depths, seed, together } = config;
  const cells = Object.fromEntries(lengths.flatMap((l) => depths.map((d) => [`${l}/${d}`, { state: "waiting" }])));
  run.set({ control, result: { config, source: text.name, model: model.name, cells, began: Date.now(), ended: Date.now(), error: "" } });
  const change = (patch) => run.set((s) => ({ result: { ...s.result, ...patch } }));
  const set = (l, d, cell) => run.set((s) => ({ result: { ...s.result, cells: { ...s.result.cells, [`${l}/${d}`]: cell } } }));
  const rng = random(seed);
  try {
    // How long this model's tokens are in this text.
    const sample = text.make(20000).slice(0, 20000);
    const { total } = await api.countTokens(model.name, { contents: [{ role: "user", parts: [{ text: sample }] }] }, control.signal);
    const perToken = sample.length / Math.max(1, total);
    for (const l of lengths) {
      const hay = cut(text.make(l * perToken), Math.floor(l * perToken) - 60);
      const needles = depths.map((_, i) => needle(rng, i));
      if (together) {
        // Deepest first, so that depths of the others stay what they are.
        const all = [...depths.keys()].sort((a, b) => depths[b] - depths[a]).reduce((t, i) => hide(t, needles[i].say, depths[i]), hay);
        await inContext(model, all, control.signal, (p) => depths.forEach((d) => set(l, d, { state: "reading", fraction: p })), async (ask) => {
          for (const [i, d] of depths.entries()) await one(l, d, needles[i], ask, set);
        });
        continue;
      }
      for (const [i, d] of depths.entries()) {
        set(l, d, { state: "reading", fraction: 0 });
        await inContext(model, hide(hay, needles[i].say, d), control.signal, (p) => set(l, d, { state: "reading", fraction: p }), (ask) => one(l, d, needles[i], ask, set));
      }
    }
  } catch (err) {
    if (!api.stopped(err)) change({ error: err.message });
  }
  run.set((s) => ({ result: settled(s.result), control: null }));
  keep();
  const { found, done } = score(run.get().result);
  scrolls.announce(`Needle test ended: ${found} of ${done} found`);
}

// Reads a text into a context that is deleted after use.
async function inContext(model, text, signal, onProgress, use) {
  const made = await api.patiently(() => api.createContext(
    { model: model.name, displayName: "needle test", contents: [{ role: "user", parts: [{ text }] }], ttl: 600 },
    { signal, onProgress: (p) => onProgress(p.fraction) },
  ), signal);
  try {
    await use(async (question) => {
      const began = performance.now();
      const out = await api.patiently(() => api.generate(model.name, { contents: [{ role: "user", parts: [{ text: question }] }], cachedContent: made.name }, { signal }), signal);
      return { text: out.text, tokens: made.usageMetadata?.totalTokenCount || 0, seconds: (performance.now() - began) / 1000 };
    });
  } finally {
    // It expires in minutes should this fail.
    await api.deleteContext(made.name).catch((err) => console.info(err.message));
  }
}

async function one(l, d, n, ask, set) {
  set(l, d, { state: "asking" });
  const got = await ask(n.ask);
  set(l, d, { state: has(got.text, n.value) ? "found" : "missed", expected: n.value, ...got });
  keep();
}

function score(result) {
  const all = Object.values(result.cells);
  const done = all.filter((c) => c.state === "found" || c.state === "missed");
  return { all: all.length, done: done.length, found: done.filter((c) => c.state === "found").length };
}

const says = { waiting: "not asked yet", reading: "being read", asking: "being asked", found: "found", missed: "missed" };
const marks = { found: "✓", missed: "✗", asking: "…" };

function Cell({ cell }) {
  const text = cell.state === "reading" ? `${Math.floor((cell.fraction || 0) * 100)} % read` : says[cell.state];
  const more = cell.text !== undefined ? `: ${cell.text || "no answer"} (hidden: ${cell.expected})` : "";
  return html`<td data-state=${cell.state} title=${text + more}>
    ${cell.state === "reading" && html`<span class="cell-fill" style=${{ height: `${(cell.fraction || 0) * 100}%` }}></span>`}
    <span class="cell-mark" aria-hidden="true">${marks[cell.state] || ""}</span><span class="sr">${text}</span>
  </td>`;
}

function HeatMap({ result }) {
  const { lengths, depths } = result.config;
  const misses = Object.entries(result.cells).filter(([, c]) => c.state === "missed");
  return html`<div class="map-scroll" tabindex="0" role="region" aria-label="Heat map">
      <table class="map">
        <caption>Found by depth and length${result.source ? ` · ${result.source}` : ""} · ${result.model.replace("models/", "")}</caption>
        <thead><tr><th scope="col"><span class="sr">Depth</span></th>${lengths.map((l) => html`<th scope="col" key=${l}>${label(l)}<span class="sr"> tokens</span></th>`)}</tr></thead>
        <tbody>${depths.map((d) => html`<tr key=${d}><th scope="row">${Math.round(d * 100)} %</th>${lengths.map((l) => html`<${Cell} key=${l} cell=${result.cells[`${l}/${d}`]} />`)}</tr>`)}</tbody>
      </table>
    </div>
    <p class="map-key" aria-hidden="true"><span><i data-state="found">✓</i> found</span><span><i data-state="missed">✗</i> missed</span><span><i data-state="waiting"></i> not asked yet</span></p>
    ${misses.length > 0 && html`<details><summary>${plural(misses.length, "miss", "misses")}</summary><ul class="misses">${misses.map(([k, c]) => html`<li key=${k}>${label(Number(k.split("/")[0]))} at ${Math.round(Number(k.split("/")[1]) * 100)} %: “${c.text || "no answer"}”, hidden was ${c.expected}</li>`)}</ul></details>`}`;
}

function csv(result) {
  const rows = [["length", "depth", "state", "expected", "answer", "tokens", "seconds"]];
  for (const [k, c] of Object.entries(result.cells)) {
    const [l, d] = k.split("/");
    rows.push([l, d, c.state, c.expected ?? "", c.text ?? "", c.tokens ?? "", c.seconds?.toFixed(3) ?? ""]);
  }
  return rows.map((r) => r.map((x) => `"${String(x).replaceAll('"', '""')}"`).join(",")).join("\r\n");
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** The page of the needle test. */
export function Needle() {
  const { result, control } = useStore(run);
  const models = useStore(scrolls.state, (s) => s.models);
  const modelsError = useStore(scrolls.state, (s) => s.modelsError);
  const [picked, setPicked] = useState(load("needle.lengths", [1024, 4096, 16384]));
  const [depths, setDepths] = useState(5);
  const [seed, setSeed] = useState(1);
  const [together, setTogether] = useState(false);
  const [name, setName] = useState("");
  const [file, setFile] = useState(null);
  const [error, setError] = useState("");
  const model = models?.find((m) => m.name === name) || models?.[0];
  const limit = model?.inputTokenLimit || Infinity;
  const lengths = picked.filter((l) => l <= limit).sort((a, b) => a - b);
  useEffect(() => void save("needle.lengths", picked), [picked]);

  const submit = async (e) => {
    e.preventDefault();
    setError("");
    try {
      const own = file && (await file.text());
      if (own !== null && own.trim().length < 200) throw new Error("The chosen text is too short to hide anything in.");
      const text = own ? { name: file.name, make: (n) => repeated(own, n) } : { name: "", make: (n) => prose(n, seed) };
      start({ lengths, depths: depthsOf(depths), seed, together }, text, model);
    } catch (err) {
      setError(err.message);
    }
  };
  const counts = result && score(result);
  const reads = together ? lengths.reduce((a, b) => a + b, 0) : lengths.reduce((a, b) => a + b, 0) * depths;
  const took = result ? (result.ended - result.began) / 1000 : 0;
  return html`<div class="page-body">
    <header class="page-head"><h1 tabindex="-1">Needle test</h1><p>A sentence is hidden at different depths of texts of different lengths. Can the model find it?</p></header>
    <form class="panel" onSubmit=${submit} aria-label="Needle test">
      <fieldset class="picks"><legend>Lengths, in tokens</legend>
        ${sizes.map((l) => html`<label class="pick" key=${l}><input type="checkbox" checked=${picked.includes(l)} disabled=${l > limit} onChange=${(e) => setPicked(e.target.checked ? [...picked, l] : picked.filter((x) => x !== l))} /> ${label(l)}</label>`)}
      </fieldset>
      <div class="fields">
        <label class="field">Depths <select value=${depths} onChange=${(e) => setDepths(Number(e.target.value))}>${[1, 3, 5, 11, 21].map((n) => html`<option value=${n}>${n}</option>`)}</select></label>
        <label class="field">Reading <select value=${together ? "1" : ""} onChange=${(e) => setTogether(Boolean(e.target.value))}><option value="">one needle at a time</option><option value="1">all needles of a length at once</option></select></label>
        <label class="field">Seed <input type="number" min="0" max="999999" value=${seed} onInput=${(e) => setSeed(Number(e.target.value) || 0)} /></label>
        ${models && models.length > 1 && html`<label class="field">Model <select value=${model?.name} onChange=${(e) => setName(e.target.value)}>${models.map((m) => html`<option value=${m.name}>${m.displayName || m.name}</option>`)}</select></label>`}
        <label class="field">Haystack: a text of your own, or else made up <input type="file" accept="text/*,.txt,.md" onChange=${(e) => setFile(e.target.files[0] || null)} /></label>
      </div>
      <div class="actions">
        ${control
          ? html`<button type="button" class="button stop" onClick=${() => control.abort()}>Stop</button>`
          : html`<button type="submit" class="button primary" disabled=${!model || lengths.length === 0}>Start</button>`}
        <span class="quiet">${lengths.length ? `${plural(lengths.length * depths, "question")}, about ${brief(reads)} tokens to read` : "Choose at least one length"}</span>
      </div>
      ${(error || (!model && modelsError)) && html`<p class="error" role="alert">${error || modelsError}</p>`}
    </form>
    <section class="results" aria-label="Results" aria-busy=${control ? "true" : "false"}>
      ${result
        ? html`<p class="score"><b>${counts.found} of ${counts.done}</b> found${counts.done < counts.all ? ` · ${counts.all - counts.done} ${control ? "to go" : "not asked"}` : ""} · ${span(took)}
            ${!control && html` <button type="button" class="link" onClick=${() => download("needle-test.csv", csv(result))}>Save as CSV</button>`}</p>
          ${result.error && html`<p class="error" role="alert">The test stopped. ${result.error}</p>`}
          <${HeatMap} result=${result} />`
        : html`<p class="quiet">Nothing measured yet.</p>`}
    </section>
  </div>`;
}

