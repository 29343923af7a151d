// What any page should have, checked in the page itself. Each check returns what is
// wrong, in words; a test of the checks is that they find what is planted.

/** Notes layout shifts that no input caused. */
export const watchShifts = (page) =>
  page.addInitScript(() => {
    window.shifted = 0;
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifted += e.value;
    }).observe({ type: "layout-shift", buffered: true });
  });

export const shifts = (page) => page.evaluate(() => window.shifted);

/** Names, labels, landmarks, headings, IDs. */
export const basics = (page) =>
  page.evaluate(() => {
    const wrong = [];
    const visible = (el) => el.checkVisibility({ visibilityProperty: true });
    const what = (el) => el.outerHTML.slice(0, 120);
    const named = (el) => {
      const by = el.getAttribute("aria-labelledby");
      const text = (n) => [...n.childNodes].map((c) => (c.nodeType === 3 ? c.data : c.nodeType === 1 && c.getAttribute("aria-hidden") !== "true" ? c.getAttribute("aria-label") || text(c) : "")).join("");
      return el.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) || [...(el.labels || [])].map((l) => l.textContent).join("") || (el.matches("input,select,textarea") ? "" : text(el)) || el.getAttribute("title") || el.alt || "";
    };
    for (const el of document.querySelectorAll("button, a[href], input:not([hidden]), select, textarea, [role=button], summary, iframe, img, audio, video, meter, dialog[open], aside")) {
      if (visible(el) && !named(el).trim()) wrong.push(`no name: ${what(el)}`);
    }
    for (const el of document.querySelectorAll("[aria-labelledby]")) if (!document.getElementById(el.getAttribute("aria-labelledby"))) wrong.push(`labelled by nothing: ${what(el)}`);
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    for (const id of new Set(ids.filter((x, i) => ids.indexOf(x) !== i))) wrong.push(`the ID ${id} is there twice`);
    if (!document.documentElement.lang) wrong.push("no language");
    if (!document.title) wrong.push("no title");
    for (const [selector, n] of [["main", 1], ["header.top", 1], ["h1", 1], ["[role=status]", 1]]) {
      const got = [...document.querySelectorAll(selector)].filter(visible).length;
      if (got < n) wrong.push(`${got} of ${selector}`);
    }
    if ([...document.querySelectorAll("h1")].filter(visible).length > 1) wrong.push("more than one h1");
    let last = 0;
    for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
      if (!visible(h) || h.closest("dialog")) continue;
      const level = Number(h.tagName[1]);
      if (level > last + 1) wrong.push(`h${level} after h${last}: ${what(h)}`);
      last = level;
    }
    for (const el of document.querySelectorAll("[tabindex]")) if (Number(el.getAttribute("tabindex")) > 0) wrong.push(`an order of its own: ${what(el)}`);
    for (const el of document.querySelectorAll("ul, ol")) for (const c of el.children) if (c.tagName !== "LI") wrong.push(`in a list: ${what(c)}`);
    for (const el of document.querySelectorAll("[aria-hidden=true] button, [aria-hidden=true] a[href]")) wrong.push(`hidden, but can be reached: ${what(el)}`);
    const live = document.querySelector("[role=status][aria-live]");
    if (!live) wrong.push("nothing is announced");
    for (const el of document.querySelectorAll("button, select, input[type=checkbox]")) {
      const b = el.getBoundingClientRect();
      const label = el.closest("label")?.getBoundingClientRect();
      if (visible(el) && b.width && Math.max(b.height, label?.height || 0) < 24 && !el.matches(".link, .block-body")) wrong.push(`smaller than a finger: ${what(el)}`);
    }
    return wrong;
  });

/** Text of too little contrast with what is behind it (WCAG 2: 4.5, or 3 if it is large). */
export const contrast = (page) =>
  page.evaluate(() => {
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (css) => {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = css;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].map((x, i) => (i === 3 ? x / 255 : x));
    };
    const over = (a, b) => a.slice(0, 3).map((x, i) => x * a[3] + b[i] * (1 - a[3]));
    const luminance = (c) => {
      const [r, g, b] = c.map((x) => ((x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (a, b) => {
      const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
      return (x + 0.05) / (y + 0.05);
    };
    const behind = (el) => {
      const layers = [];
      for (let e = el; e; e = e.parentElement) {
        const c = rgba(getComputedStyle(e).backgroundColor);
        if (c[3] > 0) layers.push(c);
        if (c[3] === 1) break;
      }
      return layers.reduceRight((under, c) => over(c, under), rgba(getComputedStyle(document.body).backgroundColor).slice(0, 3));
    };
    const wrong = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let n = walk.nextNode(); n; n = walk.nextNode()) {
      const el = n.parentElement;
      if (!n.data.trim() || !el.checkVisibility({ visibilityProperty: true }) || el.closest("option, :disabled, .sr, script, noscript")) continue;
      const style = getComputedStyle(el);
      const back = behind(el);
      const got = ratio(over(rgba(style.color), back), back);
      const size = parseFloat(style.fontSize);
      const need = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
      if (got < need) wrong.push(`${got.toFixed(2)} for “${n.data.trim().slice(0, 40)}” (${style.color} on ${back.map(Math.round)})`);
    }
    return wrong;
  });
