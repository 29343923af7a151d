// Evidence, opened: the passage, the page, the frame, or the sound from its second.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import * as api from "./api.js";
import { kindOfEvidence, place } from "./chat.js";
import { base, bytes, clock, count, plural } from "./format.js";
import { extension, kinds } from "./kinds.js";
import { dropped, extensible, removePart } from "./scroll.js";
import { partOf } from "./strip.js";

const wholeText = 2 << 20; // texts up to this are fetched whole
const around = 96 << 10; // of longer ones, so much on each side
const wholeBlob = 64 << 20; // with a key, files up to this are fetched with it in a header

/**
 * An address of a part's file for an element, and how to let go of it. Files that
 * were dropped here are shown from memory.
 */
async function addressOf(part, mime, signal) {
  const file = dropped.get(part.key);
  if (file) {
    const url = URL.createObjectURL(mime && !file.type ? file.slice(0, file.size, mime) : file);
    return [url, () => URL.revokeObjectURL(url)];
  }
  if (!part.file) throw new api.ApiError("The server does not say which file this is, so it cannot be shown.");
  // The browser's PDF viewer wants a type, which a blob has for certain.
  if (mime === "application/pdf" || (api.getKey() && part.size <= wholeBlob)) {
    const blob = await (await api.content(part.file, { signal })).blob();
    const url = URL.createObjectURL(mime ? blob.slice(0, blob.size, mime) : blob);
    return [url, () => URL.revokeObjectURL(url)];
  }
  return [api.contentURL(part.file), () => {}];
}

function useAddress(part, mime) {
  const [state, setState] = useState({ url: "", error: "" });
  useEffect(() => {
    const control = new AbortController();
    let release = () => {};
    setState({ url: "", error: "" });
    addressOf(part, mime, control.signal).then(
      ([url, f]) => {
        release = f;
        if (control.signal.aborted) f();
        else setState({ url, error: "" });
      },
      (err) => !api.stopped(err) && setState({ url: "", error: err.message }),
    );
    return () => {
      control.abort();
      release();
    };
  }, [part.key, mime]);
  return [state, (error) => setState((s) => ({ ...s, error }))];
}

/** A text's lines from byte start to end, with the number of the first. */
async function textAt(part, e, signal) {
  const file = dropped.get(part.key);
  const size = file?.size ?? part.size;
  const whole = size <= wholeText;
  let start = whole ? 0 : Math.max(0, e.offset - around);
  let end = whole ? size : Math.min(size, e.offset + around);
  let bytes;
  if (file) bytes = await file.slice(start, end).arrayBuffer();
  else {
    if (!part.file) throw new api.ApiError("The server does not say which file this is.");
    const res = await api.content(part.file, whole ? { signal } : { start, end, signal });
    bytes = await res.arrayBuffer();
    if (!whole && res.status !== 206) [start, end] = [0, bytes.byteLength];
  }
  const text = new TextDecoder().decode(bytes);
  // The quote says where we are, whatever was cut in the middle of a line.
  const near = new TextDecoder().decode(bytes.slice(0, Math.max(0, e.offset - start))).length;
  let at = text.indexOf(e.quote, Math.max(0, near - 8));
  if (at < 0) at = text.indexOf(e.quote);
  if (!e.quote || at < 0) return null;
  const before = text.slice(0, at).split("\n").length - 1;
  return { text, at, length: e.quote.length, first: (e.line || before + 1) - before, cut: [start > 0, end < size] };
}

const show = 12; // lines on each side at first

