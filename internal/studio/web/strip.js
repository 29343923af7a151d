// The strip: the whole context as a scroll unrolled, each part a block as long as it
// has tokens, filled as far as it is read, with seals where evidence stands.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/htm-preact.js";
import { base, brief, bytes, clock, count, plural, span } from "./format.js";
import { kinds, order } from "./kinds.js";

/** The part that evidence is from, or undefined. */
export function partOf(parts, e) {
  const name = e.source.replace(/#page=\d+$/, "");
  return (
    (e.file && parts.find((p) => p.file === e.file)) ||
    parts.find((p) => p.name === name) ||
    parts.find((p) => name.startsWith(p.name) && /^[/!:]/.test(name.slice(p.name.length))) ||
    parts.find((p) => base(p.name) === base(name))
  );
}

/** How far into its part evidence stands, 0 to 1. */
export function placeIn(part, e) {
  let at = 0;
  if (e.time !== null && part.duration) at = e.time / part.duration;
  else if (part.kind === "text" && part.size) at = e.offset / part.size;
  else if (part.tokens) at = e.offset / (part.tokens * 4); // extracted text: about 4 bytes a token
  return Math.min(0.995, Math.max(0, at));
}

/** How far parts are read, 0 to 1 each, by key. */
export function fills(scroll) {
  const out = {};
  const r = scroll.reading;
  const reading = scroll.parts.filter((p) => p.state === "ready" || p.state === "read");
  for (const p of scroll.parts) out[p.key] = p.state === "read" && !scroll.stale ? 1 : 0;
  if (!r) return out;
  // Where the source is known, all before it is read; within it tokens tell.
  const at = r.source ? reading.indexOf(partOf(reading, { source: r.source })) : -1;
  let left = r.total ? r.tokens : 0;
  if (!r.total) left = r.fraction * reading.reduce((n, p) => n + p.tokens, 0);
  reading.forEach((p, i) => {
    const share = Math.min(1, Math.max(0, left / p.tokens));
    left -= p.tokens;
    out[p.key] = at < 0 ? share : i < at ? 1 : i === at ? Math.max(share, Math.min(1, (r.tokens - r.start) / p.tokens)) : Math.max(out[p.key], i > at ? 0 : share);
  });
  return out;
}

const folderOf = (p) => p.name.slice(0, p.name.lastIndexOf("/") + 1);

/** Joins neighbours of a kind until there are at most limit blocks, folders first. */
export function blocksOf(parts, limit) {
  const join = (a, b) => ({ parts: [...a.parts, ...b.parts], kind: a.kind, tokens: a.tokens + b.tokens });
  const most = parts.reduce((n, p) => n + p.tokens, 0) / 12; // of a block that is joined here
  let blocks = [];
  for (const p of parts) {
    const last = blocks[blocks.length - 1];
    if (parts.length > limit && last && last.kind === p.kind && last.tokens + p.tokens <= most && folderOf(last.parts[0]) === folderOf(p)) {
      last.parts.push(p);
      last.tokens += p.tokens;
    } else blocks.push({ parts: [p], kind: p.kind, tokens: p.tokens });
  }
  while (blocks.length > limit) {
    // The smallest pair that may be joined; folders stay whole for as long as possible.
    let best = -1;
    let least = Infinity;
    for (let i = 0; i + 1 < blocks.length; i++) {
      const [a, b] = [blocks[i], blocks[i + 1]];
      if (a.kind !== b.kind) continue;
      const apart = a.parts[0].name.split("/")[0] === b.parts[0].name.split("/")[0] ? 1 : 1000;
      const cost = (a.tokens + b.tokens + 1) * apart;
      if (cost < least) [best, least] = [i, cost];
    }
    if (best < 0) break;
    blocks = [...blocks.slice(0, best), join(blocks[best], blocks[best + 1]), ...blocks.slice(best + 2)];
  }
  return blocks;
}

const states = { waiting: "waiting to be sent", sending: "being sent", looking: "being looked at", ready: "not read yet", read: "read", failed: "cannot be read", stopped: "stopped" };

// The folder that all parts of a block are in, with its slash; "" if there is none.
function common(parts) {
  let out = folderOf(parts[0]);
  for (const p of parts) while (!p.name.startsWith(out)) out = out.slice(0, out.lastIndexOf("/", out.length - 2) + 1);
  return out;
}

function titleOf(block) {
  if (block.parts.length === 1) return base(block.parts[0].name);
  const folder = common(block.parts);
  return folder ? `${base(folder)} (${count(block.parts.length)})` : plural(block.parts.length, "file");
}

function describe(block, filled) {
  const exact = block.parts.every((p) => p.exact);
  const [p] = block.parts;
  const list = [kinds[block.kind].name.toLowerCase(), `${exact ? "" : "about "}${plural(block.tokens, "token")}`];
  if (block.parts.length === 1) {
    if (p.size) list.push(bytes(p.size));
    if (p.duration) list.push(clock(p.duration));
    list.push(filled > 0 && filled < 1 ? `${Math.round(filled * 100)} % read` : states[p.state]);
    if (p.error) list.push(p.error);
  }
  return list.join(", ");
}

function Block({ block, fill, sent, pins, index, current, onFocus, onOpen, onPin }) {
  const failed = block.parts.some((p) => p.state === "failed");
  const moving = block.parts.some((p) => p.state === "sending" || p.state === "waiting");
  return html`<li class="block" data-kind=${block.kind} data-failed=${failed || null} data-lit=${pins.length > 0 || null} style=${{ flexGrow: Math.max(1, block.tokens) }}>
    <button type="button" class="block-body" data-kind=${block.kind} tabindex=${index === current ? 0 : -1} data-index=${index}
      aria-label=${`${titleOf(block)}: ${describe(block, fill)}${pins.length ? `, evidence ${pins.map((p) => p.n).join(", ")}` : ""}`}
      onFocus=${() => onFocus(index)} onMouseEnter=${() => onFocus(index, true)} onClick=${() => onOpen(block)}>
      <span class="fill" data-kind=${block.kind} style=${{ width: `${fill * 100}%` }}></span>
      ${moving && html`<span class="sent" style=${{ width: `${sent * 100}%` }}></span>`}
    </button>
    ${pins.map((p) => html`<span key=${p.n} class="pin" data-active=${p.active || null} style=${{ left: `${p.at * 100}%` }} onClick=${() => onPin(p)}><span class="seal" aria-hidden="true">${p.n}</span></span>`)}
    <span class="block-label" aria-hidden="true"><b>${failed ? "! " : ""}${titleOf(block)}</b><i>${brief(block.tokens)}</i></span>
  </li>`;
}

/** How many blocks fit where the strip is shown. */
function useLimit(ref) {
  const [limit, setLimit] = useState(60);
  useEffect(() => {
    const watch = new ResizeObserver(([e]) => setLimit(Math.max(12, Math.floor(e.contentRect.width / 14))));
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return limit;
}

/** The strip of a scroll; pins are {n, key, at, active}. */
export function Strip({ scroll, pins = [], onOpen, onPin, children }) {
  const paper = useRef(null);
  const list = useRef(null);
  const limit = useLimit(paper);
  const blocks = useMemo(() => blocksOf(scroll.parts, limit), [scroll.parts, limit]);
  const filled = useMemo(() => fills(scroll), [scroll.parts, scroll.reading, scroll.stale]);
  const [current, setCurrent] = useState(0);
  const [shown, setShown] = useState(-1);
  const at = Math.min(current, Math.max(0, blocks.length - 1));

  const keys = (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -blocks.length, End: blocks.length }[e.key];
    if (!step) return;
    e.preventDefault();
    const next = Math.min(blocks.length - 1, Math.max(0, at + step));
    setCurrent(next);
    list.current.querySelector(`[data-index="${next}"]`)?.focus();
  };
  const focus = (i, hover) => {
    if (!hover) setCurrent(i);
    setShown(i);
  };
  const share = (block, of) => {
    const tokens = block.tokens || 1;
    return block.parts.reduce((n, p) => n + of(p) * p.tokens, 0) / tokens;
  };
  const total = scroll.parts.reduce((n, p) => n + p.tokens, 0);
  const looked = blocks[shown];
  return html`<section class="strip" aria-label="Context">
    <div class="paper" ref=${paper} data-empty=${blocks.length === 0 || null} data-reading=${Boolean(scroll.reading) || null}>
      <span class="roller" aria-hidden="true"></span>
      ${blocks.length === 0
        ? html`<div class="blank">${children}</div>`
        : html`<ol class="blocks" ref=${list} onKeyDown=${keys} onMouseLeave=${() => setShown(-1)} aria-label=${`${plural(scroll.parts.length, "part")}, ${plural(total, "token")}; arrow keys move along`}>
            ${blocks.map((b, i) => html`<${Block} key=${b.parts[0].key} block=${b} index=${i} current=${at}
              fill=${share(b, (p) => filled[p.key] || 0)} sent=${share(b, (p) => (p.size ? (p.sent || 0) / p.size : 0))}
              pins=${pins.filter((p) => b.parts.some((q) => q.key === p.key)).map((p) => within(b, p))}
              onFocus=${focus} onOpen=${onOpen} onPin=${onPin} />`)}
          </ol>`}
      <span class="roller" aria-hidden="true"></span>
    </div>
    ${blocks.length > 0 && html`<div class="strip-foot">
      <${Legend} parts=${scroll.parts} />
      <p class="strip-note">${looked ? html`<b>${looked.parts.length === 1 ? looked.parts[0].name : titleOf(looked)}</b> · ${describe(looked, share(looked, (p) => filled[p.key] || 0))}` : html`<${ReadState} scroll=${scroll} />`}</p>
    </div>`}
  </section>`;
}

// A pin's place in a block of several parts.
function within(block, pin) {
  let before = 0;
  for (const p of block.parts) {
    if (p.key === pin.key) return { ...pin, at: (before + pin.at * p.tokens) / (block.tokens || 1) };
    before += p.tokens;
  }
  return pin;
}

/** What of which kind there is. */
function Legend({ parts }) {
  const by = {};
  for (const p of parts) by[p.kind] = (by[p.kind] || 0) + p.tokens;
  return html`<ul class="legend" aria-label="Tokens by kind">
    ${order.filter((k) => by[k] !== undefined).map((k) => html`<li key=${k}><span class="swatch" data-kind=${k} aria-hidden="true"></span>${kinds[k].name} <b>${brief(by[k])}</b></li>`)}
  </ul>`;
}

function ReadState({ scroll }) {
  const r = scroll.reading;
  if (r) {
    if (r.waiting && !r.tokens) return "Waiting for the reader …";
    const list = [`${Math.floor(r.fraction * 100)} % read`];
    if (r.source) list.push(base(r.source));
    if (r.rate) list.push(`${count(r.rate)} tokens a second`);
    if (r.left > 0.5) list.push(`${span(r.left)} left`);
    return list.join(" · ");
  }
  const doing = scroll.parts.filter((p) => ["waiting", "sending", "looking"].includes(p.state)).length;
  if (doing) return `Sending ${plural(doing, "file")} …`;
  if (scroll.context && !scroll.stale) return `All read · ${plural(scroll.tokens, "token")}`;
  const failed = scroll.parts.filter((p) => p.state === "failed").length;
  if (failed === scroll.parts.length) return "Nothing could be read";
  return "Not read yet";
}
