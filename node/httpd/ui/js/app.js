// What the page knows: the one Api, the daemon's state, and the conversations,
// contacts and requests as the last snapshot and the events since tell them.

import { Api, Problem } from './api.js';
import { later, Stream } from './stream.js';
import { speak } from './i18n.js';

const patience = 10000; // ms until a daemon that does not answer counts as gone
const again = 1000; // ms until the daemon is looked for again
const usable = ['ready', 'read_only'];
const presence = 60000; // ms between the times that it is said that somebody is here
const away = 300000; // ms without a key or a pointer until nobody is

/**
 * The state of the page. Emits change after anything has changed, message with
 * an event of the API about messages as its detail, and closed when nothing of the
 * profile may be shown or kept any more.
 */
class App extends EventTarget {
  api = new Api();
  phase = 'starting'; // signed_out, or the daemon's state
  status = null;
  self = null;
  settings = null;
  conversations = new Map();
  contacts = new Map();
  requests = new Map();
  approvals = new Map(); // messages of programs that wait for the owner
  unsure = true; // whether more may wait: the last reading of them failed, or there was none
  live = new Set(); // ids of contacts with a connection
  typing = new Set(); // of those that write to us
  here = new Set(); // of those that are in front of a frontend
  view = { name: 'home' };

  #stream = null;
  #changed = false;
  #look = 0;
  #stale = new Set(); // ids of conversations to read again
  #here = false; // as it was said last
  #asking = null; // the timer of the next reading of approvals
  #asked = 0; // counts the readings of approvals: an earlier one is void
  #told = new Map(); // by conversation, the cursor of the event or answer that it is from