function Passage({ part, evidence }) {
  const [state, setState] = useState({});
  const [more, setMore] = useState([show, show]);
  const mark = useRef(null);
  useEffect(() => {
    const control = new AbortController();
    setState({});
    setMore([show, show]);
    textAt(part, evidence, control.signal).then(
      (found) => setState(found ? { found } : { missing: true }),
      (err) => !api.stopped(err) && setState({ error: err.message }),
    );
    return () => control.abort();
  }, [part.key, evidence]);
  useEffect(() => {
    // The passage alone is scrolled, not the page: the strip stays where it is.
    const [el, box] = [mark.current, mark.current?.closest(".passage")];
    if (el) box.scrollTop += el.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
  }, [state.found]);
  if (!state.found) {
    return html`<${Quote} text=${evidence.quote} />
      ${state.error && html`<p class="error" role="alert">The rest of the text cannot be shown. ${state.error}</p>`}
      ${state.missing && html`<p class="quiet">The passage as it was read; the file itself is not plain text.</p>`}`;
  }
  const { text, at, length, first, cut } = state.found;
  const lines = text.split("\n");
  let offset = 0;
  const starts = lines.map((l) => {
    const s = offset;
    offset += l.length + 1;
    return s;
  });
  const from = starts.findLastIndex((s) => s <= at);
  const to = starts.findLastIndex((s) => s < at + length || s === at);
  const [top, bottom] = [Math.max(0, from - more[0]), Math.min(lines.length - 1, to + more[1])];
  return html`<div class="passage" tabindex="0" role="group" aria-label=${`Text around line ${first + from}`}>
    ${top > 0 || cut[0] ? html`<button type="button" class="link more" disabled=${top === 0} onClick=${() => setMore([more[0] + 40, more[1]])}>${top > 0 ? "Earlier lines" : "The text goes on above"}</button>` : null}
    <ol start=${first + top}>
      ${lines.slice(top, bottom + 1).map((line, k) => {
        const i = top + k;
        const [a, b] = [Math.max(0, at - starts[i]), Math.min(line.length, at + length - starts[i])];
        const hit = i >= from && i <= to && b >= a;
        return html`<li key=${i} data-hit=${hit || null}><span class="no" aria-hidden="true">${first + i}</span><span class="line">${hit
          ? html`${line.slice(0, a)}<mark ref=${i === from ? mark : null}>${line.slice(a, b)}</mark>${line.slice(b)}`
          : line || "\u200b"}</span></li>`;
      })}
    </ol>
    ${bottom < lines.length - 1 || cut[1] ? html`<button type="button" class="link more" disabled=${bottom === lines.length - 1} onClick=${() => setMore([more[0], more[1] + 40])}>${bottom < lines.length - 1 ? "Later lines" : "The text goes on below"}</button>` : null}
  </div>`;
}

const Quote = ({ text }) => (text ? html`<blockquote class="quote"><mark>${text}</mark></blockquote>` : null);

function Picture({ part }) {
  const [{ url, error }, fail] = useAddress(part);
  return html`<div class="stage">
    ${url && !error && html`<img src=${url} alt=${base(part.name)} onError=${() => fail("The browser cannot show this picture.")} />`}
    ${error && html`<p class="error" role="alert">${error}</p>`}
  </div>`;
}

function Media({ part, time, quote }) {
  const [{ url, error }, fail] = useAddress(part);
  const ref = useRef(null);
  const film = part.kind === "film";
  const seek = (play) => {
    const el = ref.current;
    if (!el) return;
    el.currentTime = Math.max(0, time || 0);
    // A browser may refuse to play by itself: the controls are there.
    if (play) el.play().catch(() => {});
  };
  useEffect(() => {
    if (ref.current?.readyState >= 1) seek(!film);
  }, [time, url]);
  const broken = () => fail(`The browser cannot play this ${film ? "film" : "sound"}: it does not know the format.`);
  const props = { ref, src: url, controls: true, preload: "metadata", onLoadedMetadata: () => seek(!film), onError: broken, "aria-label": base(part.name) };
  return html`<div class="stage" data-kind=${part.kind}>
      ${url && !error && (film ? html`<video ...${props} playsinline></video>` : html`<audio ...${props}></audio>`)}
      ${error && html`<p class="error" role="alert">${error}</p>`}
    </div>
    ${time !== null && !error && html`<p><button type="button" class="button" onClick=${() => seek(true)}>Play from ${clock(time)}</button></p>`}
    <${Quote} text=${quote} />`;
}

function Page({ part, page, quote }) {
  const [{ url, error }] = useAddress(part, "application/pdf");
  const can = navigator.pdfViewerEnabled;
  return html`<${Quote} text=${quote} />
    ${can && url && html`<iframe key=${page} class="page" src=${`${url}#page=${page || 1}&view=FitH`} title=${`${base(part.name)}, page ${page || 1}`}></iframe>`}
    ${!can && html`<p class="quiet">This browser has no viewer for PDF files: the passage is shown as it was read. ${url && html`<a href=${url} download=${base(part.name)}>Save the file</a>`}</p>`}
    ${error && html`<p class="error" role="alert">The page cannot be shown. ${error}</p>`}`;
}

function Body({ part, evidence }) {
  if (!part) return html`<${Quote} text=${evidence.quote} />`;
  switch (part.kind) {
    case "picture":
      return html`<${Picture} part=${part} /><${Quote} text=${evidence.quote} />`;
    case "sound":
    case "film":
      return html`<${Media} part=${part} time=${evidence.time} quote=${evidence.quote} />`;
    case "document":
      if (extension(part.name) === "pdf" || part.mime === "application/pdf") return html`<${Page} part=${part} page=${evidence.page} quote=${evidence.quote} />`;
      return html`<${Passage} part=${part} evidence=${evidence} />`;
  }
  return html`<${Passage} part=${part} evidence=${evidence} />`;
}

