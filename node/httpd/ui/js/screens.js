// The screens beside the conversations: what is set and known of one, who is asked and asks,
// lists of messages, networks and couriers, settings, and what is left to the owner, who shows
// to sit here once more.

import { app } from './app.js';
import { Problem } from './api.js';
import { title } from './chats.js';
import { timerSelect } from './composer.js';
import { announce, h, name, reconcile, there, View } from './dom.js';
import { attachment, face } from './files.js';
import { choice, field, form, keyfile, reveal } from './gate.js';
import { capital, has, languages, moment, parts, reason, size, span, speak, t, timer, word } from './i18n.js';
import { explain, gist, named } from './message.js';
import { allowed } from './notify.js';

const forever = '9999-12-31T23:59:59.999Z';
const mutes = [['1h', 3600], ['8h', 28800], ['1w', 604800]];

/** A screen below its name, with parts that are read anew by load. */
class Screen extends View {
  #parts = h('div');

  open() {
    this.replaceChildren(h('h1', { tabindex: -1 }, t(`nav.${app.view.name}`)), this.#parts);
    this.load();
  }

  async load() {
    let parts;
    try {
      parts = await this.parts();
    } catch (error) {
      if (error.name === 'AbortError') return;
      parts = this.refused(error);
    }
    this.show(parts);
  }

  show(parts) {
    const focused = this.#parts.contains(document.activeElement);
    this.#parts.replaceChildren(...there([parts]));
    if (focused) this.querySelector('h1').focus();
  }

  refused(error) { return h('p', { class: 'problem' }, reason(error)); }

  /** Reads what the API answers for as long as the screen is there. */
  read(path) { return app.api.get(path, { signal: this.gone }); }

  /** A form of one button, behind which all is read anew. */
  does(call, label, kind) {
    return form(async () => {
      await call();
      await this.load();
    }, h('button', { class: kind }, label));
  }
}

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
    const load = () => lines(`/v1/messages?marked=pin&in=${this.#id}&limit=50`, t('about.no_pinned')).then((found) => list.replaceChildren(...[found].flat()), (e) => list.replaceChildren(h('li', { class: 'problem' }, reason(e))));
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

/** The messages that path answers, each of which leads to its place. */
async function lines(path, none) {
  const { items } = await app.api.get(path);
  return items.length > 0 ? items.map(line) : h('li', null, none);
}

function line(m) {
  const c = app.conversations.get(m.conversation_id);
  return h('li', null, h('button', { class: 'hit', onclick: () => app.go({ name: 'chat', id: m.conversation_id, at: m.position }) },
    h('strong', null, m.direction === 'out' ? t('chat.me') : name(m.sender.name)), c && [' · ', title(c)], h('br'),
    name(gist(m)), h('br'), h('small', null, moment(new Date(m.created_at)))));
}

class Starred extends Screen {
  open() {
    this.listen(app, 'message', (e) => { if (remarks(e.detail)) this.load(); });
    super.open();
  }

  async parts() { return [h('p', null, t('starred.hint')), h('ul', { class: 'cards' }, await lines('/v1/messages?marked=star&limit=100', t('starred.none')))]; }
}

customElements.define('pabal-starred', Starred);

// What is on this machine's disk and not on the other's yet, and what it waits for.
class Outbox extends Screen {
  #timer = 0;

