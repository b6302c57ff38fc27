// Files in messages: how they are brought and shown. Only what the daemon has found to
// be a picture, a sound or a film is shown, from a blob: no file is ever opened as a page.

import { app } from './app.js';
import { announce, h, name } from './dom.js';
import { reason, size, t, word } from './i18n.js';

const drawn = /^image\/(png|jpeg|gif|webp)$/;
const played = /^(audio|video|application\/ogg)/;
const most = 20e6; // bytes of a picture that is fetched unasked
const bars = '▁▂▃▄▅▆▇█'; // of a waveform
const piece = 4 << 20; // bytes of a request; the daemon keeps whole MiB
const blobs = new Map(); // by file, what was read: the last few

const faces = new Map(); // pictures of people, by path and name
const players = new Set(); // what plays or could: each holds a blob

app.addEventListener('closed', () => {
  blobs.clear();
  faces.clear();
  still(() => true);
});

app.addEventListener('message', (e) => { if (/deleted|expired/.test(e.detail.type)) blobs.clear(); }); // it may have been theirs

app.addEventListener('change', () => still((player) => !player.isConnected));

// still has players be silent and let go of what they played.
function still(which) {
  for (const player of [...players].filter(which)) {
    players.delete(player);
    player.pause();
    URL.revokeObjectURL(player.src);
  }
}

function read(id, part = 'content') {
  const path = `/v1/files/${id}/${part}`;
  if (!blobs.has(path)) {
    blobs.set(path, app.api.get(path));
    blobs.get(path).catch(() => blobs.delete(path));
    if (blobs.size > 20) blobs.delete(blobs.keys().next().value);
  }
  return blobs.get(path);
}

/** Has what is shown or played of files go on, when what is drawn of them is drawn anew. */
export function keepMedia(old, drawn) {
  const shown = new Map([...old.querySelectorAll('.media')].filter((m) => m.hasChildNodes()).map((m) => [m.dataset.file, m]));
  for (const place of drawn.querySelectorAll('.media')) shown.has(place.dataset.file) && place.replaceWith(shown.get(place.dataset.file));
}

/** Draws a file of a message; of a picture, until it is here, what came with its message. */
export function attachment(f, message) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const button = (label, act, attributes) => h('button', { ...attributes, onclick: () => { problem.textContent = ''; act().catch((e) => { problem.textContent = reason(e); }); } }, label, h('span', { class: 'unseen' }, ' ', name(f.name)));
  const ask = (verb, label) => button(label, () => app.api.post(`/v1/files/${f.id}/${verb}`));
  const kind = f.voice || f.media_type === 'application/ogg' ? 'audio' : f.media_type.split('/')[0];
  const here = f.state === 'available';
  const whole = here && f.size <= most && drawn.test(f.media_type);
  const place = h('div', { class: 'media', 'data-file': f.id + whole });
  if (whole || f.thumbnail) whenSeen(place, () => picture(f, place, message, whole).catch(() => {}));
  const facts = [size(f.size), f.duration_ms && length(f.duration_ms), !here && word('file', f.state), f.reason && word('why', f.reason)].filter(Boolean).join(' · ');
  return h('div', { class: 'file' }, place,
    h('span', null, f.voice ? t('file.voice') : name(f.name), ` · ${facts}`), f.waveform && h('span', { 'aria-hidden': true }, [...atob(f.waveform)].map((c) => bars[c.charCodeAt(0) >> 5]).join('')),
    ['fetching', 'paused'].includes(f.state) && h('progress', { max: f.size, value: f.received, 'aria-label': t('file.progress') }),
    here && ['audio', 'video'].includes(kind) && button(`▶ ${t('file.play')}`, () => play(f, kind, place)),
    here && button(t('about.save'), () => save(f)),
    ['remote', 'paused', 'failed'].includes(f.state) && ask('fetch', t('file.fetch')),
    f.state === 'fetching' && ask('pause', t('file.pause')),
    ['fetching', 'paused'].includes(f.state) && ask('cancel', t('file.cancel')), problem);
}

/** A length of time as players show it. */
export function length(ms) {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function whenSeen(element, act) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    watch.disconnect();
    act();
  });
  watch.observe(element);
}

async function picture(f, place, message, whole) {
  const blob = await read(f.id, whole ? 'content' : 'thumbnail');
  if (!drawn.test(blob.type)) return;
  place.append(h('button', { class: 'picture', disabled: !whole, 'aria-label': t('file.enlarge', { name: f.name }), onclick: () => lightbox(f, blob, message) }, image(blob, f)));
}

function image(blob, f) {
  const url = URL.createObjectURL(blob);
  const img = h('img', { alt: f.name, width: f.width, height: f.height });
  img.onload = img.onerror = () => URL.revokeObjectURL(url);
  img.src = url;
  return img;
}

function lightbox(f, blob, message) {
  const dialog = dialogOf(message, { class: 'lightbox', 'aria-label': f.name }, image(blob, f),
    h('menu', null, h('button', { onclick: () => save(f) }, t('about.save')), h('button', { autofocus: true, onclick: () => dialog.close() }, t('dialog.close'))));
  dialog.showModal();
}

/** Makes a dialog on the page about a message, which goes with the message. */
export function dialogOf(m, attributes, ...children) {
  const over = new AbortController();
  const dialog = h('dialog', attributes, ...children);
  dialog.addEventListener('close', () => { over.abort(); dialog.remove(); });
  app.addEventListener('message', ({ detail: { data } }) => {
    const gone = data.kind === undefined || data.deleted && !m.deleted;
    if (gone && (data.id === m.id || data.position === m.position)) dialog.close();
  }, { signal: over.signal });
  app.addEventListener('closed', () => over.abort(), { signal: over.signal });
  document.body.append(dialog);
  return dialog;
}

