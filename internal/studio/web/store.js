// State that components share, and what of it outlives the page.

import { useEffect, useRef, useState } from "./vendor/htm-preact.js";

/**
 * A value with listeners. set takes a patch, or a function from value to patch;
 * listeners are called once for all that changes within a frame.
 */
export function createStore(value) {
  const listeners = new Set();
  let timer = 0;
  const tell = () => {
    timer = 0;
    for (const f of [...listeners]) f(value);
  };
  return {
    get: () => value,
    set(patch) {
      value = { ...value, ...(typeof patch === "function" ? patch(value) : patch) };
      timer ||= setTimeout(tell, 16);
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
  const shown = useRef({});
  const picked = pick(store.get());
  shown.current = { pick, picked };
  useEffect(() => {
    const look = (v) => {
      if (shown.current.pick(v) !== shown.current.picked) render((n) => n + 1);
    };
    look(store.get()); // what changed between rendering and now was not listened for
    return store.subscribe(look);
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

/** The names of values that begin with prefix, without it. */
export function names(prefix) {
  try {
    return Object.keys(localStorage).filter((k) => k.startsWith("handscroll." + prefix)).map((k) => k.slice(prefix.length + 11));
  } catch {
    return [];
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
