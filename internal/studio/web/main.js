// The page: header, routes, and the scroll with its answers.

import { html, render, useCallback, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import * as api from "./api.js";
import { Composer, Messages, ModelPicker, TimeLeft } from "./chat.js";
import { Contexts } from "./contexts.js";
import { fromInput, useDrop } from "./drop.js";
import { plural } from "./format.js";
import { Machine } from "./machine.js";
import { Needle } from "./needle.js";
import * as scrolls from "./scroll.js";
import { load, save, useStore } from "./store.js";
import { partOf, placeIn, Strip } from "./strip.js";
import { Parts, Viewer } from "./viewer.js";

const go = (hash) => {
  if (location.hash !== hash) location.hash = hash;
};

function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const change = () => setHash(location.hash);
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  const [, page = "", id = ""] = hash.split("/");
  return { page, id };
}

const pages = [["", "Read"], ["contexts", "Contexts"], ["needle", "Needle test"], ["machine", "Machine"]];

function ThemeButton() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme || "");
  const order = ["", "light", "dark"];
  const names = { "": "as the system", light: "light", dark: "dark" };
  const next = order[(order.indexOf(theme) + 1) % 3];
  const change = () => {
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try {
      if (next) localStorage.setItem("handscroll.theme", next);
      else localStorage.removeItem("handscroll.theme");
    } catch {
      // It lasts until the page is closed.
    }
    setTheme(next);
    scrolls.announce(`Colours: ${names[next]}`);
  };
  return html`<button type="button" class="button icon theme" aria-label=${`Colours: ${names[theme]}. Change to ${names[next]}`} title=${`Colours: ${names[theme]}`} onClick=${change}>
    <svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="6.5" /><path d=${theme === "light" ? "" : theme === "dark" ? "M10 3.5a6.5 6.5 0 0 1 0 13a6.5 6.5 0 0 1 0-13" : "M10 3.5a6.5 6.5 0 0 1 0 13z"} class="solid" /></svg>
  </button>`;
}

function Header({ page }) {
  return html`<header class="top">
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <a class="brand" href="#/"><svg viewBox="0 0 32 32" aria-hidden="true"><rect x="3" y="4" width="4" height="24" rx="2" class="rod" /><rect x="25" y="4" width="4" height="24" rx="2" class="rod" /><path d="M7 7h18v18H7z" class="sheet" /><path d="M10 12h12M10 16h12M10 20h7" class="ink" /></svg>Handscroll</a>
    <nav aria-label="Pages"><ul>${pages.map(([p, name]) => html`<li key=${p}><a href=${`#/${p}`} aria-current=${page === p || (p === "" && page === "s") ? "page" : null}>${name}</a></li>`)}</ul></nav>
    <${ThemeButton} />
  </header>`;
}

/** Buttons that open the dialogues for files and folders: dropping needs a mouse. */
function Choose({ onFiles, small }) {
  const files = useRef(null);
  const folder = useRef(null);
  const chosen = (e) => {
    onFiles(fromInput(e.target.files));
    e.target.value = ""; // so that the same files can be chosen again
  };
  const size = small ? "button small" : "button";
  return html`<span class="choose">
    <input type="file" multiple hidden ref=${files} id="files" onChange=${chosen} />
    <input type="file" multiple webkitdirectory hidden ref=${folder} id="folder" onChange=${chosen} />
    <button type="button" class=${small ? size : `${size} primary`} onClick=${() => files.current.click()}>${small ? "Add files" : "Choose files"}</button>
    <button type="button" class=${size} onClick=${() => folder.current.click()}>${small ? "Add a folder" : "Choose a folder"}</button>
  </span>`;
}

// Enough of a list of names to recognise what it is.
function some(names) {
  return names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
}

function Notes({ scroll }) {
  const failed = scroll.parts.filter((p) => p.state === "failed");
  return html`
    ${failed.length > 0 && html`<div class="notice error" role="alert">${failed.slice(0, 3).map((p) => html`<p key=${p.key}><b>${p.name}</b> ${p.error} <button type="button" class="link" onClick=${() => scrolls.removePart(scroll.id, p.key)}>Take it out</button></p>`)}${failed.length > 3 && html`<p>and ${plural(failed.length - 3, "more file")}</p>`}</div>`}
    ${scroll.readError && html`<p class="notice error" role="alert">${scroll.readError} ${scroll.parts.some((p) => p.state === "ready") && html`<button type="button" class="link" onClick=${() => scrolls.read(scroll.id)}>Read again</button>`}</p>`}
    ${scroll.left.length > 0 && html`<p class="notice">Left out: ${some(scroll.left)}. <button type="button" class="link" onClick=${() => scrolls.update(scroll.id, { left: [] })}>All right</button></p>`}`;
}

