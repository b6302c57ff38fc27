// The field in which a message is written, with what it answers and how long it stays.

import { app } from './app.js';
import { announce, h, name } from './dom.js';
import { length, Luggage } from './files.js';
import { sameTimer, timers } from './gate.js';
import { reason, t, timer } from './i18n.js';
import { record } from './voice.js';

const draftDelay = 800; // ms behind the last key
const typingEvery = 3000; // ms between the times that it is said that somebody writes

const waiting = new Map(); // by conversation, composers that were left while they held files

/** What is begun is kept by the daemon. send is told of a message as the API takes it. */
export class Composer {
  static {
    app.addEventListener('closed', () => {
      for (const c of waiting.values()) c.#luggage.abandon();
      waiting.clear();
    });
  }

  #id;
  #path;
  #field;
  #button;
  #stays; // how long the next message does
  #bar = h('div', { class: 'answers', hidden: true });
  #answered = null; // the message that is answered
  #edited = null; // {id} of the message that gets another text, and the {draft} put aside for it
  #luggage = new Luggage(() => { if (this.#soon && !this.#luggage.busy) this.#submit(); });
  #soon = false; // what is written goes when its files are whole
  #files;
  #mic;
  #recording = null;
  #said = h('p', { class: 'problem', role: 'alert' });
  #send;
  #timer = 0;
  #typed = 0; // when it was said last that somebody writes; 0: not since the last message
  #kept; // what the daemon has
  #unsent = 0; // messages that are not taken yet: a draft may be all that outlives this page
  #putting = Promise.resolve();

