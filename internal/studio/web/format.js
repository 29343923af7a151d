// How numbers, sizes and times are written.

const whole = new Intl.NumberFormat("en-GB");

/** 12304 → "12,304". */
export const count = (n) => whole.format(Math.round(n || 0));

/** 1234567 → "1.23 M": for where there is little room. */
export function brief(n) {
  n = Math.round(n || 0);
  if (n < 10000) return count(n);
  const [value, unit] = n < 999500 ? [n / 1e3, "k"] : [n / 1e6, "M"];
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
}

/** Bytes, in steps of 1024. */
export function bytes(n) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (n = Number(n) || 0; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

/** 754.2 → "12:34", 4000 → "1:06:40". */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds || 0));
  const two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** 90 → "1 minute", 5400 → "1.5 hours": for what is about to end or take time. */
export function span(seconds) {
  const say = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"}`;
  const half = (n) => Math.round(n * 2) / 2;
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return say(Math.round(seconds), "second");
  if (seconds < 90 * 60) return say(Math.round(seconds / 60), "minute");
  if (seconds < 36 * 3600) return say(half(seconds / 3600), "hour");
  return say(half(seconds / 86400), "day");
}

/** A duration of the API: "12.5s", or seconds as a number. */
export function duration(value) {
  const n = typeof value === "string" ? parseFloat(value) : value;
  return Number.isFinite(n) ? n : 0;
}

/** The last part of a path. */
export const base = (path) => path.slice(path.replace(/\/+$/, "").lastIndexOf("/") + 1);

/** "1 file", "2 files". */
export const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;