  open() {
    this.listen(app, 'message', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.load(), 200);
    });
    super.open();
  }

  close() { clearTimeout(this.#timer); }

  async parts() {
    const { items } = await this.read('/v1/outbox');
    return [h('p', null, t('outbox.hint')), h('ul', { class: 'cards' }, items.length > 0 ? items.map((item) => this.#item(item)) : h('li', null, t('outbox.none')))];
  }

  #item({ message: m, why }) {
    const c = app.conversations.get(m.conversation_id);
    const text = m.status.state === 'carried' ? t('state.carried', { count: m.status.carriers }) : word('state', m.status.state);
    return h('li', null, h('h2', null, c ? title(c) : ''), h('p', { class: 'excerpt' }, name(gist(m))),
      h('p', null, h('strong', null, text), ' · ', moment(new Date(m.created_at))),
      h('details', null, h('summary', null, t('outbox.why'), why.reason ? `: ${word('why', why.reason)}` : ''), explain(why, { headed: true })),
      this.does(() => app.api.delete(`/v1/messages/${m.id}`), t('message.take_back'), 'danger'), m.status.state === 'carried' && h('small', null, t('outbox.perhaps_late')));
  }
}

customElements.define('pabal-outbox', Outbox);

class Add extends View {
  open() {
    const made = h('div', { 'aria-live': 'polite' });
    const ask = h('input', { type: 'checkbox' });
    const link = h('textarea', { name: 'link', required: true, rows: 4, spellcheck: 'false', autocomplete: 'off' });
    const asked = h('div', { 'aria-live': 'polite' });
    this.replaceChildren(h('h1', { tabindex: -1 }, t('nav.add')),
      h('section', null, h('h2', null, t('add.give')), h('p', null, t('add.give_hint')),
        form(async () => made.replaceChildren(...there(await this.#invite(ask.checked))),
          h('label', null, ask, h('span', null, t('add.ask'))), h('button', { class: 'main' }, t('add.make'))), made),
      h('section', null, h('h2', null, t('add.take')), h('p', null, t('add.take_hint')),
        form(async (data) => { link.value = (await app.api.post('/v1/invites/scan', data.get('picture'))).uri; },
          field(t('add.scan'), h('input', { type: 'file', name: 'picture', accept: 'image/*', onchange: (e) => e.target.form.requestSubmit() }))),
        form(async (data) => {
          await this.#accept(data);
          link.value = '';
          asked.replaceChildren(h('p', null, t('add.asked')));
          reveal(asked);
        }, field(t('add.link'), link), field(t('add.alias'), h('input', { name: 'alias', maxlength: 64, autocomplete: 'off' }), t('add.alias_hint')),
        h('button', { class: 'main' }, t('add.follow'))), asked),
      h('section', null, h('h2', null, t('list.self')), h('p', null, t('add.self_hint')),
        form(async () => {
          const c = await app.api.post('/v1/conversations', { kind: 'self' });
          app.conversations.set(c.id, c);
          app.go({ name: 'chat', id: c.id });
        }, h('button', null, t('add.self')))));
  }

  async #invite(ask) {
    const invite = await app.api.post('/v1/invites', ask ? { ask } : {});
    const alone = (await app.api.get('/v1/status')).network.reachability === 'offline';
    const text = h('textarea', { readonly: true, rows: 4, class: 'link', 'aria-label': t('add.your_link'), value: invite.uri });
    const copy = h('button', { type: 'button', onclick: async () => {
      await navigator.clipboard.writeText(invite.uri);
      copy.textContent = t('add.copied');
    } }, t('add.copy'));
    const qr = h('img', { class: 'qr', alt: t('add.qr') });
    const shown = URL.createObjectURL(await app.api.get(`/v1/invites/${invite.id}/qr.svg`));
    qr.addEventListener('load', () => URL.revokeObjectURL(shown));
    qr.src = shown;
    return [text, copy, qr,
      invite.expires_at && h('p', null, t('add.until', { at: moment(new Date(invite.expires_at)) })),
      ...invite.warnings.map((w) => h('div', { class: 'warning' }, h('p', null, '⚠ ', alone && w.code === 'no_public_path' ? capital(t('add.alone')) : word('warning', w.code)),
        w.params?.ways && [h('p', null, t(alone ? 'add.trust' : 'why.ways')), h('ul', null, w.params.ways.filter((way) => way !== 'lan' || !alone).map((way) => h('li', null, word('way', way))))]))];
  }

  async #accept(data) {
    const uri = data.get('link').trim();
    const found = await app.api.post('/v1/invites/inspect', { uri });
    if (found.own) throw reason({ code: 'invite_own' });
    if (found.expired) throw reason({ code: 'invite_expired' });
    if (found.kind === 'home') throw reason({ code: 'invite_is_home' });
    const request = { uri };
    if (data.get('alias').trim()) request.alias = data.get('alias').trim();
    await app.api.post('/v1/invites/accept', request);
  }
}

customElements.define('pabal-add', Add);

/** What waits for a decision, as app has it. */
class Waiting extends View {
  #list = h('ul', { class: 'cards' });
  #none = h('p', null, this.none);

  open() {
    this.replaceChildren(h('h1', { tabindex: -1 }, t(`nav.${app.view.name}`)), h('p', null, this.hint), this.#none, this.#list);
    this.listen(app, 'change', () => this.#draw());
    this.#draw();
  }

  #draw() {
    this.#none.hidden = this.all.size > 0 || this.unsure;
    reconcile(this.#list, [...this.all.values()], (x) => x.id, (x) => h('li', null, this.card(x), form(async (_, verb) => {
      await app.api.post(`/v1/${app.view.name}/${x.id}/${verb}`);
      this.all.delete(x.id);
      app.changed();
      this.querySelector('h1').focus();
    }, this.verbs.map(([verb, label], i) => h('button', { class: i === 0 ? 'main' : null, value: verb }, label)))));
  }
}

class Requests extends Waiting {
  get hint() { return t('requests.hint'); }
  get none() { return t('requests.none'); }
  get all() { return app.requests; }
  get verbs() { return ['accept', 'decline', 'block'].map((verb) => [verb, t(`requests.${verb}`)]); }

  card(r) { return [h('h2', null, name(r.name)), r.greeting && h('p', { dir: 'auto' }, r.greeting), h('small', null, moment(new Date(r.at)))]; }
}

// What programs would send, as it would be sent.
class Approvals extends Waiting {
  get hint() { return t('approvals.hint'); }
  get none() { return t('approvals.none'); }
  get all() { return app.approvals; }
  get unsure() { return app.unsure; }
  get verbs() { return [['approve', t('composer.send')], ['refuse', t('approvals.refuse')]]; }

  card({ token_name: token, contact_id: id, message: m, expires_at: end }) {
    const c = app.conversations.get(m.conversation_id);
    const contact = app.contacts.get(id);
    const quoted = m.reply_to && h('blockquote', { dir: 'auto' }, '…');
    if (quoted) app.api.get(`/v1/messages/${m.reply_to.id}`).then((q) => quoted.replaceChildren(name(gist(q))), (e) => quoted.replaceChildren(reason(e)));
    return [h('h2', null, name(token), ' → ', c ? title(c) : name(contact?.alias ?? contact?.name ?? m.conversation_id)), quoted,
      m.body && h('p', { class: 'text', dir: 'auto' }, named(m.body)), m.attachments.map((f) => attachment(f, m)),
      h('small', null, m.disappearing && ['◔ ', timer(m.disappearing), ' · '], t('approvals.until', { at: moment(new Date(end)) }))];
  }
}

customElements.define('pabal-approvals', Approvals);
customElements.define('pabal-requests', Requests);

class Network extends Screen {
  // Nothing of it is in the event stream but that it may have changed.
  async parts() {
    const [net, { items: couriers }, egress] = await Promise.all(['/v1/network', '/v1/couriers', '/v1/network/egress'].map((path) => this.read(path)));
    return [this.#reach(net), this.#couriers(couriers), this.#egress(egress)];
  }

  #reach(net) {
    const trust = (n) => (n.trusted ? ['DELETE', `/v1/network/trust/${encodeURIComponent(n.id)}`] : ['POST', '/v1/network/trust', { network: n.id }]);
    return [h('section', null, h('p', null, t('settings.network'), ': ', word('reach', net.reachability)),
      h('dl', null, pair(t('net.listen'), net.listen.join(', ')),
        net.observed.length > 0 && pair(t('net.observed'), net.observed.map((o) => o.address).join(', ')),
        net.peers.length > 0 && pair(t('list.live'), names(net.peers)),
        pair(t('net.dht'), word('dht', net.dht.on ? 'on' : 'off')))),
    h('section', null, h('h2', null, t('net.local')), h('p', null, t('net.local_hint')),
      h('ul', { class: 'cards' }, net.networks.map((n) => h('li', null, h('h3', null, n.interface, ' ', n.addresses.join(', ')),
        h('p', null, word('network', !n.trusted ? 'untrusted' : !n.here ? 'elsewhere' : n.lasting ? 'trusted' : 'stay')),
        this.does(() => app.api.call(...trust(n)), t(n.trusted ? 'net.distrust' : 'net.trust'))))))];
  }

  #couriers(couriers) {
    const taken = new Set(couriers.map((c) => c.contact_id));
    const others = [...app.contacts.values()].filter((c) => c.state === 'established' && !taken.has(c.id));
    const who = h('select', { name: 'who', required: true }, h('option', { value: '' }), others.map((c) => h('option', { value: c.id }, c.alias ?? c.name)));
    return h('section', null, h('h2', null, t('net.couriers')), h('p', null, t('net.couriers_hint')),
      h('ul', { class: 'cards' }, couriers.map((c) => h('li', null,
        h('h3', null, name(c.name), ' · ', word('courier', c.kind), ' · ', word('courier', c.state), c.trouble && ` · ${word('trouble', c.trouble)}`),
        c.gives && h('p', null, t('net.gives', { used: size(c.gives.used_bytes), quota: size(c.gives.quota_bytes), items: c.gives.items, days: c.gives.lifetime_days })),
        c.takes && h('p', null, t('net.takes', { quota: size(c.takes.quota_bytes), days: c.takes.lifetime_days })),
        c.takes?.declined && this.does(() => app.api.post(`/v1/couriers/${c.contact_id}/accept`), t('net.accept')),
        this.does(() => app.api.delete(`/v1/couriers/${c.contact_id}`), t('net.end'), 'danger')))),
      others.length > 0 && form(async (data) => {
        await app.api.post('/v1/couriers', { contact_id: data.get('who') });
        await this.load();
      }, field(t('net.offer'), who, t('net.offer_hint')), h('button', null, t('net.offer_do'))),
      form(async (data) => {
        await app.api.post('/v1/couriers/home', { uri: data.get('uri').trim() });
        await this.load();
      }, field(t('net.home'), h('input', { name: 'uri', required: true, autocomplete: 'off', spellcheck: 'false' }), t('net.home_hint')), h('button', null, t('net.home_do'))));
  }

  #egress(e) {
    const whom = (id) => id && app.contacts.get(id)?.name;
    return h('section', null, h('h2', null, t('net.egress')), h('p', null, t('net.egress_hint', { at: moment(new Date(e.since)) })),
      e.items.length === 0 ? h('p', null, t('net.nobody')) : h('ul', { class: 'cards' }, e.items.map((x) => h('li', null, h('strong', null, x.address), ' ', word('rung', x.reason), whom(x.contact_id) && [' · ', name(whom(x.contact_id))],
        h('br'), h('small', null, `${x.times} × · ${moment(new Date(x.last_at))} · `, x.learns.map((code) => word('learns', code)).join(', '))))));
  }
}

