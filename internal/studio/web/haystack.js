// Haystacks and needles: text as long as is wanted, with a sentence hidden in it.

/** A generator of numbers in [0, 1) that repeats for a seed (mulberry32). */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const words = {
  who: "the ferryman|an old gardener|the miller's daughter|a travelling painter|the schoolmaster|my neighbour|the clockmaker|a fisherman|the innkeeper|the carpenter's son|a tired clerk|the lighthouse keeper|two cousins|the baker|a young surveyor|the postmistress|the watchman|a retired captain|the librarian|the orchard owner".split("|"),
  did: "walked slowly along|looked for a while at|spoke quietly about|remembered|carried a basket past|drew a careful picture of|waited beside|told a long story about|swept the leaves from|listened to the wind near|mended|wrote a letter about|stood in front of|wondered about|turned away from|kept a lantern near|laughed at|never forgot|found shelter under|argued over".split("|"),
  adj: "narrow|weathered|quiet|sunlit|crooked|forgotten|painted|mossy|broad|silver|hollow|gentle|distant|wooden|frosty|golden|empty|crowded|steep|pale".split("|"),
  what: "bridge|orchard|harbour|staircase|garden wall|windmill|market square|river bank|chapel|barn|hedge|well|gatehouse|vineyard|footpath|boathouse|meadow|fountain|courtyard|hillside".split("|"),
  when: "before the rain came|in the early morning|while the bells rang|at the end of summer|when the tide was low|after supper|during the long winter|as the light faded|before anyone else was awake|when the fair had gone|on the way home|until the stars came out".split("|"),
  then: "Nobody thought it strange|The dog slept through all of it|It was not mentioned again|There was bread and cheese for everyone|The rest of the day was spent indoors|Later the road was dry again|The children had already gone ahead|A cart went by without stopping|Smoke rose straight from the chimneys|For once there was no hurry".split("|"),
};
const capital = (s) => s[0].toUpperCase() + s.slice(1);

/** About chars characters of plain prose without numbers; it repeats for a seed. */
export function prose(chars, seed) {
  const rng = random(seed);
  const pick = (list) => list[Math.floor(rng() * list.length)];
  const out = [];
  for (let n = 0, inParagraph = 0; n < chars; ) {
    const say = () => `${pick(words.did)} the ${pick(words.adj)} ${pick(words.what)}`;
    let s;
    switch (Math.floor(rng() * 4)) {
      case 0:
        s = `${capital(pick(words.when))}, ${pick(words.who)} ${say()}.`;
        break;
      case 1:
        s = `${capital(pick(words.who))} ${say()} and ${say()}.`;
        break;
      case 2:
        s = `${pick(words.then)}, for ${pick(words.who)} ${say()} ${pick(words.when)}.`;
        break;
      default:
        s = `${capital(pick(words.who))} ${say()} ${pick(words.when)}.`;
    }
    s += ++inParagraph >= 5 + Math.floor(rng() * 4) ? "\n\n" : " ";
    if (s.endsWith("\n")) inParagraph = 0;
    out.push(s);
    n += s.length;
  }
  return out.join("");
}

/** A chosen text, repeated where it is too short. */
export const repeated = (text, chars) => (text.length >= chars ? text : `${text}\n\n`.repeat(Math.ceil(chars / (text.length + 2))));

/** Cuts a text at the end of a sentence, at most chars long. */
export function cut(text, chars) {
  if (text.length <= chars) return text;
  const at = Math.max(text.lastIndexOf(". ", chars - 2), text.lastIndexOf("\n", chars - 1));
  return text.slice(0, at > chars / 2 ? at + 1 : chars);
}

/** Puts a sentence into a text at a depth from 0 to 1, between two sentences. */
export function hide(text, needle, depth) {
  if (depth <= 0) return `${needle} ${text}`;
  if (depth >= 1) return `${text.trimEnd()} ${needle}`;
  const aim = Math.floor(text.length * depth);
  const before = text.lastIndexOf(". ", aim);
  const after = text.indexOf(". ", aim);
  const near = before < 0 ? after : after < 0 || aim - before < after - aim ? before : after;
  const at = near < 0 ? aim : near + 2;
  return `${text.slice(0, at)}${needle} ${text.slice(at)}`;
}

const cities = "Lisbon Oslo Lima Hanoi Quito Turin Cairo Kyoto Perth Riga Dakar Sofia Osaka Bergen Accra Malaga Tampere Nairobi Cusco Ghent".split(" ");

/** The i-th needle: {say, ask, value}. The wording is that of the Gemini 1.5 report. */
export function needle(rng, i) {
  const city = cities[i % cities.length];
  const value = String(1000000 + Math.floor(rng() * 9000000));
  return { say: `The special magic ${city} number is: ${value}.`, ask: `What is the special magic ${city} number?`, value };
}

/** Whether an answer has the value, with or without separators between the digits. */
export const has = (answer, value) => answer.replace(/(?<=\d)[ ,.'\u2009](?=\d)/g, "").includes(value);
