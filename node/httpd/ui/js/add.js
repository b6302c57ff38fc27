// Adding a contact: a link of ours to give, or a link that was given to us; and who asks to
// become one and waits for an answer.

import { app } from './app.js';
import { h, name, reconcile, there, View } from './dom.js';
import { form, field } from './gate.js';
import { moment, reason, t, word } from './i18n.js';

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
      ...invite.warnings.map((w) => h('div', { class: 'warning' }, h('p', null, '⚠ ', word('warning', w.code)),
        w.params?.ways && h('ul', null, w.params.ways.map((way) => h('li', null, word('way', way))))))];
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

class Requests extends View {
  #list = h('ul', { class: 'cards' });
  #none = h('p', null, t('requests.none'));

  open() {
    this.replaceChildren(h('h1', { tabindex: -1 }, t('nav.requests')), h('p', null, t('requests.hint')), this.#none, this.#list);
    this.listen(app, 'change', () => this.#draw());
    this.#draw();
  }

  #draw() {
    this.#none.hidden = app.requests.size > 0;
    reconcile(this.#list, [...app.requests.values()], (r) => r.id, (r) => h('li', null,
      h('h2', null, name(r.name)), r.greeting && h('p', { dir: 'auto' }, r.greeting), h('small', null, moment(new Date(r.at))),
      form(async (_, verb) => {
        await app.api.post(`/v1/requests/${r.id}/${verb}`);
        app.requests.delete(r.id);
        app.changed();
      }, ...['accept', 'decline', 'block'].map((verb) => h('button', { class: verb === 'accept' ? 'main' : null, value: verb }, t(`requests.${verb}`))))));
  }
}

customElements.define('pabal-requests', Requests);