function Title({ scroll, onFiles }) {
  const busy = useStore(scrolls.state, (s) => s.busy[scroll.id]);
  const models = useStore(scrolls.state, (s) => s.models);
  const model = scrolls.modelOf(scroll, models);
  const working = busy?.upload || busy?.read;
  return html`<div class="scroll-head">
    <h1 tabindex="-1">${scroll.title || "A new scroll"}</h1>
    ${scroll.context && html`<p class="quiet kept">Stored${models?.length > 1 && model ? ` for ${model.displayName || model.name}` : ""}, <${TimeLeft} expires=${scroll.expires} /></p>`}
    <span class="scroll-tools">
      <${ModelPicker} scroll=${scroll} />
      ${scroll.parts.length > 0 && scrolls.extensible(scroll) && html`<${Choose} onFiles=${onFiles} small />`}
      ${working
        ? html`<button type="button" class="button small stop" onClick=${() => scrolls.stop(scroll.id, busy.upload ? "upload" : "read")}>${busy.upload ? "Stop sending" : "Stop reading"}</button>`
        : !scroll.context && scroll.parts.some((p) => p.state === "ready") && html`<button type="button" class="button small primary" onClick=${() => scrolls.read(scroll.id)}>Read</button>`}
      ${(scroll.parts.length > 0 || scroll.messages.length > 0) && html`<a class="button small" href="#/new">New scroll</a>`}
    </span>
  </div>`;
}

function Reader({ id }) {
  const scroll = useStore(scrolls.state, (s) => s.scrolls[id]);
  const [open, setOpen] = useState(null); // {message, index} or {parts}
  const [lit, setLit] = useState(null);
  useEffect(() => {
    scrolls.resume(id);
    save("last", id);
  }, [id]);
  useEffect(() => void (document.title = scroll?.title ? `${scroll.title} – Handscroll` : "Handscroll"), [scroll?.title]);
  const onFiles = useCallback((dropped) => {
    if (!scrolls.extensible(scrolls.get(id))) {
      scrolls.update(id, { readError: "This context was read elsewhere, so files cannot be added to it. Start a new scroll for them." });
      return;
    }
    scrolls.addFiles(id, dropped);
  }, [id]);
  const onDropError = useCallback((err) => scrolls.update(id, { readError: `What was dropped cannot be read: ${err.message}` }), [id]);
  const over = useDrop(onFiles, onDropError);
  if (!scroll) return null;

  // The evidence on the strip is that of the answer last opened, pointed at, or given.
  const withEvidence = scroll.messages.filter((m) => m.evidence?.length);
  const about = lit || (open?.message ? open : null);
  const message = withEvidence.find((m) => m.id === about?.message) || withEvidence[withEvidence.length - 1];
  const pins = (message?.evidence || []).flatMap((e, i) => {
    const part = partOf(scroll.parts, e);
    return part ? [{ n: i + 1, key: part.key, at: placeIn(part, e), active: about?.message === message.id && about.index === i, index: i }] : [];
  });
  const shown = open?.message && scroll.messages.find((m) => m.id === open.message);
  const close = () => {
    setOpen(null);
    const back = open.message ? document.getElementById(`chip-${open.message}-${open.index}`) : document.querySelector(".block-body[tabindex='0']");
    back?.focus();
  };
  const empty = scroll.parts.length === 0 && scroll.messages.length === 0;
  return html`<div class="reader" data-over=${over || null} data-empty=${empty || null}>
    <${Title} scroll=${scroll} onFiles=${onFiles} />
    <${Strip} scroll=${scroll} pins=${pins} onOpen=${(b) => setOpen({ parts: b.parts })} onPin=${(p) => setOpen({ message: message.id, index: p.index })}>
      <p class="invite"><b>Drop files or a folder here</b><span>Text, code, PDF and office documents, pictures, recordings, films. They stay on this server.</span></p>
      <${Choose} onFiles=${onFiles} />
    <//>
    <div class="desk" data-open=${Boolean(open) || null}>
      <section class="talk" aria-label="Questions and answers">
        <${Notes} scroll=${scroll} />
        <${Messages} scroll=${scroll} open=${open} lit=${lit} onOpen=${setOpen} onLight=${setLit} />
        <${Composer} key=${id} scroll=${scroll} />
      </section>
      ${shown && html`<${Viewer} scroll=${scroll} message=${shown} index=${open.index} onStep=${(index) => setOpen({ ...open, index })} onClose=${close} />`}
      ${open?.parts && html`<${Parts} scroll=${scroll} parts=${open.parts} onClose=${close} />`}
    </div>
    ${over && html`<div class="over" aria-hidden="true"><p>Let go to add to the scroll</p></div>`}
  </div>`;
}

