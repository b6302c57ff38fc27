// What is left to the owner, who shows to sit here once more: what would be obtained from
// whom, an attack on the own profile, and who else may come in.

import { app } from './app.js';
import { Problem } from './api.js';
import { title } from './chats.js';
import { h, name, there, View } from './dom.js';
import { face } from './files.js';
import { field, form, keyfile } from './gate.js';
import { capital, has, moment, reason, span, t, word } from './i18n.js';

const poll = 300; // ms between looks at a job
const verdicts = { warn: '⚠', hit: '✗' };
const presets = ['bot', 'reader', 'notifier', 'metrics', 'frontend'];
const scopes = ['status:read', 'contacts:read', 'contacts:write', 'conversations:read', 'conversations:write', 'messages:read', 'messages:meta', 'messages:send', 'messages:manage',
  'files:read', 'files:write', 'search', 'drafts', 'invites:manage', 'events', 'settings:read', 'settings:write', 'network:read', 'network:manage', 'lock', 'metrics:read'];
const lives = [2592000, 604800, 86400, 0]; // seconds of a token; 0 is without end

/** A screen whose parts are read once the owner has confirmed to sit here. */
class Owned extends View {
  #parts = h('div');

  open() {
    this.replaceChildren(h('h1', { tabindex: -1 }, this.heading()), this.#parts);
    this.load();
  }

  async load() {
    let parts;
    try {
      if (!app.api.confirmed) throw new Problem({ code: 'confirmation_needed' });
      parts = await this.parts();
    } catch (error) {
      if (error.name === 'AbortError') return;
      parts = error.code === 'confirmation_needed' ? this.#confirm() : h('p', { class: 'problem' }, reason(error));
    }
    const focused = this.#parts.contains(document.activeElement);
    this.#parts.replaceChildren(...there([parts]));
    if (focused) this.querySelector('h1').focus();
  }

  #confirm() {
    const digits = keyfile();
    const secret = h('input', digits ? { name: 'secret', required: true, inputmode: 'numeric', pattern: '[0-9]{6}', maxlength: 6, autocomplete: 'off' }
      : { name: 'secret', type: 'password', required: true, autocomplete: 'current-password' });
    return form(async (data) => {
      await app.api.confirm({ [digits ? 'code' : 'passphrase']: data.get('secret') });
      await this.load();
    }, h('p', null, t('owner.hint')), field(t(digits ? 'gate.digits' : 'gate.passphrase'), secret, digits && t('owner.digits')), h('button', { class: 'main' }, t('owner.confirm')));
  }
}

class Warrant extends Owned {
  heading() { return t('nav.warrant'); }

  async parts() {
    const { targets } = await app.api.get('/v1/warrant', { signal: this.gone });
    return [h('p', null, t('warrant.hint')), h('ul', { class: 'cards' }, targets.map((x) => h('li', null,
      h('h2', null, capital(word('target', x.target)), x.name && [' ', name(x.name)]),
      h('p', null, x.obtains.map((code) => word('obtains', code)).join(', ') || t('warrant.nothing')),
      x.messages > 0 && h('p', null, t('warrant.messages', { count: x.messages, at: moment(new Date(x.oldest)) })),
      x.sealed > 0 && h('p', null, t('warrant.sealed', { count: x.sealed })), h('small', null, t('warrant.key'), ' ', word('key', x.key)))))];
  }
}

class Drill extends Owned {
  #step = h('p', { role: 'status' });
  #progress = h('progress', { hidden: true, 'aria-label': t('file.progress') });
  #report = h('div');

  heading() { return t('nav.drill'); }

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
        job = await app.api.get(`/v1/jobs/${job.id}`, { signal: this.gone });
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
  heading() { return t('nav.profile'); }

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

class Tokens extends Owned {
  heading() { return t('nav.tokens'); }

  async parts() {
    const { items } = await app.api.get('/v1/tokens', { signal: this.gone });
    return [h('p', null, t('tokens.hint')), items.length === 0 && h('p', null, t('tokens.none')),
      h('ul', { class: 'cards' }, items.map((token) => h('li', null, h('h2', null, name(token.name)), h('p', null, token.scopes.join(', ')), h('small', null, this.#facts(token)),
        form(async () => {
          await app.api.delete(`/v1/tokens/${token.id}`);
          await this.load();
        }, h('button', { class: 'danger' }, t('tokens.revoke')))))), this.#mint()];
  }

  #facts(token) {
    const { conversations, expires_at: end } = token.constraints;
    return [t('tokens.made', { at: moment(new Date(token.created_at)) }), token.last_used_at && t('tokens.used', { at: moment(new Date(token.last_used_at)) }),
      end && t('add.until', { at: moment(new Date(end)) }), conversations && t('tokens.narrow', { count: conversations.length })].filter(Boolean).join(' · ');
  }

  #mint() {
    const one = h('fieldset', { hidden: true }, h('legend', null, t('tokens.scopes')), scopes.map((s) => h('label', null, h('input', { type: 'checkbox', name: 'scopes', value: s }), s)));
    const preset = h('select', { name: 'preset', onchange: () => { one.hidden = preset.value !== ''; } }, [...presets, ''].map((p) => h('option', { value: p }, p === '' ? t('tokens.choose') : t(`preset.${p}`))));
    const where = h('select', { name: 'where' }, h('option', { value: '' }, t('tokens.everywhere')), [...app.conversations.values()].map((c) => h('option', { value: c.id }, title(c))));
    const life = h('select', { name: 'life' }, lives.map((s) => h('option', { value: s }, s === 0 ? t('settings.never') : span(s))));
    return h('section', null, h('h2', null, t('tokens.new')), form(async (data) => {
      const request = { name: data.get('name').trim(), constraints: {} };
      if (preset.value) request.preset = preset.value;
      else request.scopes = data.getAll('scopes');
      if (where.value) request.constraints.conversations = [where.value];
      if (life.value > 0) request.constraints.expires_at = new Date(Date.now() + life.value * 1000).toISOString();
      const { token } = await app.api.post('/v1/tokens', request);
      await this.load();
      const secret = h('input', { readonly: true, value: token });
      this.querySelector('section').append(h('p', { role: 'status' }, t('tokens.once')), field(t('tokens.secret'), secret),
        h('button', { onclick: (e) => navigator.clipboard.writeText(token).then(() => { e.target.textContent = t('add.copied'); }, () => secret.select()) }, t('add.copy')));
      secret.focus();
    }, field(t('tokens.name'), h('input', { name: 'name', required: true, maxlength: 64, autocomplete: 'off' })), field(t('tokens.may'), preset), one,
    field(t('tokens.where'), where), field(t('tokens.ends'), life), h('button', { class: 'main' }, t('tokens.make'))));
  }
}

customElements.define('pabal-warrant', Warrant);
customElements.define('pabal-drill', Drill);
customElements.define('pabal-tokens', Tokens);
customElements.define('pabal-profile', Profile);