const pair = (term, value) => h('div', null, h('dt', null, term), h('dd', null, value));
const names = (peers) => peers.map((p, i) => [i > 0 && ', ', name(app.contacts.get(p.contact_id)?.name ?? p.contact_id)]);

customElements.define('pabal-network', Network);

class Settings extends View {
  open() {
    const now = app.settings.disappearing;
    const wish = h('select', { onchange: () => this.#save({ language: wish.value }) },
      ['', ...languages].map((l) => h('option', { value: l, selected: l === app.settings.language }, t(l === '' ? 'settings.browser' : `language.${l}`))));
    const length = timerSelect(now, (disappearing) => this.#save({ disappearing }));
    this.replaceChildren(h('h1', { tabindex: -1 }, t('nav.settings')),
      h('section', null, field(t('settings.language'), wish), field(t('settings.timer'), length, t('settings.timer_hint')), 
        field(t('settings.deletions'), choice(['confirm', 'refuse'], app.settings.deletions, (x) => t(`deletions.${x}`), (x) => this.#save({ deletions: x })), t('settings.deletions_hint')),
        keyfile() ? null : field(t('settings.idle'), choice(idles(), app.settings.lock_idle_seconds, idle, (x) => this.#save({ lock_idle_seconds: x })), t('settings.idle_hint')),
        field(t('notify.title'), choice(['none', 'some', 'full'], app.settings.notifications, (x) => t(`notify.${x}`), async (x) => {
          const may = await allowed(x);
          await this.#save({ notifications: x });
          if (!may) this.querySelector('.saved').textContent = t('notify.refused');
        }), t('notify.hint')),
        h('p', { class: 'saved', role: 'status' })),
      h('section', null, h('h2', null, t('settings.profile')),
        h('dl', null, [[t('settings.name'), name(app.self.display_name)], [t('settings.account'), app.self.account_id], [t('settings.version'), app.status.version],
          [t('settings.network'), word('reach', app.status.network.reachability)]].map(([term, value]) => h('div', null, h('dt', null, term), h('dd', null, value)))),
        app.status.warnings.map((w) => h('p', { class: 'warning' }, '⚠ ', word('warning', w.code)))),
      h('section', null, h('h2', null, t('settings.leave')),
        keyfile() ? null : [lock({ screen: true }, t('settings.lock_screen_hint'), t('settings.lock_screen')), lock({}, t('settings.lock_keys_hint'), t('settings.lock_keys'))],
        form(async () => {
          await app.api.delete('/v1/auth/me');
          app.signedOut();
        }, h('p', null, t('settings.sign_out_hint')), h('button', null, t('settings.sign_out')))),
      h('section', null, h('h2', null, t('settings.owner')), h('menu', null,
        [['warrant', t('nav.warrant')], ['drill', t('nav.drill')], ['tokens', t('nav.tokens')], ['profile', t('nav.profile')]].map(([view, label]) => h('button', { onclick: () => app.go({ name: view }) }, label)))),
      h('section', null, h('menu', null, h('button', { onclick: shortcuts }, t('keys.title')))));
  }

  async #save(patch) {
    app.settings = await app.api.patch('/v1/settings', patch);
    await speak(app.settings.language);
    const saved = this.querySelector('.saved');
    if (saved) saved.textContent = t('settings.saved');
  }
}

// idles are the seconds behind which the screen may lock itself: some, and what is set.
const idles = () => [...new Set([0, 60, 300, 900, 3600, app.settings.lock_idle_seconds])].sort((a, b) => a - b);

const idle = (seconds) => (seconds === 0 ? t('settings.never') : span(seconds));

// lock is a form that locks what the request says.
const lock = (request, hint, label) => form(async () => {
  await app.api.post('/v1/lock', request);
  await app.refresh();
}, h('p', null, hint), h('button', null, label));

/** Shows the keys in a dialog. */
export function shortcuts() {
  const dialog = h('dialog', { 'aria-label': t('keys.title'), onclose: () => dialog.remove() }, h('h2', null, t('keys.title')),
    h('ul', null, ['enter', 'newline', 'step', 'arrows', 'escape', 'help'].map((k) => h('li', null, t(`keys.${k}`)))),
    h('button', { autofocus: true, onclick: () => dialog.close() }, t('dialog.close')));
  document.body.append(dialog);
  dialog.showModal();
}

customElements.define('pabal-settings', Settings);

const poll = 300; // ms between looks at a job
const verdicts = { warn: '⚠', hit: '✗' };
const presets = ['bot', 'reader', 'notifier', 'metrics', 'frontend'];
const scopes = ['status:read', 'contacts:read', 'contacts:write', 'conversations:read', 'conversations:write', 'messages:read', 'messages:meta', 'messages:send', 'messages:manage',
  'files:read', 'files:write', 'search', 'drafts', 'invites:manage', 'events', 'settings:read', 'settings:write', 'network:read', 'network:manage', 'lock', 'metrics:read'];
const lives = [2592000, 604800, 86400, 0]; // seconds of a token; 0 is without end

/** A screen whose parts are read once the owner has confirmed to sit here. */
class Owned extends Screen {
  async load() {
    if (app.api.confirmed) return super.load();
    this.show(this.#confirm());
  }

  refused(error) { return error.code === 'confirmation_needed' ? this.#confirm() : super.refused(error); }

  #confirm() {
    const digits = keyfile();
    const secret = h('input', digits ? { name: 'secret', required: true, inputmode: 'numeric', pattern: '[0-9]{6}', maxlength: 6, autocomplete: 'off' }
      : { name: 'secret', type: 'password', required: true, autocomplete: 'current-password' });
    return form(async (data) => {
      await app.api.confirm({ [digits ? 'code' : 'passphrase']: data.get('secret') }).catch((error) => {
        throw digits && error.code === 'bad_passphrase' ? reason({ code: 'digits_wrong' }) : error;
      });
      await this.load();
    }, h('p', null, t('owner.hint')), field(t(digits ? 'gate.digits' : 'gate.passphrase'), secret, digits && t('owner.digits')), h('button', { class: 'main' }, t('owner.confirm')));
  }
}

class Warrant extends Owned {
  async parts() {
    const { targets } = await this.read('/v1/warrant');
    return [h('p', null, t('warrant.hint')), h('ul', { class: 'cards' }, targets.map((x) => h('li', null,
      h('h2', null, x.target === 'contact' && x.name ? parts('warrant.device', { name: name(x.name) }) : [capital(word('target', x.target)), x.name && [' ', name(x.name)]]),
      h('p', null, t('warrant.obtained'), ' ', x.obtains.map((code) => word('obtains', code)).join(', ') || t('warrant.nothing')),
      x.messages > 0 && h('p', null, t('warrant.messages', { count: x.messages, at: moment(new Date(x.oldest)) })),
      x.sealed > 0 ? h('p', null, t('warrant.sealed', { count: x.sealed })) : x.target === 'contact_couriers' && h('p', null, t('warrant.none_sealed')),
      protection(x.key))))];
  }
}

// protection is what keeps the rest, if anything does.
const protection = (key) => key !== 'none' && h('small', null, key === 'keyfile' ? capital(word('key', key)) : [t('warrant.key'), ' ', word('key', key)]);

class Drill extends Owned {
  #step = h('p', { role: 'status' });
  #progress = h('progress', { hidden: true, 'aria-label': t('file.progress') });
  #report = h('div');

  async parts() {
    return [h('p', null, t('drill.hint')), form(() => this.#run(), h('button', { class: 'main' }, t('drill.start'))), this.#progress, this.#step, this.#report];
  }

  // run begins a drill, or goes on with one that is under way.
  async #run() {
    this.#report.replaceChildren();
    this.#progress.hidden = false;
    try {
      let job = await app.api.post('/v1/drill');
      while (job.state === 'running') {
        Object.assign(this.#progress, { max: job.total, value: job.progress });
        const step = word('drill', `step_${job.step}`);
        if (this.#step.textContent !== step) this.#step.textContent = step;
        await new Promise((done) => { setTimeout(done, poll); });
        if (!this.isConnected) return;
        job = await this.read(`/v1/jobs/${job.id}`);
      }
      if (job.error) throw new Problem(job.error);
      const { hits, rows } = job.drill;
      this.#step.textContent = hits > 0 ? t('drill.hits', { count: hits }) : t('drill.clean');
      const bad = rows.filter((r) => r.verdict !== 'ok');
      this.#report.replaceChildren(h('p', null, '✓ ', t('drill.fine', { count: rows.length - bad.length })), h('ul', { class: 'rungs' }, bad.map((r) => h('li', { class: r.verdict === 'hit' && 'problem' },
        h('span', { 'aria-hidden': true }, verdicts[r.verdict]), ' ', h('span', { class: 'unseen' }, `${word('verdict', r.verdict)}: `),
        capital(has(`drill.${r.code}`) ? word('drill', r.code, [r.count, r.detail]) : word('doctor', r.code, [r.detail]))))));
    } catch (error) {
      this.#step.textContent = '';
      throw error;
    } finally {
      this.#progress.hidden = true;
    }
  }
}

class Profile extends Owned {
  parts() {
    const change = async (call) => {
      await call;
      app.self = await app.api.get('/v1/self');
      app.changed();
      await this.load();
    };
    return [form((data) => change(app.api.patch('/v1/self', { display_name: data.get('name').trim() })),
      field(t('settings.name'), h('input', { name: 'name', required: true, maxlength: 64, autocomplete: 'off', value: app.self.display_name })), h('button', null, t('about.save'))),
    face(app.self, '/v1/self/picture'),
    form((data) => change(app.api.put('/v1/self/picture', data.get('picture'))),
      field(t('profile.picture'), h('input', { name: 'picture', type: 'file', required: true, accept: 'image/jpeg,image/png,image/gif' }), t('profile.hint')), h('button', null, t('profile.set'))),
    app.self.picture && form(() => change(app.api.delete('/v1/self/picture')), h('button', { class: 'danger' }, t('profile.none')))];
  }
}

// Who has a token, and who asks for one.
class Tokens extends Owned {
  #tokens = h('ul', { class: 'cards' });
  #none = h('p', null, t('tokens.none'));
  #asks = h('ul', { class: 'cards' });
  #asking = h('section', null, h('h2', null, t('tokens.asks')), h('p', null, t('tokens.asks_hint')), this.#asks);

  open() {
    this.listen(app, 'access', () => { if (app.api.confirmed) this.#look().catch(() => {}); });
    super.open();
  }

  async parts() {
    await this.#look();
    return [h('p', null, t('tokens.hint')), this.#asking, this.#none, this.#tokens, this.#mint()];
  }

  // look shows what there is now, and leaves what is being typed.
  async #look() {
    const [{ items: tokens }, { items: asks }] = await Promise.all(['/v1/tokens', '/v1/pairings'].map((path) => this.read(path)));
    reconcile(this.#tokens, tokens, (x) => x.id + x.last_used_at, (x) => h('li', null, h('h2', null, name(x.name)), h('p', null, x.scopes.join(', ')), h('small', null, this.#facts(x)),
      this.does(() => app.api.delete(`/v1/tokens/${x.id}`), t('tokens.revoke'), 'danger')));
    const used = [...this.#asks.children].find((li) => li.contains(document.activeElement) || li.querySelector('form').inert);
    reconcile(this.#asks, asks, (x) => x.id, (x) => this.#ask(x));
    if (used?.isConnected === false) this.querySelector('h1').focus();
    this.#none.hidden = tokens.length > 0;
    this.#asking.hidden = asks.length === 0;
  }

  #ask(x) {
    const life = lifetime();
    return h('li', null, h('h3', null, name(x.client_name), x.origin && [' · ', name(x.origin)]), form(async (data, verb) => {
      const request = verb === 'approve' ? { user_code: data.get('code'), scopes: data.getAll('scopes'), constraints: ending(life) } : undefined;
      await app.api.post(`/v1/pairings/${x.id}/${verb}`, request).catch((error) => {
        throw error.errors?.[0]?.pointer === '/user_code' ? reason({ code: 'code_wrong' }) : error;
      });
      if (request) announce(t('tokens.approved'));
      await this.#look();
    }, rights(x.scopes, true), field(t('tokens.ends'), life),
    field(t('tokens.code'), h('input', { name: 'code', required: true, inputmode: 'numeric', minlength: 6, maxlength: 16, autocomplete: 'off' })),
    h('menu', null, h('button', { class: 'main', value: 'approve' }, t('tokens.approve')), h('button', { value: 'deny', formnovalidate: true }, t('tokens.deny')))),
    h('small', null, t('approvals.until', { at: moment(new Date(x.expires_at)) })));
  }

  #facts(token) {
    const { conversations, expires_at: end } = token.constraints;
    return [t('tokens.made', { at: moment(new Date(token.created_at)) }), token.last_used_at && t('tokens.used', { at: moment(new Date(token.last_used_at)) }),
      end && t('add.until', { at: moment(new Date(end)) }), conversations && t('tokens.narrow', { count: conversations.length })].filter(Boolean).join(' · ');
  }

  #mint() {
    const one = rights(scopes, false);
    one.hidden = true;
    const preset = h('select', { name: 'preset', onchange: () => { one.hidden = preset.value !== ''; } }, [...presets, ''].map((p) => h('option', { value: p }, p === '' ? t('tokens.choose') : t(`preset.${p}`))));
    const where = h('select', { name: 'where' }, h('option', { value: '' }, t('tokens.everywhere')), [...app.conversations.values()].map((c) => h('option', { value: c.id }, title(c))));
    const life = lifetime();
    return h('section', null, h('h2', null, t('tokens.new')), form(async (data) => {
      const request = { name: data.get('name').trim(), constraints: ending(life) };
      if (preset.value) request.preset = preset.value;
      else request.scopes = data.getAll('scopes');
      if (where.value) request.constraints.conversations = [where.value];
      const { token } = await app.api.post('/v1/tokens', request);
      await this.load();
      const secret = h('input', { readonly: true, value: token });
      this.lastElementChild.lastElementChild.append(h('p', { role: 'status' }, t('tokens.once')), field(t('tokens.secret'), secret),
        h('button', { onclick: (e) => navigator.clipboard.writeText(token).then(() => { e.target.textContent = t('add.copied'); }, () => secret.select()) }, t('add.copy')));
      secret.focus();
    }, field(t('tokens.name'), h('input', { name: 'name', required: true, maxlength: 64, autocomplete: 'off' })), field(t('tokens.may'), preset), one,
    field(t('tokens.where'), where), field(t('tokens.ends'), life), h('button', { class: 'main' }, t('tokens.make'))));
  }
}

// lifetime offers how long a token lives, and ending is that as the API takes it.
const lifetime = () => h('select', { name: 'life' }, lives.map((s) => h('option', { value: s }, s === 0 ? t('settings.never') : span(s))));
const ending = ({ value }) => (value > 0 ? { expires_at: new Date(Date.now() + value * 1000).toISOString() } : {});
const rights = (all, checked) => h('fieldset', null, h('legend', null, t('tokens.scopes')), all.map((s) => h('label', null, h('input', { type: 'checkbox', name: 'scopes', value: s, checked }), s)));

customElements.define('pabal-warrant', Warrant);
customElements.define('pabal-drill', Drill);
customElements.define('pabal-tokens', Tokens);
customElements.define('pabal-profile', Profile);