function KeyDialog() {
  const [why, setWhy] = useState("");
  const dialog = useRef(null);
  const input = useRef(null);
  useEffect(() => {
    api.onKeyNeeded((message) => {
      setWhy(message || "The server asks for an API key.");
      if (!dialog.current.open) dialog.current.showModal();
    });
  }, []);
  const submit = (e) => {
    e.preventDefault();
    api.setKey(input.current.value.trim());
    dialog.current.close();
    scrolls.loadModels();
    dispatchEvent(new Event("keychanged"));
  };
  return html`<dialog ref=${dialog} class="key" aria-labelledby="key-title"><form onSubmit=${submit}>
    <h2 id="key-title">A key, please</h2>
    <p>${why}</p>
    <label class="field">API key <input ref=${input} type="password" autocomplete="off" required /></label>
    <p class="quiet">Whoever runs the server makes one with <code>handscroll keys add NAME</code>. It is kept until this tab is closed.</p>
    <p class="actions"><button type="submit" class="button primary">Use this key</button><button type="button" class="button" onClick=${() => dialog.current.close()}>Not now</button></p>
  </form></dialog>`;
}

function App() {
  const { page, id } = useRoute();
  const notice = useStore(scrolls.state, (s) => s.notice);
  const saveError = useStore(scrolls.state, (s) => s.saveError);
  const known = useStore(scrolls.state, (s) => Boolean(s.scrolls[id]));
  const [epoch, setEpoch] = useState(0);
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    // A file that misses its place must not replace the page.
    addEventListener("dragover", (e) => e.preventDefault());
    addEventListener("drop", (e) => e.preventDefault());
    scrolls.loadModels();
    const again = () => setEpoch((n) => n + 1);
    addEventListener("keychanged", again);
    return () => removeEventListener("keychanged", again);
  }, []);
  useEffect(() => {
    // The last scroll, or a new one: the address always says which.
    if (page === "" || page === "new" || (page === "s" && !known)) {
      const last = load("last", "");
      const use = page === "" && scrolls.get(last) ? last : emptyScroll() || scrolls.create();
      history.replaceState(null, "", `#/s/${use}`);
      dispatchEvent(new HashChangeEvent("hashchange"));
      return;
    }
    // On a change of page, its heading is read and the keyboard goes on from there.
    if (!first.current) main.current?.querySelector("h1")?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
    if (page !== "s") document.title = `${pages.find(([p]) => p === page)?.[1] || "Page not found"} – Handscroll`;
  }, [page, id, known]);
  const body = () => {
    switch (page) {
      case "s":
        return known && html`<${Reader} key=${id} id=${id} />`;
      case "contexts":
        return html`<${Contexts} go=${go} />`;
      case "needle":
        return html`<${Needle} />`;
      case "machine":
        return html`<${Machine} />`;
      case "":
      case "new":
        return null;
    }
    return html`<div class="page-body"><h1 tabindex="-1">There is no such page</h1><p><a href="#/">Go to the scroll</a></p></div>`;
  };
  return html`<${Header} page=${page} />
    <main id="main" tabindex="-1" ref=${main} key=${epoch}>
      ${saveError && html`<p class="notice error" role="alert">${saveError}</p>`}
      ${body()}
    </main>
    <p class="sr" role="status" aria-live="polite">${notice}</p>
    <${KeyDialog} />`;
}

// A scroll that nothing was done with yet is used before another is made.
function emptyScroll() {
  return Object.values(scrolls.state.get().scrolls).find((s) => s.parts.length === 0 && s.messages.length === 0 && !s.draft && !s.context)?.id;
}

render(html`<${App} />`, document.getElementById("app"));
