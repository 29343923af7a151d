// Answers as elements: paragraphs, lists, code, emphasis. No HTML is ever parsed,
// so that what a model writes cannot become part of the page.

import { html } from "./vendor/htm-preact.js";

const inlines = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*)/;

function inline(text) {
  const out = [];
  for (let rest = text; rest; ) {
    const m = inlines.exec(rest);
    if (!m) {
      out.push(rest);
      break;
    }
    if (m.index) out.push(rest.slice(0, m.index));
    const [all, code, strong] = m;
    if (code) out.push(html`<code>${all.slice(1, -1)}</code>`);
    else if (strong) out.push(html`<strong>${all.slice(2, -2)}</strong>`);
    else out.push(html`<em>${all.slice(1, -1)}</em>`);
    rest = rest.slice(m.index + all.length);
  }
  return out;
}

// A block of lines that belong together.
function block(lines) {
  const heading = /^#{1,6}\s+(.*)/.exec(lines[0]);
  if (heading && lines.length === 1) return html`<p class="heading">${inline(heading[1])}</p>`;
  if (lines.every((l) => /^\s*[-*•]\s+/.test(l))) return html`<ul>${lines.map((l) => html`<li>${inline(l.replace(/^\s*[-*•]\s+/, ""))}</li>`)}</ul>`;
  if (lines.every((l) => /^\s*\d+[.)]\s+/.test(l))) {
    const start = parseInt(lines[0], 10);
    return html`<ol start=${start}>${lines.map((l) => html`<li>${inline(l.replace(/^\s*\d+[.)]\s+/, ""))}</li>`)}</ol>`;
  }
  return html`<p>${lines.map((l, i) => html`${i > 0 && html`<br />`}${inline(l)}`)}</p>`;
}

/** Markdown as far as answers use it. */
export function Prose({ text }) {
  const out = [];
  let lines = [];
  let code = null;
  const end = () => {
    if (lines.length) out.push(block(lines));
    lines = [];
  };
  for (const line of text.split("\n")) {
    if (/^\s*```/.test(line)) {
      if (code) out.push(html`<pre tabindex="0"><code>${code.join("\n")}</code></pre>`);
      else end();
      code = code ? null : [];
    } else if (code) code.push(line);
    else if (!line.trim()) end();
    else lines.push(line);
  }
  if (code) out.push(html`<pre tabindex="0"><code>${code.join("\n")}</code></pre>`);
  end();
  return html`<div class="prose">${out}</div>`;
}