function Panel({ label, children, onClose, focus }) {
  const head = useRef(null);
  useEffect(() => head.current?.focus({ preventScroll: true }), [focus]);
  return html`<aside class="viewer" aria-labelledby="viewer-title" onKeyDown=${(e) => e.key === "Escape" && onClose()}>
    <header><h2 id="viewer-title" tabindex="-1" ref=${head}>${label}</h2><button type="button" class="button icon" aria-label="Close" onClick=${onClose}>×</button></header>
    <div class="viewer-body">${children}</div>
  </aside>`;
}

/** The panel beside the answers that shows one piece of evidence. */
export function Viewer({ scroll, message, index, onStep, onClose }) {
  const e = message.evidence[index];
  const part = partOf(scroll.parts, e);
  const n = message.evidence.length;
  return html`<${Panel} label=${place(e)} onClose=${onClose} focus=${`${message.id} ${index}`}>
    <p class="viewer-note"><span class="seal" aria-hidden="true">${index + 1}</span> ${kinds[kindOfEvidence(scroll.parts, e)].name}${part ? ` · ${part.name}` : ""}${e.weight ? ` · ${Math.round(e.weight * 100)} % of the attention` : ""}</p>
    <${Body} part=${part} evidence=${e} />
    ${n > 1 && html`<nav class="steps" aria-label="Evidence">
      <button type="button" class="button" disabled=${index === 0} onClick=${() => onStep(index - 1)}>Previous</button>
      <span>${index + 1} of ${n}</span>
      <button type="button" class="button" disabled=${index === n - 1} onClick=${() => onStep(index + 1)}>Next</button>
    </nav>`}
  </${Panel}>`;
}

/** The panel that shows what a block of the strip holds. */
export function Parts({ scroll, parts, onClose }) {
  const now = parts.map((p) => scroll.parts.find((q) => q.key === p.key)).filter(Boolean);
  const [one] = now;
  const removable = extensible(scroll);
  if (!one) return null;
  return html`<${Panel} label=${now.length === 1 ? base(one.name) : plural(now.length, "file")} onClose=${onClose} focus=${one.key}>
    <ul class="parts">
      ${now.slice(0, 200).map((p) => html`<li key=${p.key}>
        <span class="swatch" data-kind=${p.kind} aria-hidden="true"></span>
        <span class="part-name">${p.name}<span class="quiet">${kinds[p.kind].name} · ${p.exact ? "" : "≈ "}${count(p.tokens)} tokens${p.size ? ` · ${bytes(p.size)}` : ""}${p.duration ? ` · ${clock(p.duration)}` : ""}</span>
        ${p.error && html`<span class="error">${p.error}</span>`}</span>
        ${removable && html`<button type="button" class="button small" aria-label=${`Take out ${p.name}`} onClick=${() => removePart(scroll.id, p.key)}>Take out</button>`}
      </li>`)}
    </ul>
    ${now.length > 200 && html`<p class="quiet">and ${plural(now.length - 200, "more file")}</p>`}
    ${now.length === 1 && one.state !== "sending" && html`<${Whole} part=${one} />`}
  </${Panel}>`;
}

// The whole of a part, where the browser can show it.
function Whole({ part }) {
  const none = { quote: "", time: null, page: 1, offset: 0, line: 1 };
  if (part.kind === "picture") return html`<${Picture} part=${part} />`;
  if (part.kind === "sound" || part.kind === "film") return html`<${Media} part=${part} time=${null} quote="" />`;
  if (part.kind === "document" && extension(part.name) === "pdf") return html`<${Body} part=${part} evidence=${none} />`;
  if (part.kind === "text") return html`<${Beginning} part=${part} />`;
  return null;
}

function Beginning({ part }) {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  useEffect(() => {
    const control = new AbortController();
    const file = dropped.get(part.key);
    const most = 16 << 10;
    const fetched = file
      ? file.slice(0, most).text()
      : part.file
        ? api.content(part.file, { start: 0, end: Math.min(most, part.size || most), signal: control.signal }).then((r) => r.text())
        : Promise.resolve("");
    fetched.then((t) => setText(t.slice(0, most)), (err) => !api.stopped(err) && setError(err.message));
    return () => control.abort();
  }, [part.key]);
  if (error) return html`<p class="error" role="alert">${error}</p>`;
  return text ? html`<pre class="beginning" tabindex="0">${text}</pre>` : null;
}
