// The kinds of parts: what the strip tells apart by colour, pattern and name.

export const kinds = {
  text: { name: "Text", modality: "TEXT" },
  document: { name: "Document", modality: "DOCUMENT" },
  picture: { name: "Picture", modality: "IMAGE" },
  sound: { name: "Sound", modality: "AUDIO" },
  film: { name: "Film", modality: "VIDEO" },
};

export const order = Object.keys(kinds);

const byModality = Object.fromEntries(order.map((k) => [kinds[k].modality, k]));

/** The kind of a modality's name in the API. */
export const ofModality = (m) => byModality[m] || "text";

const extensions = {
  document: "pdf docx pptx xlsx odt ods odp epub html htm eml mbox ipynb",
  picture: "png jpg jpeg gif webp bmp tif tiff avif heic svg",
  sound: "wav flac mp3 ogg oga opus m4a aac aiff wma",
  film: "mp4 m4v mov mkv webm avi mpg mpeg wmv flv ogv ts 3gp",
};
const byExtension = {};
for (const [kind, list] of Object.entries(extensions)) for (const x of list.split(" ")) byExtension[x] = kind;

export const extension = (name) => (/\.([a-z0-9]+)$/i.exec(name)?.[1] || "").toLowerCase();

/** The kind of a file, as far as its type and name tell. The server looks inside. */
export function kindOf(mime, name) {
  mime = (mime || "").toLowerCase();
  if (mime.startsWith("image/")) return "picture";
  if (mime.startsWith("audio/")) return "sound";
  // ".ts" is a film to browsers, but most are TypeScript.
  if (mime.startsWith("video/") && extension(name) !== "ts") return "film";
  const kind = byExtension[extension(name)];
  if (kind && extension(name) !== "ts") return kind;
  if (/pdf|officedocument|opendocument|epub|text\/html|message\//.test(mime)) return "document";
  return "text";
}

/** The kind of a context's source: to the API a document is text. */
export const kindOfSource = (s, mime) => (kinds[s.kind] && s.kind !== "text" ? s.kind : kindOf(mime, s.name || ""));

/** What a file's tokens come to before anything has counted them. */
export function estimate(kind, size, seconds) {
  switch (kind) {
    case "picture":
      return 258;
    case "sound":
      return Math.max(32, 32 * (seconds || size / 16000));
    case "film":
      return Math.max(258, 290 * (seconds || size / 250000));
    case "document":
      return Math.max(16, Math.min(size / 8, 400000));
  }
  return Math.max(4, size / 4);
}