  constructor(conversation, send) {
    this.#id = conversation;
    this.#path = `/v1/conversations/${conversation}/draft`;
    this.#send = send;
    const draft = app.conversations.get(conversation)?.draft;
    this.#kept = this.#state(draft?.text ?? '', draft?.reply_to);
    this.#field = h('textarea', {
      rows: 1, 'aria-label': t('composer.label'), placeholder: t('composer.label'), value: draft?.text ?? '',
      oninput: () => { this.#grow(); this.#keepSoon(); this.#types(); },
    });
    this.#stays = h('select', { class: 'stays', 'aria-label': t('composer.stays'), title: t('composer.stays') },
      h('option', { value: '' }, '◔'), timers.map((x, i) => h('option', { value: i }, timer(x))));
    this.#button = h('button', { class: 'main', onclick: () => { this.#submit(); this.#field.focus(); } }, t('composer.send'));
    const pick = h('input', { type: 'file', multiple: true, hidden: true, onchange: () => { this.attach(pick.files); pick.value = ''; } });
    this.#files = h('button', { 'aria-label': t('composer.attach'), title: t('composer.attach'), onclick: () => pick.click() }, '📎');
    this.#mic = h('button', { 'aria-label': t('voice.record'), title: t('voice.record'), onclick: () => this.#record() }, '🎤');
    this.#field.addEventListener('paste', (e) => {
      if (e.clipboardData.files.length === 0) return;
      e.preventDefault();
      this.attach(e.clipboardData.files);
    });
    this.element = h('div', { class: 'composer' }, this.#bar, this.#luggage.element, this.#said, h('div', { class: 'writing' }, this.#files, pick, this.#mic, this.#stays, this.#field, this.#button));
    sendOnEnter(this.#field, () => this.#submit());
    this.element.addEventListener('keydown', (e) => {
      if (e.key !== 'Escape' || e.isComposing || !this.#edited) return;
      e.preventDefault();
      this.#endEdit();
      this.#field.focus();
    });
    requestAnimationFrame(() => this.#grow());
    if (draft?.reply_to) this.#answerKnown(draft.reply_to);
  }

  /** The composer of a conversation: the one that was left with files, or a new one. */
  static of(conversation, send) {
    const left = waiting.get(conversation);
    waiting.delete(conversation);
    if (!left || left.#luggage.empty && !left.#mic.inert) return new Composer(conversation, send);
    left.#send = send;
    return left;
  }

  /** Has what is begun outlive the view: the text with the daemon, files here. They go on, and go if that was asked. */
  leave() {
    this.keep();
    if (this.#recording) this.#record();
    if ((!this.#luggage.empty || this.#mic.inert) && app.usable) waiting.set(this.#id, this);
    else this.#luggage.abandon();
  }

  /** Whether anything may be written now. */
  get allowed() { return !this.#field.disabled; }

  allow(yes) {
    this.#field.disabled = this.#button.disabled = this.#stays.disabled = this.#files.disabled = this.#mic.disabled = !yes;
    this.#field.placeholder = yes ? t('composer.label') : t('composer.not_now');
  }

  /** Puts a message that was not taken, as the API would have it, before what is written. */
  put({ text, reply_to: answered, disappearing, files }) {
    this.#endEdit();
    if (text) this.#field.value = this.#field.value === '' ? text : `${text}\n${this.#field.value}`;
    if (answered && !this.#answered) this.#answerKnown(answered);
    const stays = timers.findIndex((x) => sameTimer(x, disappearing));
    if (disappearing !== undefined && stays >= 0) this.#stays.value = stays;
    if (files) this.#luggage.put(files);
    this.#grow();
    this.#field.focus();
    this.#keepSoon();
  }

  /** Has what is written answer a message. */
  answer(m) {
    this.#endEdit();
    this.#answers(m);
    this.#field.focus();
    this.#keepSoon();
  }

  /** Has another text take the place of what a message of ours says. What is begun is put aside meanwhile. */
  edit(m) {
    this.#endEdit();
    this.keep();
    this.#soon = false;
    this.#edited = { id: m.id, draft: this.#draft };
    this.#bar.hidden = false;
    this.#bar.replaceChildren(h('span', { class: 'excerpt' }, t('composer.edits')),
      h('button', { 'aria-label': t('composer.no_edit'), onclick: () => { this.#endEdit(); this.#field.focus(); } }, '✕'));
    this.#field.value = m.body.text;
    this.#grow();
    this.#field.focus();
  }

  #endEdit() {
    if (!this.#edited) return;
    const { text, answered } = this.#edited.draft;
    this.#edited = null;
    this.#field.value = text;
    this.#answers(answered);
    this.#grow();
  }

  // draft is what is begun, whether it is in the field or put aside.
  get #draft() { return this.#edited?.draft ?? { text: this.#field.value, answered: this.#answered }; }

  /** Adds files to what is written. */
  attach(files) {
    if (this.#field.disabled) return;
    this.#luggage.add(files);
    this.#field.focus();
  }

  // answerKnown has what is written answer a message of which only the id is known yet.
  #answerKnown(id) {
    const known = { id };
    this.#answered = known;
    const found = (m) => {
      if (this.#answered === known && !this.#edited) this.#answers(m);
      else if (this.#edited?.draft.answered === known) this.#edited.draft.answered = m;
    };
    app.api.get(`/v1/messages/${id}`).then(found, () => found(null));
  }

  #answers(m) {
    this.#answered = m;
    this.#bar.hidden = !m?.direction; // nothing is known of it yet
    if (this.#bar.hidden) return this.#bar.replaceChildren();
    const who = m.direction === 'out' ? t('chat.me') : m.sender.name;
    this.#bar.replaceChildren(h('span', { class: 'excerpt' }, t('composer.answers'), ' ', h('strong', null, name(who)), ' ',
      name((m.body?.text ?? m.attachments?.[0]?.name ?? '').slice(0, 120))),
    h('button', { 'aria-label': t('composer.no_answer'), onclick: () => { this.#answers(null); this.#field.focus(); this.#keepSoon(); } }, '✕'));
  }

  #state(text, reply) { return JSON.stringify([text, text.trim() === '' ? null : reply ?? null]); }

  /** Has the daemon keep what is written now. */
  keep() {
    clearTimeout(this.#timer);
    const { text, answered } = this.#draft;
    const state = this.#state(text, answered?.id);
    if (state === this.#kept || text === '' && this.#unsent > 0) return;
    this.#kept = state;
    const draft = answered ? { text, reply_to: answered.id } : { text };
    const call = text.trim() === '' ? () => app.api.delete(this.#path) : () => app.api.put(this.#path, draft);
    this.#putting = this.#putting.then(call).catch(() => { this.#kept = null; });
  }

  // types says that somebody writes, or has erased it all, to a contact that may know.
  #types() {
    const active = this.#field.value.trim() !== '';
    if (!app.contacts.get(app.conversations.get(this.#id)?.contact_id)?.typing || (active ? Date.now() - this.#typed < typingEvery : !this.#typed)) return;
    this.#typed = active ? Date.now() : 0;
    app.api.post(`/v1/conversations/${this.#id}/typing`, { active }).catch(() => {});
  }

  #keepSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.keep(), draftDelay);
  }

  // submit sends what is written. The daemon erases the draft of it with the commit of the
  // message; one that differs is erased behind it.
  async #submit() {
    const text = this.#field.value.normalize('NFC').trim();
    if (this.#field.disabled) return;
    if (this.#edited) return this.#revise(text);
    this.#soon = this.#luggage.busy;
    if (this.#soon) return announce(t('composer.soon'));
    if (this.#luggage.stuck || text === '' && this.#luggage.empty) return;
    const messages = this.#messages(text);
    this.#field.value = this.#stays.value = '';
    this.#answers(null);
    this.#grow();
    clearTimeout(this.#timer);
    this.#typed = 0;
    this.#unsent++;
    if ((await Promise.all(messages.map((m) => this.#send(m)))).includes(false)) return;
    this.#unsent--;
    this.keep();
  }

  // messages is what is written as messages. An answer takes no files: they follow it.
  #messages(text) {
    const stays = this.#stays.value === '' ? {} : { disappearing: timers[this.#stays.value] };
    const files = this.#luggage.take();
    const words = text === '' ? {} : { text, ...this.#mentions(text) };
    if (!this.#answered || text === '') return [{ ...words, ...files.length > 0 ? { files } : {}, ...stays }];
    const answer = { ...words, reply_to: this.#answered.id, ...stays };
    return files.length > 0 ? [answer, { files, ...stays }] : [answer];
  }

  // mentions are the places where an @ stands before a name of one of the two, if there are any.
  #mentions(text) {
    const contact = app.contacts.get(app.conversations.get(this.#id)?.contact_id);
    const people = [[contact?.alias, contact?.id], [contact?.name, contact?.id], [app.self.display_name, 'self']].filter(([called]) => called).sort(([a], [b]) => b.length - a.length);
    const mentions = [];
    for (let i = text.indexOf('@'); i >= 0; i = text.indexOf('@', i + 1)) {
      const [called, id] = people.find(([x]) => text.startsWith(x, i + 1)) ?? [];
      if (!called) continue;
      mentions.push({ contact_id: id, start: [...text.slice(0, i)].length, length: [...called].length + 1 });
      i += called.length;
    }
    return mentions.length > 0 ? { mentions: mentions.slice(0, 32) } : {};
  }

  async #revise(text) {
    const edited = this.#edited;
    if (text === '' || edited.busy) return;
    edited.busy = true;
    try {
      await app.api.patch(`/v1/messages/${edited.id}`, { text, ...this.#mentions(text) });
      if (this.#edited === edited) this.#endEdit();
    } catch (error) {
      edited.busy = false;
      announce(reason(error));
      if (this.#edited === edited) this.#bar.querySelector('.excerpt').textContent = reason(error);
    }
  }

  // record begins a voice note, or ends it and has it go with the message.
  async #record() {
    this.#mic.inert = true;
    this.#said.textContent = '';
    try {
      const ends = this.#recording;
      this.#recording = ends ? null : await record((ms, enough, gone) => {
        this.#mic.textContent = `■ ${length(ms)}`;
        if (enough) this.#record();
        if (gone) this.#said.textContent = t('voice.gone');
      });
      if (!this.element.isConnected) this.#recording = this.#recording?.stop() && null; // the view was left while the browser asked
      const file = await ends?.stop();
      if (file && app.usable) this.attach([file]);
    } catch {
      this.#said.textContent = t('voice.none');
    }
    this.#mic.inert = false;
    this.#mic.setAttribute('aria-label', t(this.#recording ? 'voice.stop' : 'voice.record'));
    if (!this.#recording) this.#mic.textContent = '🎤';
  }

  #grow() {
    this.#field.style.height = 'auto';
    this.#field.style.height = `${Math.min(this.#field.scrollHeight, innerHeight / 3)}px`;
  }
}

/** A choice of a timer, with the one that is set now. */
export function timerSelect(now, choose) {
  const offered = timers.some((x) => sameTimer(x, now)) ? timers : [...timers, now];
  const select = h('select', { onchange: () => choose(offered[select.value], select) }, offered.map((x, i) => h('option', { value: i, selected: sameTimer(x, now) }, timer(x))));
  return select;
}

// The Enter rule. Korean is composed while it is typed, and its last syllable is
// open until something else is typed: Enter must send it with the rest, once.
// Japanese and Chinese are converted while they are typed, and Enter there picks a
// conversion: it must not send. Safari ends a composition before it tells of the
// key, with key code 229; Chrome and Firefox tell of the key first.

const hangul = /^[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff\s]+$/;

/** Calls send when Enter is meant to send; Shift+Enter and AltGraph stay with the field. */
function sendOnEnter(field, send) {
  let last = '';
  let pending = false;
  field.addEventListener('compositionstart', () => { last = ''; });
  field.addEventListener('compositionupdate', (e) => { if (e.data) last = e.data; });
  field.addEventListener('compositionend', (e) => {
    if (!pending) return;
    pending = false;
    // Other data than was composed: a Hanja was picked instead.
    if (e.data === last && hangul.test(e.data)) queueMicrotask(send);
  });
  field.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter' || e.shiftKey || e.getModifierState('AltGraph')) return;
    if (e.isComposing) {
      if (hangul.test(last)) {
        pending = true;
        e.preventDefault();
      }
      return;
    }
    e.preventDefault();
    if (e.keyCode !== 229 || hangul.test(last)) send();
  });
  field.addEventListener('beforeinput', (e) => {
    if (pending && /^insert(LineBreak|Paragraph)$/.test(e.inputType)) e.preventDefault();
  });
}