async function play(f, kind, place) {
  const blob = await read(f.id);
  if (!played.test(blob.type)) throw new Error(blob.type);
  const player = h(kind, { controls: true, autoplay: true, 'aria-label': f.name, src: URL.createObjectURL(blob) });
  players.add(player);
  place.replaceChildren(player);
}

async function save(f) {
  const url = URL.createObjectURL(new Blob([await read(f.id)], { type: 'application/octet-stream' }));
  h('a', { href: url, download: f.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** The files that go with the next message, and where they are shown. changed is called when one is whole or gone. */
export class Luggage {
  #items = [];
  #changed;
  element = h('ul', { class: 'luggage' });

  constructor(changed) { this.#changed = changed; }

  get busy() { return this.#items.some((i) => !i.id && !i.problem); }
  get stuck() { return this.#items.some((i) => i.problem); }
  get empty() { return this.#items.length === 0; }

  add(files) { for (const file of files) this.#begin({ file, row: this.element.appendChild(h('li')) }); }

  /** Gives the files away: they belong to a message from now on. */
  take() {
    const ids = this.#items.map((i) => i.id);
    this.#items = [];
    this.element.replaceChildren();
    return ids;
  }

  /** Takes files back that the daemon has and no message holds. */
  async put(ids) {
    for (const id of ids) {
      const file = await app.api.get(`/v1/files/${id}`).catch(() => null);
      if (!file) continue;
      const item = { id, file, row: this.element.appendChild(h('li')), end: new AbortController() };
      this.#items.push(item);
      this.#draw(item, file.size);
    }
  }

  /** Ends what is on its way: nobody will send it. */
  abandon() { for (const item of this.#items) item.end.abort(); }

  async #begin(item, headers = {}) {
    if (!this.#items.includes(item)) this.#items.push(item);
    item.problem = item.id = null;
    item.end = new AbortController();
    this.#draw(item, 0);
    try {
      item.id = await bring(item.file, headers, item.end.signal, (sent) => this.#draw(item, sent));
    } catch (error) {
      if (error.name === 'AbortError') return;
      item.problem = error;
      announce(reason(error));
    }
    this.#draw(item, item.file.size);
    this.#changed();
  }

  #drop(item) {
    item.end.abort();
    if (item.id) app.api.delete(`/v1/files/${item.id}`).catch(() => {});
    this.#items = this.#items.filter((i) => i !== item);
    item.row.remove();
    this.#changed();
  }

  #draw(item, sent) {
    const telling = item.problem?.code === 'metadata_not_cleanable';
    item.row.replaceChildren(name(item.file.name), ` · ${size(item.file.size)} `,
      item.id ? '✓ ' : item.problem ? '' : h('progress', { max: Math.max(item.file.size, 1), value: sent, 'aria-label': t('file.progress') }),
      item.problem ? h('p', { class: 'problem' }, telling ? t('file.telling') : reason(item.problem)) : '',
      item.problem ? h('button', { onclick: () => this.#begin(item, telling ? { 'Pabal-Metadata': 'keep' } : {}) }, t(telling ? 'file.keep' : 'chat.retry')) : '',
      h('button', { 'aria-label': t('file.remove', { name: item.file.name }), onclick: () => this.#drop(item) }, '✕'));
  }
}

// bring uploads a file in pieces and returns its id. A daemon that goes away and comes back
// is told the rest.
async function bring(file, headers, signal, progress) {
  headers = { ...headers, 'Pabal-Name': encodeURIComponent(file.name.normalize('NFC')), 'Content-Type': file.type || 'application/octet-stream' };
  // What the page records tells no more than which browser it was.
  if (file.voice) headers = { ...headers, 'Pabal-Duration-Ms': String(file.voice.ms), 'Pabal-Waveform': file.voice.waveform, 'Pabal-Metadata': 'keep' };
  if (file.size <= piece) return (await app.api.post('/v1/files', file, { signal, headers })).id;
  const begun = await app.api.post('/v1/files', new Blob([]), { signal, headers: { ...headers, 'Upload-Length': String(file.size), 'Upload-Complete': '?0' } });
  for (let { id, received } = begun; ;) {
    try {
      const options = { signal, headers: { ...headers, 'Upload-Offset': String(received) } };
      const f = await app.api.patch(`/v1/files/${id}`, file.slice(received, received + piece), options);
      received = f.received;
      progress(received);
      if (f.state !== 'uploading') return id;
    } catch (error) {
      if (error.name === 'AbortError') app.api.delete(`/v1/files/${id}`).catch(() => {});
      if (error.code !== 'no_daemon') throw error;
      await back(signal);
      ({ received } = await app.api.get(`/v1/files/${id}`, { signal }));
    }
  }
}

// back waits until the daemon answers again.
async function back(signal) {
  while (!app.api.reachable) {
    signal.throwIfAborted();
    await new Promise((done) => { setTimeout(done, 500); });
  }
}

/** The picture of a person whose name stands beside it, if there is one: of a contact, or ours. */
export function face(person, path = `/v1/contacts/${person?.id}/picture`) {
  if (!person?.picture) return null;
  const key = `${path} ${person.picture}`;
  if (!faces.has(key)) faces.set(key, app.api.get(path));
  const img = h('img', { class: 'face', alt: '' });
  faces.get(key).then((blob) => {
    const url = URL.createObjectURL(blob);
    img.addEventListener('load', () => URL.revokeObjectURL(url));
    img.src = url;
  }, () => faces.delete(key));
  return img;
}
