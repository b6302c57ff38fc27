// A conversation: its messages, of which a window is drawn, and the composer.

import { app } from './app.js';
import { newMessageID } from './api.js';
import { title } from './chats.js';
import { Composer, timerSelect } from './composer.js';
import { announce, h, name, reconcile, there, View } from './dom.js';
import { face, keepMedia } from './files.js';
import { day, parts, reason, t, word } from './i18n.js';
import { actions, draw, excerpt, superseded } from './message.js';
import { later } from './stream.js';

const page = 50; // messages read at a time
const most = 300; // messages drawn at a time
const kept = new Map(); // by conversation: what was not taken yet and is drawn here only
app.addEventListener('closed', () => kept.clear()); // the daemon keeps it as a draft

class Chat extends View {
  #id = app.view.id;
  #items = [];
  #before = false; // there are older ones than the first of items
  #after = false; // there are newer ones than the last
  #unreadFrom = null; // the position above which all was unread when it was opened
  #busy = false;
  #turn = 0; // counts the windows: an answer about an earlier one is void
  #hearing = new Set(); // lists of the events told since pages were asked for
  #seen = false; // the conversation was there
  #told = 0; // the position that was last said to be read
  #log = h('ol', { class: 'log', tabindex: 0 });
  #head = h('header', { class: 'chat-head' });
  #below = h('button', { class: 'below', hidden: true, onclick: () => this.#newest() });
  #notice = h('div', { class: 'notice warning', role: 'alert', hidden: true });
  #doing = h('p', { class: 'doing' }); // no screen reader says it by itself
  #composer = null;
  #tools = { // what the buttons of a message do
    actions: (m) => actions(m, this.#tools),
    again: (m) => this.#again(m),
    answer: (m) => this.#composer.answer(m),
    edit: (m) => this.#composer.edit(m),
    closed: (m) => this.#focus(m),
    react: (m, emoji, put, loud) => this.#react(m, emoji, put, loud),
    show: (id) => this.#show(id),
    writes: () => this.#composer.allowed,
  };