  constructor() {
    super();
    this.api.addEventListener('signedout', () => this.signedOut());
    this.addEventListener('closed', () => this.api.unconfirm());
    this.api.addEventListener('reach', () => { if (this.api.reachable) this.refresh(); else this.#seek(); });
    for (const type of ['keydown', 'input', 'click', 'wheel', 'pointermove', 'pointerdown']) addEventListener(type, (e) => this.#attend(e), { passive: true });
    addEventListener('visibilitychange', () => this.present());
    setInterval(() => this.present(), presence);
    addEventListener('popstate', (e) => { this.view = e.state ?? { name: 'home' }; this.changed(); });
  }

  /** Whether the profile is open. */
  get usable() { return usable.includes(this.phase); }

  /** Signs in with the code of a login link, if there is one, and goes on from there. */
  async start() {
    await speak('');
    this.view = history.state ?? this.view;
    const code = new URLSearchParams(location.hash.slice(1)).get('c');
    if (location.hash) history.replaceState(history.state, '', location.pathname);
    if (code) await this.api.signIn(code).catch(() => {});
    await this.refresh();
  }

  // attend notes that somebody is here. What moves under a pointer that rests is no gesture.
  #attend(e) {
    if (!e.isTrusted || e.type === 'pointermove' && e.movementX === 0 && e.movementY === 0) return;
    this.api.used = Date.now();
    if (!this.#here) this.present();
  }

  /** Says whether somebody is here, if any contact may know. */
  present() {
    const here = document.visibilityState === 'visible' && Date.now() - this.api.used < away;
    if (!this.usable || !here && !this.#here || ![...this.contacts.values()].some((c) => c.presence)) return;
    this.#here = here;
    this.api.put('/v1/presence', { here }).catch(() => {});
  }

  /** Shows another view; back returns to this one. */
  go(view) {
    if (JSON.stringify(view) === JSON.stringify(this.view)) return;
    history.pushState(view, '');
    this.view = view;
    this.changed();
  }

  /** Goes home from a view of what is not there, as if it had never been opened: it may be another profile's. */
  goneHome() {
    this.view = { name: 'home' };
    history.replaceState(this.view, '');
    this.changed();
  }

  /** Tells the views, once for all that changes at a time. */
  changed() {
    if (this.#changed) return;
    this.#changed = true;
    queueMicrotask(() => {
      this.#changed = false;
      this.dispatchEvent(new Event('change'));
    });
  }

  /** Asks what the daemon can do now, and reads all anew if it is ready. */
  async refresh() {
    if (!this.api.signedIn) return this.signedOut();
    try {
      this.status = await this.api.get('/v1/status', { signal: AbortSignal.timeout(patience) });
      if (usable.includes(this.status.state)) await this.#load();
      else this.#follow(null);
      this.#enter(this.status.state);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
    this.changed();
    if (!this.#stream && this.api.reachable) this.#lookAgain();
  }

  // lookAgain asks again in a while: without a stream nobody says that the daemon
  // was set up or unlocked elsewhere.
  #lookAgain() {
    clearTimeout(this.#look);
    this.#look = setTimeout(() => { if (!this.#stream && this.phase !== 'signed_out') this.refresh(); }, again);
  }

  // seek looks for the daemon until it is found.
  async #seek() {
    this.changed();
    while (!(await this.api.find())) await new Promise((done) => setTimeout(done, again));
  }

  // enter goes into a phase. What was read goes when the profile is not open in it.
  #enter(phase) {
    const was = this.usable;
    this.phase = phase;
    if (this.usable) return;
    this.#forget();
    if (was) this.dispatchEvent(new Event('closed'));
  }

  /** Forgets the session and all that was read with it. */
  signedOut() {
    this.api.forget();
    this.#follow(null);
    this.#enter('signed_out');
    this.changed();
  }

  async #load() {
    // The stream listens before the snapshot is taken: nothing falls between them.
    const stream = new Stream(this.api);
    this.#stream?.stop();
    this.#stream = stream;
    const early = [];
    stream.addEventListener('event', (e) => early.push(e.detail));
    const [s, peers] = await Promise.all([
      this.api.get('/v1/snapshot?conversations=200&messages=1'),
      this.api.get('/v1/network').then((n) => n.peers, () => []), // a session may lack the right: then nobody is shown as live
    ]);
    if (this.#stream !== stream) return;
    if (this.self && this.self.account_id !== s.self.account_id) {
      this.#forget();
      this.dispatchEvent(new Event('closed'));
    }
    const kept = this.self ? [...this.approvals] : []; // until they are read anew
    this.#forget();
    this.approvals = new Map(kept);
    this.self = s.self;
    this.settings = s.settings;
    for (const c of s.conversations) this.conversations.set(c.id, c);
    for (const c of s.contacts) this.contacts.set(c.id, c);
    for (const r of s.requests) this.requests.set(r.id, r);
    for (const p of peers) for (const [set, is] of [[this.live, true], [this.typing, p.typing], [this.here, p.here]]) if (is) set.add(p.contact_id);
    this.#here = false;
    await speak(s.settings.language);
    this.#follow(stream);
    stream.addEventListener('event', (e) => this.#apply(e.detail));
    stream.addEventListener('gap', () => this.refresh());
    this.#approve();
    for (const e of early) this.#apply(e);
    stream.follow(s.cursor);
    this.present();
    this.dispatchEvent(new Event('reload'));
  }

  #follow(stream) {
    if (this.#stream !== stream) this.#stream?.stop();
    this.#stream = stream;
  }

  #forget() {
    this.conversations.clear();
    this.#told.clear();
    this.contacts.clear();
    this.requests.clear();
    this.approvals.clear();
    this.unsure = true;
    this.#asked++;
    for (const set of [this.live, this.typing, this.here]) set.clear();
    this.self = null;
  }

  // apply takes one event. Its data is the object as it is now, so that taking an
  // event twice does no harm.
  #apply(event) {
    const { type, data } = event;
    const [family] = type.split('.');
    if (family === 'message') {
      this.dispatchEvent(new CustomEvent('message', { detail: event }));
      this.#readAgain(event.conversation_id ?? data.conversation_id);
    } else if (family === 'conversation' && data.kind) this.#converse(data, event.cursor);
    else if (type === 'contact.removed') this.#removed(data.id);
    else if (family === 'contact' && data.name !== undefined) {
      this.contacts.set(data.id, data);
      this.#readAgain(data.conversation_id); // it is called as its contact is
    }
    else if (type === 'request.received') this.requests.set(data.id, data);
    else if (type === 'request.resolved') this.requests.delete(data.id);
    else if (family === 'approval') this.#approve();
    else if (family === 'token' || family === 'pairing') this.dispatchEvent(new Event('access'));
    else if (type === 'settings.changed') this.#settingsChanged(data);
    else if (type === 'peer.state') this.live[data.state === 'live' ? 'add' : 'delete'](data.contact_id);
    else if (type === 'self.updated') Object.assign(this.self, data);
    else if (type === 'typing') this.typing[data.active ? 'add' : 'delete'](data.contact_id);
    else if (type === 'presence') this.here[data.here ? 'add' : 'delete'](data.contact_id);
    else if (type === 'daemon.state') this.#turned(data.state);
    else if (family === 'file' || family === 'transfer') this.dispatchEvent(new CustomEvent('file', { detail: data }));
    else if (type === 'draft') this.#drafted(event.conversation_id, data);
    else if (type === 'down') this.api.lost();
    else if (type === 'bye') {
      if (/^locked|revoked/.test(data.reason)) this.#enter('locked'); // at once: there may be nobody to ask
      if (!/^slow|^limit/.test(data.reason)) this.refresh();
    }
    this.changed();
  }

  // approve reads what waits for the owner, once for all events that come at a time: they
  // have its ids only. A read that fails says nothing of it, and is made again.
  #approve(wait = 30) {
    this.#asking ??= setTimeout(async () => {
      this.#asking = null;
      if (!this.usable) return;
      const turn = ++this.#asked;
      const items = await this.api.get('/v1/approvals').then((a) => a.items, (error) => error.code === 'scope_missing' && []);
      if (turn !== this.#asked) return;
      this.unsure = !items;
      if (items) this.approvals = new Map(items.map((a) => [a.id, a]));
      else this.#approve(again);
      this.changed();
    }, wait);
  }

  #turned(state) {
    this.status.state = state;
    this.#enter(state);
    if (this.usable && !this.self) this.refresh();
  }

  // converse takes a conversation as it was at a cursor, unless a later one is known: an
  // answer may come behind the event of what changed after it.
  #converse(c, cursor) {
    const told = this.#told.get(c.id);
    if (cursor && told && later(told, cursor)) return;
    if (cursor) this.#told.set(c.id, cursor);
    this.conversations.set(c.id, c);
  }

  #removed(contact) {
    this.contacts.delete(contact);
    for (const c of this.conversations.values()) if (c.contact_id === contact) this.conversations.delete(c.id);
  }

  #drafted(id, draft) {
    const c = this.conversations.get(id);
    if (c) this.conversations.set(id, { ...c, draft });
  }

  async #settingsChanged(settings) {
    this.settings = settings;
    await speak(this.settings.language);
    this.changed();
  }

  // readAgain reads a conversation of which a message has changed, once for all
  // that come at a time: its count, its last message and its order follow from them.
  #readAgain(id) {
    if (!id || this.#stale.has(id)) return;
    this.#stale.add(id);
    setTimeout(async () => {
      this.#stale.delete(id);
      if (!this.usable) return;
      try {
        const answer = await this.api.response('GET', `/v1/conversations/${id}`);
        this.#converse(await answer.json(), answer.headers.get('Pabal-Cursor'));
      } catch (error) {
        if (error.code === 'not_found') this.conversations.delete(id);
      }
      this.changed();
    }, 30);
  }
}

export const app = new App();
