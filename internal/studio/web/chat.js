// Asking and answers.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import * as api from "./api.js";
import { base, brief, clock, count, span } from "./format.js";
import { kinds, kindOf } from "./kinds.js";
import { Prose } from "./prose.js";
import * as scrolls from "./scroll.js";
import { useStore } from "./store.js";
import { partOf } from "./strip.js";

/** Where evidence stands, in words: "talk.flac at 12:34". */
export function place(e) {
  const name = base(e.source.replace(/#page=\d+$/, "")) || "the context";
  if (e.time !== null) return `${name} at ${clock(e.time)}`;
  const page = e.page || Number(/#page=(\d+)$/.exec(e.source)?.[1]) || 0;
  if (page) return `${name}, page ${page}`;
  return e.line ? `${name}, line ${e.line}` : name;
}

export const kindOfEvidence = (parts, e) => partOf(parts, e)?.kind || kindOf("", e.source);

function Evidence({ scroll, message, open, lit, onOpen, onLight }) {
  if (message.evidence.length === 0) return null;
  return html`<ul class="chips" aria-label="Evidence">
    ${message.evidence.map((e, i) => {
      const kind = kindOfEvidence(scroll.parts, e);
      const is = (x) => x && x.message === message.id && x.index === i;
      return html`<li key=${i}>
        <button type="button" class="chip" id=${`chip-${message.id}-${i}`} data-kind=${kind} aria-expanded=${is(open) ? "true" : "false"} data-lit=${is(lit) || null} title=${e.quote}
          onClick=${() => onOpen({ message: message.id, index: i })}
          onMouseEnter=${() => onLight({ message: message.id, index: i })} onMouseLeave=${() => onLight(null)}
          onFocus=${() => onLight({ message: message.id, index: i })} onBlur=${() => onLight(null)}>
          <span class="seal" aria-hidden="true">${i + 1}</span>
          <span class="swatch" data-kind=${kind} aria-hidden="true"></span>
          <span class="chip-text"><span class="sr">Evidence ${i + 1}, ${kinds[kind].name.toLowerCase()}: </span>${place(e)}</span>
        </button>
      </li>`;
    })}
  </ul>`;
}

function Footnote({ message, scroll }) {
  const m = message;
  const list = [];
  if (m.found === false) list.push("The context does not say");
  if (m.cut) list.push("Cut at the model's longest answer");
  if (m.seconds !== undefined) list.push(`${m.seconds < 0.1 ? "under 0.1" : m.seconds < 10 ? m.seconds.toFixed(1) : Math.round(m.seconds)} s`);
  if (m.usage?.cached) list.push(`${brief(m.usage.cached)} of ${brief(m.usage.prompt)} tokens were read before`);
  if (m.state === "done" && m.found !== false && scroll.parts.length > 0 && m.evidence.length === 0) list.push("no evidence given");
  return list.length ? html`<p class="footnote">${list.join(" · ")}</p>` : null;
}

function Answer({ scroll, message, ...rest }) {
  const m = message;
  const waiting = m.state === "waiting" || (m.state === "streaming" && !m.text);
  const progress = m.progress || (m.state === "waiting" ? scroll.reading : null);
  return html`<article class="answer" aria-busy=${m.state === "streaming" ? "true" : "false"} aria-label="Answer">
    ${waiting && html`<p class="pending"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${m.state === "waiting" ? "Asked as soon as the files are read" : "Looking"}${progress?.fraction > 0 && progress.fraction < 1 ? ` · ${Math.floor(progress.fraction * 100)} % read` : ""}</p>`}
    ${m.text && html`<${Prose} text=${m.text} />`}
    ${m.state === "done" && !m.text && html`<p class="quiet">The answer is empty.</p>`}
    <${Evidence} scroll=${scroll} message=${m} ...${rest} />
    ${m.state === "stopped" && html`<p class="footnote">Stopped before it was whole. <button type="button" class="link" onClick=${() => scrolls.again(scroll.id, m.id)}>Ask again</button></p>`}
    ${m.state === "failed" && html`<p class="error" role="alert">${m.error} <button type="button" class="link" onClick=${() => scrolls.again(scroll.id, m.id)}>Ask again</button></p>`}
    <${Footnote} message=${m} scroll=${scroll} />
  </article>`;
}

/** What was asked and answered. */
export function Messages({ scroll, open, lit, onOpen, onLight }) {
  const end = useRef(null);
  const last = scroll.messages[scroll.messages.length - 1];
  useEffect(() => {
    // Follow what is new, unless the reader has gone back up.
    const below = document.documentElement.scrollHeight - scrollY - innerHeight;
    if (last && below < 400) end.current?.scrollIntoView({ block: "end" });
  }, [scroll.messages.length, last?.text, last?.state]);
  return html`<div class="messages">
    <h2 class="sr">Questions and answers</h2>
    ${scroll.messages.map((m) => m.role === "user"
      ? html`<h3 class="question" key=${m.id}><span class="sr">Question: </span>${m.text}</h3>`
      : html`<${Answer} key=${m.id} scroll=${scroll} message=${m} open=${open} lit=${lit} onOpen=${onOpen} onLight=${onLight} />`)}
    <div ref=${end} class="end"></div>
  </div>`;
}

/** Counts the tokens of the files and the draft, a moment after they change. */
function useTokens(scroll, draft, model) {
  const [counted, setCounted] = useState(null);
  const uncounted = scroll.parts.filter((p) => p.state !== "read").reduce((n, p) => n + p.tokens, 0);
  // What is counted besides the draft: a count for another context says nothing.
  const base = [scroll.context, scroll.memory, scroll.messages.length, model?.name].join(" ");
  useEffect(() => {
    if (!model) return;
    const control = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const body = { contents: scrolls.turns(scroll, undefined, draft || " "), ...(scroll.context && { cachedContent: scroll.context }) };
        const { total } = await api.countTokens(model.name, body, control.signal);
        setCounted({ total, base, draft });
      } catch (err) {
        if (!api.stopped(err)) setCounted(null); // an estimate is shown instead
      }
    }, 350);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [draft, base]);
  const known = counted?.base === base ? counted.total : (scroll.context ? scroll.tokens : 0) + Math.ceil(draft.length / 4);
  return { total: known + uncounted, exact: counted?.base === base && counted.draft === draft && uncounted === 0 };
}

function Tokens({ scroll, draft, model }) {
  const { total, exact } = useTokens(scroll, draft, model);
  const limit = model?.inputTokenLimit || 0;
  const over = limit > 0 && total > limit;
  return html`<p class="tokens" data-over=${over || null}>
    <span class="gauge" aria-hidden="true"><span style=${{ width: `${limit ? Math.min(100, (total / limit) * 100) : 0}%` }}></span></span>
    <span>${exact ? "" : "≈ "}${count(total)}${limit ? ` of ${count(limit)}` : ""} tokens${over ? `: ${count(total - limit)} too many` : ""}</span>
  </p>`;
}

/** Where questions are written. */
export function Composer({ scroll }) {
  const models = useStore(scrolls.state, (s) => s.models);
  const running = useStore(scrolls.state, (s) => Boolean(s.busy[scroll.id]?.answer));
  const [draft, setDraft] = useState(scroll.draft);
  const box = useRef(null);
  const model = scrolls.modelOf(scroll, models);
  const waiting = scroll.messages.some((m) => m.state === "waiting" || m.state === "streaming");

  useLayoutEffect(() => {
    const el = box.current;
    el.style.height = "auto";
    el.style.height = `${Math.min(el.scrollHeight + 2, innerHeight * 0.4)}px`;
  }, [draft]);
  const type = (text) => {
    setDraft(text);
    scrolls.update(scroll.id, { draft: text });
  };
  const submit = (e) => {
    e?.preventDefault();
    if (!draft.trim() || waiting) return;
    scrolls.ask(scroll.id, draft.trim());
    setDraft("");
    box.current.focus();
  };
  const key = (e) => {
    // Enter also ends the composition of a character.
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) submit(e);
  };
  return html`<form class="composer" onSubmit=${submit} aria-label="Ask">
    <label class="sr" for="question">Question</label>
    <textarea id="question" ref=${box} rows="1" value=${draft} placeholder=${scroll.parts.length ? "Ask about what is on the scroll" : "Ask, or drop files first"} onInput=${(e) => type(e.target.value)} onKeyDown=${key}></textarea>
    <div class="composer-foot">
      <${Tokens} scroll=${scroll} draft=${draft} model=${model} />
      <label class="check"><input type="checkbox" checked=${scroll.memory} onChange=${(e) => scrolls.update(scroll.id, { memory: e.target.checked })} /> Send earlier turns</label>
      ${running
        ? html`<button type="button" class="button stop" onClick=${() => scrolls.stop(scroll.id, "answer")}>Stop</button>`
        : html`<button type="submit" class="button primary" disabled=${!draft.trim() || waiting}>Ask</button>`}
    </div>
  </form>`;
}

/** Which model answers. */
export function ModelPicker({ scroll }) {
  const models = useStore(scrolls.state, (s) => s.models);
  // A stored context belongs to the model that read it.
  if (!models || models.length < 2 || scroll.context) return null;
  const model = scrolls.modelOf(scroll, models);
  return html`<label class="field inline">Model
    <select value=${model?.name} onChange=${(e) => scrolls.update(scroll.id, { model: e.target.value })}>
      ${models.map((m) => html`<option key=${m.name} value=${m.name}>${m.displayName || m.name}</option>`)}
    </select>
  </label>`;
}

/** How long the stored context is kept. */
export function TimeLeft({ expires }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 20000);
    return () => clearInterval(timer);
  }, []);
  if (!expires) return "kept for good";
  const left = (Date.parse(expires) - Date.now()) / 1000;
  return left > 0 ? `${span(left)} left` : "expired";
}

