// State that components share, and what of it outlives the page.

import { useEffect, useState } from "./vendor/htm-preact.js";

/** A value with listeners. set takes a patch, or a function from value to patch. */
export function createStore(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(patch) {
      value = { ...value, ...(typeof patch === "function" ? patch(value) : patch) };
      for (const f of [...listeners]) f(value);
    },
    subscribe(f) {
      listeners.add(f);
      return () => listeners.delete(f);
    },
  };
}

/** Renders a component again when what pick returns changes. */
export function useStore(store, pick = (v) => v) {
  const [, render] = useState(0);
  const picked = pick(store.get());
  useEffect(() => {
    let last = pick(store.get());
    // What changed between rendering and now was not listened for.
    if (last !== picked) render((n) => n + 1);
    return store.subscribe((v) => {
      const next = pick(v);
      if (next !== last) {
        last = next;
        render((n) => n + 1);
      }
    });
  }, [store]);
  return picked;
}

/** A JSON value in localStorage; fallback where there is none or it cannot be read. */
export function load(key, fallback) {
  try {
    const text = localStorage.getItem("handscroll." + key);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/** Writes one; undefined deletes it. Returns why that failed, or nothing. */
export function save(key, value) {
  try {
    if (value === undefined) localStorage.removeItem("handscroll." + key);
    else localStorage.setItem("handscroll." + key, JSON.stringify(value));
  } catch (err) {
    return err;
  }
}

/** A short random name. */
export function newID() {
  const b = crypto.getRandomValues(new Uint8Array(8));
  return [...b].map((x) => (x % 36).toString(36)).join("");
}
