// Files that are dropped or chosen, folders walked.

import { useEffect, useState } from "./vendor/htm-preact.js";

// Folders of tools, which nobody means when dropping a project.
const tools = new Set([".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".DS_Store", "Thumbs.db"]);

/** A file with the name that it has from what was dropped on. */
const named = (file, path) => ({ file, name: path.replace(/^\/+/, "") || file.name });

async function walk(entry, out) {
  if (tools.has(entry.name)) {
    out.left.push(`${entry.fullPath.replace(/^\/+/, "")} (a tool’s own)`);
    return;
  }
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    out.files.push(named(file, entry.fullPath));
    return;
  }
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    // A reader gives a hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    inside.push(...some);
  }
  inside.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const e of inside) await walk(e, out);
}

const finish = (out) => {
  out.files = out.files.filter(({ file, name }) => {
    if (file.size > 0) return true;
    out.left.push(`${name} (empty)`);
    return false;
  });
  return out;
};

/** What a drop holds: { files: [{file, name}], left: names that were left out }. */
export async function fromDrop(transfer) {
  const out = { files: [], left: [] };
  // The list of items is gone after the first await.
  const entries = [...transfer.items].filter((i) => i.kind === "file").map((i) => i.webkitGetAsEntry?.() || i.getAsFile());
  for (const e of entries) {
    if (!e) continue;
    if (e instanceof File) out.files.push(named(e, e.name));
    else await walk(e, out);
  }
  return finish(out);
}

/** What was chosen in a file or folder dialogue. */
export function fromInput(list) {
  const out = { files: [], left: [] };
  const left = new Set();
  for (const file of list) {
    const path = file.webkitRelativePath || file.name;
    const tool = path.split("/").findIndex((s) => tools.has(s));
    if (tool >= 0) left.add(path.split("/").slice(0, tool + 1).join("/"));
    else out.files.push(named(file, path));
  }
  out.left.push(...[...left].map((name) => `${name} (a tool’s own)`));
  out.files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return finish(out);
}

/** Lets files be dropped anywhere on the page; says whether some hover over it. */
export function useDrop(onFiles, onError) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const has = (e) => [...(e.dataTransfer?.types || [])].includes("Files");
    const drag = (e) => {
      if (!has(e)) return;
      e.preventDefault();
      e.dataTransfer.dropEffect = "copy";
      setOver(true);
    };
    const leave = (e) => {
      if (!e.relatedTarget) setOver(false);
    };
    const drop = (e) => {
      if (!has(e)) return;
      e.preventDefault();
      setOver(false);
      fromDrop(e.dataTransfer).then(onFiles, onError);
    };
    addEventListener("dragover", drag);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", drag);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, [onFiles, onError]);
  return over;
}