  open() {
    this.#tools.own = this.#conversation?.kind === 'self';
    this.#composer = Composer.of(this.#id, (message) => this.#send(message));
    this.#log.setAttribute('aria-label', t('chat.log'));
    this.replaceChildren(this.#head, h('div', { class: 'scroll' }, this.#log, this.#below), this.#doing, this.#notice, this.#composer.element);
    this.listen(app, 'change', () => this.#drawHead());
    this.listen(app, 'message', (e) => this.#take(e.detail));
    this.listen(app, 'file', (e) => this.#carry(e.detail));
    this.listen(this, 'dragover', (e) => { if (e.dataTransfer.types.includes('Files')) e.preventDefault(); });
    this.listen(this, 'drop', (e) => {
      if (!e.dataTransfer.types.includes('Files')) return;
      e.preventDefault();
      this.#composer.attach(e.dataTransfer.files);
    });
    this.listen(app, 'reload', () => this.#load(this.#items.at(-1)?.position));
    this.listen(this.#log, 'scroll', () => this.#scrolled());
    this.listen(this.#log, 'keydown', (e) => this.#key(e));
    this.listen(window, 'focus', () => this.#read());
    this.#drawHead();
    this.#unreadFrom = this.#conversation?.unread.count > 0 ? this.#conversation.unread.read_up_to : null;
    this.#load(app.view.at ?? this.#unreadFrom);
  }

  close() { this.#composer.leave(); }

  get #conversation() { return app.conversations.get(this.#id); }
  get #pending() { return kept.get(this.#id) ?? []; }
  get #atEnd() { return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40; }

  #drawHead() {
    const c = this.#conversation;
    if (!c) {
      if (this.#seen) this.#lost();
      return;
    }
    this.#seen = true;
    this.#drawDoing(c);
    const shown = JSON.stringify([c.title, app.contacts.get(c.contact_id)?.picture, c.disappearing, c.can, c.security, document.documentElement.lang]);
    if (this.#head.shown === shown) return;
    this.#head.shown = shown;
    const select = timerSelect(c.disappearing, async (disappearing) => {
      select.disabled = true;
      await app.api.patch(`/v1/conversations/${c.id}`, { disappearing }).catch((e) => announce(reason(e)));
      this.#head.shown = '';
      app.changed();
    });
    this.#head.replaceChildren(...there([h('h1', { tabindex: -1 }, face(app.contacts.get(c.contact_id)), title(c)),
      c.kind !== 'self' && h('button', { class: `safety ${c.security.state}`, onclick: () => app.go({ name: 'about', id: c.id }) }, word('safety', c.security.state)),
      h('label', { class: 'timer' }, h('span', null, t('chat.timer')), ' ', select),
      h('button', { onclick: () => app.go({ name: 'about', id: c.id }) }, t('chat.about'))]));
    const changed = c.security.state === 'key_changed';
    this.#notice.hidden = !changed;
    this.#notice.replaceChildren(...changed ? [h('p', null, t('verify.changed')), h('button', { class: 'main', onclick: () => app.go({ name: 'about', id: c.id }) }, t('verify.compare'))] : []);
    this.#composer.allow(c.can.send && !changed);
    this.#draw(); // a notice may tell of another timer now
  }

  // drawDoing says what the other side lets us know of what they do now.
  #drawDoing({ contact_id: id, title }) {
    const who = { name: name(title) };
    this.#doing.replaceChildren(...app.typing.has(id) ? parts('chat.typing', who) : app.here.has(id) ? parts('chat.here', who) : []);
  }

  // lost is when the list of conversations lacks this one: it is gone, or old.
  #lost() {
    this.#seen = false;
    app.api.get(`/v1/conversations/${this.#id}`, { signal: this.gone }).catch((e) => { if (e.code === 'not_found') app.goneHome(); });
  }

  // page reads some messages, and what events have told since they were as answered.
  async #page(query) {
    const heard = [];
    this.#hearing.add(heard);
    try {
      const answer = await app.api.response('GET', `/v1/conversations/${this.#id}/messages?limit=${page}${query}`);
      const found = await answer.json();
      const cursor = answer.headers.get('Pabal-Cursor');
      return { ...found, since: heard.filter((e) => !cursor || !e.cursor || later(e.cursor, cursor)) };
    } finally {
      this.#hearing.delete(heard);
    }
  }

  // load draws the newest page, or the one around a position, and shows that, or where
  // what is unread begins.
  async #load(position, shown = app.view.at) {
    const query = position === undefined || position === null ? '' : `&after=${Math.max(0, position - page / 2)}`;
    const turn = ++this.#turn;
    try {
      const found = await this.#page(query);
      if (turn !== this.#turn) return;
      this.#items = found.items;
      this.#before = found.has_before;
      this.#after = found.has_after;
      for (const e of found.since) this.#change(e);
      this.#draw();
    } catch (error) {
      if (error.code === 'not_found' && this.isConnected) return app.goneHome();
      if (turn !== this.#turn) return;
      this.#log.replaceChildren(h('li', { class: 'problem' }, reason(error)));
      return;
    }
    const unread = this.#log.querySelector('.unread-line');
    if (shown !== undefined && this.#mark(shown)) return;
    if (unread) unread.scrollIntoView({ block: 'start' });
    else this.#log.scrollTop = this.#log.scrollHeight;
    this.#read();
  }

  // mark shows the message at a position, if it is drawn.
  #mark(position) {
    const target = [...this.#log.children].find((li) => li.position === position);
    if (!target) return false;
    for (const li of this.#log.querySelectorAll('.found-here')) li.classList.remove('found-here');
    target.scrollIntoView({ block: 'center' });
    target.classList.add('found-here');
    (target.querySelector('article') ?? target).focus();
    return true;
  }

  // show leads to a message of this conversation, wherever it is.
  async #show(id) {
    try {
      const { position } = await app.api.get(`/v1/messages/${id}`);
      if (!this.#mark(position)) await this.#load(position, position);
    } catch (error) {
      announce(reason(error));
    }
  }

  // focus goes back to a message, or to where it was.
  #focus(m) {
    const li = [...this.#log.children].find((x) => x.message?.id === m.id);
    if (!this.#log.contains(document.activeElement) && document.activeElement?.tagName !== 'TEXTAREA') (li?.querySelector('article') ?? this.#log).focus();
  }

  // react puts an emoji on a message or takes it off. Unless it is loud, a refusal is told
  // to the screen reader only, as there is no place for it.
  async #react(m, emoji, put, loud = false) {
    const call = app.api.call(put ? 'PUT' : 'DELETE', `/v1/messages/${m.id}/reactions/${encodeURIComponent(emoji)}`);
    await (loud ? call : call.catch((e) => announce(reason(e))));
  }

  // again sends what has failed once more, as a new message.
  #again(m) {
    const message = {};
    if (m.body) Object.assign(message, { text: m.body.text, mentions: m.body.mentions });
    if (m.attachments?.length > 0) message.files = m.attachments.map((f) => f.id);
    if (m.reply_to?.id) message.reply_to = m.reply_to.id;
    if (m.disappearing) message.disappearing = m.disappearing;
    this.#send(message);
  }

  // more reads the page before or after what is drawn. What is far from there goes.
  async #more(older) {
    if (this.#busy) return;
    this.#busy = true;
    const turn = this.#turn;
    try {
      const edge = older ? `before=${this.#items[0].position}` : `after=${this.#items.at(-1).position}`;
      const found = await this.#page(`&${edge}`);
      if (turn === this.#turn) this.#steadily(() => this.#join(found, older));
    } catch (error) {
      announce(reason(error));
    }
    this.#busy = false;
  }

  // join adds a page at one end. What is too many goes at the other.
  #join(found, older) {
    const known = new Set(this.#items.map((m) => m.position));
    const items = found.items.filter((m) => !known.has(m.position));
    if (older) {
      this.#items = [...items, ...this.#items];
      this.#before = found.has_before;
      if (this.#items.length > most) {
        this.#items.length = most;
        this.#after = true;
      }
    } else {
      this.#items = [...this.#items, ...items];
      this.#after = found.has_after;
      if (this.#items.length > most) {
        this.#items = this.#items.slice(-most);
        this.#before = true;
      }
    }
    for (const e of found.since) this.#change(e);
    this.#draw();
  }

  // steadily changes the list and keeps what is seen where it is.
  #steadily(change) {
    const top = this.#log.getBoundingClientRect().top;
    const seen = [...this.#log.children].find((li) => li.getBoundingClientRect().bottom > top && li.position);
    const at = seen?.getBoundingClientRect().top;
    change();
    if (seen?.isConnected) this.#log.scrollTop += seen.getBoundingClientRect().top - at;
  }

  #newest() {
    this.#unreadFrom = null;
    if (this.#after) this.#load();
    else this.#log.scrollTop = this.#log.scrollHeight;
  }

  #scrolled() {
    if (this.#items.length > 0) {
      if (this.#log.scrollTop < 300 && this.#before) this.#more(true);
      else if (this.#atEnd && this.#after) this.#more(false);
    }
    if (this.#atEnd) this.#read();
    this.#below.hidden = this.#atEnd && !this.#after;
    this.#below.textContent = `${t('chat.newest')} ↓`;
  }

  // read says that the user has read what is at the end of what they see.
  #read() {
    const last = this.#items.at(-1);
    const unread = this.#conversation?.unread;
    if (!last || !unread || !document.hasFocus() || !this.#atEnd) return;
    if (last.position <= Math.max(this.#told, unread.read_up_to) && !unread.marked) return;
    this.#told = last.position;
    app.api.post(`/v1/conversations/${this.#id}/read`, { up_to: last.position }).catch(() => { this.#told = 0; });
  }

  // take is told of every event about messages.
  #take(event) {
    if ((event.conversation_id ?? event.data.conversation_id) !== this.#id) return;
    for (const heard of this.#hearing) heard.push(event);
    const atEnd = this.#atEnd;
    this.#change(event);
    this.#draw();
    if (atEnd) this.#log.scrollTop = this.#log.scrollHeight;
    if (atEnd) this.#read();
  }

  // change has the window be as an event tells, and with a message what is quoted of it.
  #change({ type, data }) {
    const gone = data.kind === undefined; // a reference
    const of = (m) => data.id && m.id === data.id || m.position === data.position;
    const id = this.#items.find(of)?.id ?? data.id;
    if (gone) this.#items = this.#items.filter((m) => !of(m));
    else this.#put(data, type === 'message.created');
    if (id && (gone || data.deleted)) this.#requote(id, { id: null });
    else if (id && type === 'message.edited') this.#requote(id, { excerpt: data.body ? excerpt(data.body.text) : null });
  }

  // requote changes what is quoted of a message in the answers to it.
  #requote(id, quote) {
    this.#items = this.#items.map((m) => (m.reply_to?.id === id ? { ...m, reply_to: { ...m.reply_to, ...quote } } : m));
  }

  // carry is told how far a file is. What is told of one on its way may come behind its end.
  #carry(file) {
    const holds = (m) => m.attachments?.some((f) => f.id === file.id);
    if (!this.#items.some(holds)) return;
    this.#items = this.#items.map((m) => (holds(m) ? { ...m, attachments: m.attachments.map((f) => (f.id === file.id && f.state !== 'available' ? { ...f, ...file } : f)) } : m));
    this.#steadily(() => this.#draw());
  }

  #put(message, created) {
    this.#settle(message.id);
    const at = this.#items.findIndex((m) => m.position === message.position);
    if (at >= 0) this.#items[at] = message;
    else if (created && !this.#after) this.#items = [...this.#items, message].sort((a, b) => a.position - b.position).slice(-most);
  }

  // settle forgets a message that was drawn here only: the daemon has it.
  #settle(id) { kept.set(this.#id, this.#pending.filter((p) => p.id !== id)); }

  #send(body) {
    const message = { id: newMessageID(), body, error: null };
    kept.set(this.#id, [...this.#pending, message]);
    if (this.#after) this.#load();
    const taken = this.#post(message);
    this.#log.scrollTop = this.#log.scrollHeight;
    return taken;
  }

  // post sends a message under its id, and reports whether it was taken. It can be repeated:
  // it is sent once.
  async #post(message) {
    message.error = null;
    this.#draw();
    await new Promise((done) => { // it is seen first
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = done;
      port2.postMessage(0);
    });
    try {
      const taken = await app.api.put(`/v1/conversations/${this.#id}/messages/${message.id}`, message.body);
      // An event may have told more of it already.
      if (!this.#items.some((m) => m.id === taken.id)) this.#put(taken, true);
    } catch (error) {
      message.error = reason(error);
      announce(message.error);
    }
    const atEnd = this.#atEnd;
    this.#draw();
    if (atEnd) this.#log.scrollTop = this.#log.scrollHeight;
    return message.error === null;
  }

  #draw() {
    const rows = [];
    let last = '';
    let line = this.#unreadFrom;
    const stale = superseded(this.#items, this.#conversation?.disappearing);
    for (const m of this.#items) {
      if (stale.has(m)) continue;
      const at = m.created_at && new Date(m.received_at ?? m.created_at);
      if (at && at.toDateString() !== last) {
        last = at.toDateString();
        rows.push({ key: `day ${last}`, day: at });
      }
      if (line !== null && m.position > line && m.direction === 'in') {
        line = null;
        rows.push({ key: 'unread' });
      }
      rows.push({ key: m.id ?? `gap ${m.position}`, m });
    }
    if (!this.#after) rows.push(...this.#pending.map((pending) => ({ key: pending.id, pending })));
    reconcile(this.#log, rows, (r) => r.key, (row) => {
      const li = h('li');
      this.#fill(li, row);
      return li;
    }, (li, row) => this.#fill(li, row));
  }

  #fill(li, row) {
    const shown = JSON.stringify(row) + document.documentElement.lang;
    if (li.shown === shown) return;
    const focused = li.contains(document.activeElement);
    li.shown = shown;
    li.position = row.m?.position;
    li.message = row.m;
    if (row.day) li.replaceChildren(h('h2', { class: 'day' }, day(row.day)));
    else if (row.m) {
      const drawn = draw(row.m, this.#tools);
      keepMedia(li, drawn);
      li.replaceChildren(drawn);
    }
    else if (row.pending) li.replaceChildren(this.#unsaved(row.pending));
    else {
      li.className = 'unread-line';
      li.replaceChildren(t('chat.unread_line'));
    }
    if (focused) li.querySelector('article')?.focus();
  }

  #unsaved(p) {
    return h('article', { class: 'message own unsaved', tabindex: -1 },
      p.body.files && h('p', { class: 'file' }, t('file.some', { count: p.body.files.length })),
      p.body.text && h('p', { class: 'text', dir: 'auto' }, p.body.text),
      h('footer', null, p.error === null ? h('span', { class: 'state' }, '… ', t('chat.unsaved'))
        : [h('span', { class: 'state failed' }, '⚠ ', t('chat.not_saved'), ' ', p.error),
          h('button', { onclick: () => this.#post(p) }, t('chat.retry')),
          h('button', { onclick: () => { this.#settle(p.id); this.#draw(); this.#composer.put(p.body); } }, t('chat.back_to_composer'))]));
  }

  // key moves among the messages.
  #key(e) {
    if (e.target.closest('audio, video')) return; // they have keys of their own
    const articles = [...this.#log.querySelectorAll('article')];
    const at = articles.indexOf(e.target.closest('article'));
    const to = { ArrowUp: at < 0 ? articles.length - 1 : at - 1, ArrowDown: at + 1, Home: 0, End: articles.length - 1 }[e.key];
    if (e.altKey) return;
    if (to !== undefined && articles[to]) {
      e.preventDefault();
      articles[to].focus();
    } else if (e.key === 'Enter' && at >= 0 && e.target === articles[at]) {
      e.preventDefault(); // or the same key presses what gets the focus
      articles[at].querySelector('.more')?.click();
    }
  }
}

customElements.define('pabal-chat', Chat);
