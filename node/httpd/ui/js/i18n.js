// Sentences in the user's language. A catalog has, by kind and then by the rest of the key, the
// sentence. What a code of the daemon means is said as the program says it, if that names no command.

export const languages = ['en', 'ko'];
const catalogs = {};
let language = 'en';

/** Uses a language from then on. An unknown wish means the browser's. */
export async function speak(wish) {
  const wanted = languages.includes(wish) ? wish : (navigator.languages.find((l) => languages.includes(l.slice(0, 2))) ?? 'en').slice(0, 2);
  catalogs[wanted] ??= await (await fetch(`i18n/${wanted}.json`)).json();
  language = wanted;
  document.documentElement.lang = language;
}

export const spoken = () => language;
export const has = (key) => sentence(key) !== undefined;

function sentence(key) {
  const [kind, rest] = key.split('.');
  return catalogs[language][kind]?.[rest];
}

/** A sentence, as text. */
export const t = (key, params) => parts(key, params).join('');

/** A sentence whose parameters may be nodes, as what h takes. */
export function parts(key, params = {}) {
  return (sentence(key) ?? key).split(/(\{\w+(?:\|[^}]*)?\})/).flatMap((piece) => {
    const hole = /^\{(\w+)(?:\|([^}]*))?\}$/.exec(piece);
    if (!hole) return piece === '' ? [] : [piece];
    const value = params[hole[1]] ?? '';
    const text = typeof value === 'object' ? value.textContent : String(value);
    return hole[2] ? [value, particle(text, hole[2])] : [value];
  });
}

/** The sentence of a code of the daemon; a code that is not known yet says itself. */
export function word(kind, code, params) {
  const key = `${kind}.${code}`;
  return has(key) ? t(key, params) : code;
}

/** A sentence of its own: the program's go on behind a colon. */
export const capital = (text) => text.charAt(0).toLocaleUpperCase(language) + text.slice(1);

/** What to say of a failure. */
export function reason(error) {
  if (!error.code) return t('problem.internal');
  if (error.code === 'validation_failed' && error.errors?.length) {
    const [{ pointer, code }] = error.errors;
    return `${capital(word('problem', error.code))} (${pointer.replace(/^\//, '')}: ${word('field', code)})`;
  }
  return capital(word('problem', error.code));
}

const dates = new Map();
function format(at, options) {
  const key = language + JSON.stringify(options);
  if (!dates.has(key)) dates.set(key, new Intl.DateTimeFormat(language, options));
  return dates.get(key).format(at);
}

export const clock = (at) => format(at, { hour: 'numeric', minute: '2-digit' });
export const day = (at) => format(at, { year: 'numeric', month: 'long', day: 'numeric', weekday: 'long' });
export const moment = (at) => format(at, { dateStyle: 'medium', timeStyle: 'medium' });

export const date = (at) => format(at, { month: 'short', day: 'numeric' });

/** The time of what is from today, and the day of what is older. */
export const short = (at) => (at.toDateString() === new Date().toDateString() ? clock(at) : date(at));

/** A number of bytes, in the units of the command line. */
export function size(bytes) {
  const step = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : bytes < 1024 ** 3 ? 2 : 3;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(bytes / 1024 ** step)} ${['B', 'KiB', 'MiB', 'GiB'][step]}`;
}

/** A timer in words: null is never. */
export function timer(value) {
  if (!value) return t('timer.never');
  const one = `timer.${value.seconds}`;
  return t(`timer.${value.mode}`, { amount: has(one) ? t(one) : span(value.seconds) });
}

/** A time in the largest unit that fits. */
export function span(seconds) {
  const [count, unit] = units(seconds);
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(count);
}

function units(seconds) {
  for (const [unit, length] of [['week', 604800], ['day', 86400], ['hour', 3600], ['minute', 60]]) {
    if (seconds % length === 0) return [seconds / length, unit];
  }
  return [seconds, 'second'];
}

// Korean particles depend on how the word before them ends.
const syllables = { first: 0xac00, last: 0xd7a3, finals: 28, rieul: 8 };

// ending says how a word ends when it is read aloud: open, rieul, closed, or null
// where its reading is not known.
function ending(word) {
  const letters = [...word.normalize('NFC')].reverse();
  const last = letters.find((c) => /[\p{L}\p{Nd}]/u.test(c));
  if (!last) return null;
  const code = last.codePointAt(0);
  if (code >= syllables.first && code <= syllables.last) {
    const final = (code - syllables.first) % syllables.finals;
    return final === 0 ? 'open' : final === syllables.rieul ? 'rieul' : 'closed';
  }
  if (/[178l]/i.test(last)) return 'rieul';
  if (/[036mn]/i.test(last)) return 'closed';
  if (/[2459aeiouywdsrfvzjxh]/i.test(last)) return 'open';
  return null;
}

/**
 * The one of a pair of particles that fits behind word. The pair names the form
 * after a consonant first: 이/가, 은/는, 을/를, 과/와, 으로/로. Where the reading is
 * not known both are named: 이(가).
 */
export function particle(word, pair) {
  const [closed, open] = pair.split('/');
  switch (ending(word)) {
    case 'open': return open;
    case 'closed': return closed;
    case 'rieul': return closed.startsWith('으로') ? open : closed;
  }
  if (closed.startsWith('으') && open.startsWith(closed.slice(1))) return `(으)${open}`;
  return `${closed}(${open})`;
}
