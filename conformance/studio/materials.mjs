// What the tests drop: a film, a recording, a PDF and a folder, made here but for
// the recording.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A PDF with a page of plain text for each list of lines. */
export function pdf(pages) {
  const objects = ["<< /Type /Catalog /Pages 2 0 R >>", `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, i) => `${4 + 2 * i} 0 R`).join(" ")}] >>`, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"];
  for (const [i, lines] of pages.entries()) {
    const text = `BT /F1 14 Tf 18 TL 72 720 Td\n${lines.map((l) => `(${l.replace(/[()\\]/g, "\\$&")}) Tj T*`).join("\n")}\nET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + 2 * i} 0 R >>`);
    objects.push(`<< /Length ${text.length} >>\nstream\n${text}\nendstream`);
  }
  let out = "%PDF-1.4\n";
  const offsets = objects.map((o, i) => {
    const at = out.length;
    out += `${i + 1} 0 obj\n${o}\nendobj\n`;
    return at;
  });
  const table = out.length;
  out += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.map((o) => `${String(o).padStart(10, "0")} 00000 n \n`).join("")}`;
  return `${out}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
}

const filler = (n, about) =>
  Array.from({ length: n }, (_, i) => `${["The path beside the", "Nobody had swept the steps of the", "Rain came in over the", "A lamp stood in the window of the"][i % 4]} ${about[i % about.length]} that ${["morning", "evening", "winter", "afternoon", "week"][i % 5]}.`);

/** Writes all into dir and returns their paths. */
export function make(dir) {
  mkdirSync(join(dir, "notes", "deep"), { recursive: true });
  mkdirSync(join(dir, "notes", ".git"), { recursive: true });
  writeFileSync(join(dir, "notes", ".git", "config"), "[core]\n");
  writeFileSync(join(dir, "notes", "harbour.txt"), [...filler(160, ["harbour", "boathouse", "pier"]), "The special magic Lisbon number is: 7421938.", ...filler(90, ["mill", "orchard"])].join("\n"));
  writeFileSync(join(dir, "notes", "deep", "garden.md"), `# Garden\n\n${filler(60, ["garden", "hedge", "greenhouse"]).join(" ")}\n`);
  writeFileSync(join(dir, "notes", "empty.txt"), "");
  writeFileSync(join(dir, "paper.pdf"), pdf([["On the lamps of a small harbour", "", ...filler(24, ["lighthouse", "pier"])], [...filler(10, ["chapel", "well"]), "The special magic Oslo number is: 5938174.", ...filler(12, ["barn"])], filler(20, ["field"])]));
  copyFileSync(join(root, "testdata", "keyword.flac"), join(dir, "talk.flac"));
  // Two scenes; drawtext needs a font, which not every machine has: boxes do.
  execFileSync("ffmpeg", ["-loglevel", "error", "-y", "-f", "lavfi", "-i", "color=c=0x2d5a88:s=320x180:d=6:r=4", "-f", "lavfi", "-i", "testsrc=s=320x180:d=6:r=4",
    "-filter_complex", "[0][1]concat=n=2:v=1", "-c:v", "libvpx", "-b:v", "150k", "-deadline", "realtime", "-cpu-used", "8", "-threads", "1", join(dir, "film.webm")]);
  return { film: join(dir, "film.webm"), sound: join(dir, "talk.flac"), paper: join(dir, "paper.pdf"), folder: join(dir, "notes") };
}
