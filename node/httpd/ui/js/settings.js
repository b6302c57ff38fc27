// Settings, what the daemon says of itself, and the keys that do something.

import { app } from './app.js';
import { h, name, View } from './dom.js';
import { timerSelect } from './composer.js';
import { choice, form, field, keyfile } from './gate.js';
import { languages, span, speak, t, word } from './i18n.js';

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
        [['warrant', t('nav.warrant')], ['drill', t('nav.drill')], ['tokens', t('nav.tokens')], ['profile', t('nav.profile')]].map(([view, label]) => h('button', { onclick: () => app.go({ name: view }) }, label)),
        h('button', { onclick: shortcuts }, t('keys.title')))));
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
