// What is set and known of one conversation, and of whom it is with; and lists of messages:
// those that wait, and those that the user has marked.

import { app } from './app.js';
import { title } from './chats.js';
import { announce, h, name, there, View } from './dom.js';
import { face } from './files.js';
import { field, form } from './gate.js';
import { capital, moment, reason, t, word } from './i18n.js';
import { explain } from './message.js';

const forever = '9999-12-31T23:59:59.999Z';
const mutes = [['1h', 3600], ['8h', 28800], ['1w', 604800]];

class About extends View {
  #id = app.view.id;
  #switches = h('section');
  #shown = '';

  open() {
    const c = this.#conversation;
    if (!c) return app.goneHome();
    this.replaceChildren(...there([h('h1', { tabindex: -1 }, title(c)),
      h('button', { onclick: () => app.go({ name: 'chat', id: c.id }) }, t('about.back')),
      this.#contact && this.#safety(), this.#switches, this.#pinned(), this.#contact && [this.#told(), this.#alias(), this.#end()]]));
    this.listen(app, 'change', () => this.#draw());
    this.#draw();
  }

  get #conversation() { return app.conversations.get(this.#id); }
  get #contact() { return app.contacts.get(this.#conversation?.contact_id); }

  #patch(patch) { return app.api.patch(`/v1/conversations/${this.#id}`, patch).then((c) => app.conversations.set(c.id, c)); }

  // draw draws what can be set, as it is now.
  #draw() {
    const c = this.#conversation;
    if (!c) return app.goneHome();
    const shown = JSON.stringify([c.pinned, c.archived, c.muted_until, c.unread.marked]);
    if (this.#shown === shown) return;
    const again = this.#switches.contains(document.activeElement) && [...this.#switches.querySelectorAll('button')].indexOf(document.activeElement);
    this.#shown = shown;
    const muted = c.muted_until && (c.muted_until === forever ? t('about.muted') : t('about.muted_until', { at: moment(new Date(c.muted_until)) }));
    const mute = (seconds) => ({ muted_until: seconds === null ? forever : new Date(Date.now() + seconds * 1000).toISOString() });
    const acts = [
      [t(c.pinned ? 'about.unpin' : 'about.pin'), () => this.#patch({ pinned: !c.pinned })],
      [t(c.archived ? 'about.unarchive' : 'about.archive'), () => this.#patch({ archived: !c.archived })],
      !c.unread.marked && [t('about.unread'), () => app.api.post(`/v1/conversations/${this.#id}/unread`)],
      ...muted ? [[t('about.unmute'), () => this.#patch({ muted_until: null })]]
        : [...mutes.map(([key, seconds]) => [t(`mute.${key}`), () => this.#patch(mute(seconds))]), [t('about.mute'), () => this.#patch(mute(null))]],
    ].filter(Boolean);
    this.#switches.replaceChildren(h('h2', null, t('about.list')), muted ? h('p', null, muted) : '',
      form((_, label) => acts.find(([l]) => l === label)[1](), h('menu', null, acts.map(([label]) => h('button', { value: label }, label)))), h('small', null, t('about.own_hint')));
    if (again !== false) (this.#switches.querySelectorAll('button')[again] ?? this.#switches.querySelector('button')).focus();
  }

  // safety is whether the other side is who they were, and how to make sure of it.
  #safety() {
    const { id } = this.#contact;
    const section = h('section');
    let known = this.#contact.verification;
    const show = async () => {
      const v = await app.api.get(`/v1/contacts/${id}/verification`);
      const mine = h('img', { class: 'qr', alt: t('verify.qr') });
      app.api.get(`/v1/contacts/${id}/verification/qr.svg`).then((picture) => {
        const url = URL.createObjectURL(picture);
        mine.addEventListener('load', () => URL.revokeObjectURL(url));
        mine.src = url;
      }, () => mine.remove());
      const compared = h('input', { name: 'theirs', autocomplete: 'off', spellcheck: 'false' });
      section.replaceChildren(...there([h('h2', null, t('verify.title')),
        h('p', { class: `safety ${v.state === 'changed' ? 'key_changed' : v.state}` }, capital(word('verification', v.state))),
        v.state === 'changed' && form(async () => {
          await app.api.post(`/v1/contacts/${id}/key-change/acknowledge`);
          await show();
        }, h('div', { class: 'warning' }, h('p', null, t('verify.changed'))), h('button', null, t('verify.write_on'))),
        h('p', null, t('verify.how')), h('ol', { class: 'digits', 'aria-label': t('verify.title') }, v.safety_number.map((group) => h('li', null, group))), mine,
        v.state === 'verified'
          ? form(async () => { await app.api.delete(`/v1/contacts/${id}/verification`); await show(); }, h('button', null, t('verify.take_back')))
          : form(async (data) => {
            const payload = data.get('theirs').trim();
            await app.api.post(`/v1/contacts/${id}/verify`, payload ? { method: 'number', payload } : { method: 'number' });
            await show();
          }, field(t('verify.theirs'), compared, t('verify.theirs_hint')), h('button', { class: 'main' }, t('verify.same')))]));
    };
    show().catch(() => section.remove());
    this.listen(app, 'change', () => {
      const now = this.#contact?.verification;
      if (!now || now === known) return;
      known = now;
      show().catch(() => section.remove());
    });
    return section;
  }

  #pinned() {
    const list = h('ul', { class: 'cards' });
    const load = () => lines(`/v1/messages?marked=pin&in=${this.#id}&limit=50`, list, t('about.no_pinned'));
    this.listen(app, 'message', (e) => { if (remarks(e.detail)) load(); });
    load();
    return h('section', null, h('h2', null, t('about.pinned')), list);
  }

  // told is what the other side hears of what is done here.
  #told() {
    const { id } = this.#contact;
    return h('section', null, h('h2', null, t('about.told')), ['read_receipts', 'typing', 'presence'].map((key) => {
      const box = h('input', { type: 'checkbox', checked: this.#contact[key], onchange: async () => {
        try {
          app.contacts.set(id, await app.api.patch(`/v1/contacts/${id}`, { [key]: box.checked }));
          app.present();
        } catch (error) {
          box.checked = !box.checked;
          announce(reason(error));
        }
      } });
      return h('p', null, h('label', null, box, t(`told.${key}`)));
    }), h('small', null, t('about.told_hint')));
  }

  #alias() {
    const contact = this.#contact;
    return h('section', null, h('h2', null, t('settings.name')), h('p', null, face(contact), t('about.own_name'), ' ', name(contact.name)),
      form(async (data) => {
        const alias = data.get('alias').trim();
        app.contacts.set(contact.id, await app.api.patch(`/v1/contacts/${contact.id}`, { alias: alias === '' ? null : alias }));
      }, field(t('add.alias'), h('input', { name: 'alias', maxlength: 64, autocomplete: 'off', value: contact.alias ?? '' }), t('add.alias_hint')), h('button', null, t('about.save'))));
  }

  // end is how not to hear of somebody any more.
  #end() {
    const { id } = this.#contact;
    const sure = h('input', { type: 'checkbox', required: true });
    const block = form(async () => {
      await app.api.call(this.#contact.blocked ? 'DELETE' : 'PUT', `/v1/blocks/${id}`);
      const contact = await app.api.get(`/v1/contacts/${id}`);
      app.contacts.set(id, contact);
      block.querySelector('button').textContent = t(contact.blocked ? 'about.unblock' : 'about.block');
    }, h('p', null, t('about.block_hint')), h('button', { class: 'danger' }, t(this.#contact.blocked ? 'about.unblock' : 'about.block')));
    return h('section', null, h('h2', null, t('about.end')), block, form(async () => {
      await app.api.delete(`/v1/contacts/${id}`);
      app.go({ name: 'home' });
    }, h('p', null, t('about.remove_hint')), h('label', null, sure, h('span', null, t('about.remove_sure'))), h('button', { class: 'danger' }, t('about.remove'))));
  }
}

customElements.define('pabal-about', About);

/** Reports whether an event changes what a list of marked messages shows. */
const remarks = ({ type }) => /\.(starred|pinned|edited|deleted|expired)$/.test(type);

/** Fills a list with the messages that path answers, each of which leads to its place. */
async function lines(path, list, none) {
  try {
    const { items } = await app.api.get(path);
    list.replaceChildren(...items.length > 0 ? items.map(line) : [h('li', null, none)]);
  } catch (error) {
    list.replaceChildren(h('li', { class: 'problem' }, reason(error)));
  }
}

function line(m) {
  const c = app.conversations.get(m.conversation_id);
  return h('li', null, h('button', { class: 'hit', onclick: () => app.go({ name: 'chat', id: m.conversation_id, at: m.position }) },
    h('strong', null, m.direction === 'out' ? t('chat.me') : name(m.sender.name)), c && [' · ', title(c)], h('br'),
    name((m.body?.text ?? m.attachments?.[0]?.name ?? '').slice(0, 160)), h('br'), h('small', null, moment(new Date(m.created_at)))));
}

class Starred extends View {
  open() {
    const list = h('ul', { class: 'cards' });
    const load = () => lines('/v1/messages?marked=star&limit=100', list, t('starred.none'));
    this.replaceChildren(h('h1', { tabindex: -1 }, t('nav.starred')), h('p', null, t('starred.hint')), list);
    this.listen(app, 'message', (e) => { if (remarks(e.detail)) load(); });
    load();
  }
}

customElements.define('pabal-starred', Starred);

// What is on this machine's disk and not on the other's yet, and what it waits for.
class Outbox extends View {
  #list = h('ul', { class: 'cards' });
  #timer = 0;

  open() {
    this.replaceChildren(h('h1', { tabindex: -1 }, t('nav.outbox')), h('p', null, t('outbox.hint')), this.#list);
    this.listen(app, 'message', () => this.#soon());
    this.#load();
  }

  close() { clearTimeout(this.#timer); }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), 200);
  }

  async #load() {
    try {
      const { items } = await app.api.get('/v1/outbox', { signal: this.gone });
      this.#list.replaceChildren(...items.length > 0 ? items.map((item) => this.#item(item)) : [h('li', null, t('outbox.none'))]);
    } catch (error) {
      if (error.name !== 'AbortError') this.#list.replaceChildren(h('li', { class: 'problem' }, reason(error)));
    }
  }

  #item({ message: m, why }) {
    const c = app.conversations.get(m.conversation_id);
    const text = m.status.state === 'carried' ? t('state.carried', { count: m.status.carriers }) : word('state', m.status.state);
    return h('li', null, h('h2', null, c ? title(c) : ''), h('p', { class: 'excerpt' }, name(m.body?.text.slice(0, 160) ?? '')),
      h('p', null, h('strong', null, text), ' · ', moment(new Date(m.created_at))),
      h('details', null, h('summary', null, t('outbox.why'), why.reason ? `: ${word('why', why.reason)}` : ''), explain(why, { headed: true })),
      form(async () => {
        await app.api.delete(`/v1/messages/${m.id}`);
        await this.#load();
      }, h('button', { class: 'danger' }, t('outbox.take_back')), m.status.state === 'carried' && h('small', null, t('outbox.perhaps_late'))));
  }
}

customElements.define('pabal-outbox', Outbox);
