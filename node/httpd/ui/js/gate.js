// What stands before the conversations: signing in, making the profile, opening it.

import { app } from './app.js';
import { h, there, View } from './dom.js';
import { capital, t, reason, timer as timeLabel, word } from './i18n.js';

/** The timers that are offered; null is never. The first of them lets one watch a message go. */
export const timers = [null, ...[60, 3600, 86400, 604800].map((seconds) => ({ mode: 'read', seconds }))];

// Those of the setup, as the command line has them.
const first = [timers[4], timers[3], null];

/** Reports whether two timers are the same. */
export const sameTimer = (a, b) => (a?.mode === b?.mode && a?.seconds === b?.seconds);

/** Has what is said be seen: it may be below the edge of a small screen. */
export const reveal = (element) => element.scrollIntoView({ block: 'nearest' });

/**
 * A form that says what went wrong beside its button, and takes no second click
 * meanwhile. submit is told of the fields and of the value of the button. A passphrase takes
 * seconds: the button says so.
 */
export function form(submit, ...children) {
  const alert = h('p', { class: 'problem', role: 'alert' });
  const element = h('form', {
    onsubmit: async (e) => {
      e.preventDefault();
      if (element.inert) return;
      const button = e.submitter ?? element.querySelector('button');
      const label = button?.textContent;
      const slow = element.querySelector('[type=password]') !== null;
      element.inert = true;
      alert.textContent = '';
      if (slow) Object.assign(button, { disabled: true, textContent: t('gate.moment') });
      try {
        await submit(new FormData(element), e.submitter?.value);
      } catch (error) {
        alert.textContent = typeof error === 'string' ? error : reason(error);
        reveal(alert);
      }
      if (slow) Object.assign(button, { disabled: false, textContent: label });
      element.inert = false;
      app.changed();
    },
  }, ...children, alert);
  return element;
}

/** A label with its field. */
export const field = (label, input, hint) => h('label', { class: 'field' }, h('span', null, label), input, hint && h('small', null, hint));

/** A select of values, each in words. */
export function choice(values, now, word, choose) {
  const select = h('select', { onchange: () => choose(values[select.value]) }, values.map((x, i) => h('option', { value: i, selected: x === now }, word(x))));
  return select;
}

/** Whether the profile opens without a passphrase. */
export const keyfile = () => app.status.warnings.some((w) => w.code === 'no_passphrase');

/** The one screen that fits the phase. */
class Gate extends View {
  #shown = '';

  open() {
    this.listen(app, 'change', () => this.#draw());
    this.#draw();
  }

  #draw() {
    if (this.querySelector('form')?.inert) return; // its answer says what comes next
    const shown = [app.phase, app.status?.lock, document.documentElement.lang].join();
    if (this.#shown === shown) return;
    this.#shown = shown;
    const screens = {
      signed_out: () => this.#signIn(), uninitialised: () => this.#setUp(), locked: () => this.#unlock(),
      starting: () => [h('p', null, t('gate.starting'))], stopping: () => [h('p', null, t('gate.stopping'))],
    };
    this.replaceChildren(h('main', { class: 'gate' }, h('h1', null, 'Pabal'), ...there((screens[app.phase] ?? screens.starting)())));
    this.querySelector('input')?.focus();
  }

  #signIn() {
    const code = h('input', { name: 'code', required: true, inputmode: 'numeric', pattern: '[0-9]{6}', maxlength: 6, autocomplete: 'off' });
    return [
      h('p', null, t('gate.sign_in')),
      h('pre', null, h('code', null, 'pabal web')),
      form(async (data) => {
        await app.api.signIn(data.get('code'));
        await app.refresh();
      }, field(t('gate.digits'), code, t('gate.digits_hint')), h('button', { class: 'main' }, t('gate.open'))),
    ];
  }

  #setUp() {
    const timer = (value, i) => h('label', null,
      h('input', { type: 'radio', name: 'timer', required: true, value: String(i) }), h('span', null, timeLabel(value)));
    const passphrase = (name) => h('input', { name, type: 'password', minlength: 8, maxlength: 1024, autocomplete: 'new-password' });
    const none = h('input', { type: 'checkbox', name: 'keyfile' });
    return [
      h('p', null, t('setup.intro')),
      form(async (data) => {
        const keyfile = none.checked;
        if (!keyfile && data.get('passphrase') !== data.get('again')) throw t('setup.differ');
        const request = { display_name: data.get('name').trim(), disappearing: first[Number(data.get('timer'))] };
        if (keyfile) request.keyfile = true;
        else request.passphrase = data.get('passphrase');
        await this.#try('/v1/setup', request);
      },
      field(t('setup.name'), h('input', { name: 'name', required: true, maxlength: 64, autocomplete: 'off' }), t('setup.name_hint')),
      field(t('gate.passphrase'), passphrase('passphrase'), t('setup.passphrase_hint')),
      field(t('setup.again'), passphrase('again')),
      h('label', null, none, h('span', null, t('setup.keyfile'))),
      h('fieldset', null, h('legend', null, t('setup.timer')), first.map(timer)),
      h('button', { class: 'main' }, t('setup.make'))),
    ];
  }

  // try asks for another state, and learns which one it then is.
  async #try(path, body) {
    try {
      await app.api.post(path, body);
    } finally {
      await app.refresh();
    }
  }

  #unlock() {
    const how = app.status?.lock;
    return [how && h('p', null, capital(word('lock', how))), form(async (data) => {
      await this.#try('/v1/unlock', { passphrase: data.get('passphrase') });
    },
    field(t('gate.passphrase'), h('input', { name: 'passphrase', type: 'password', required: true, autocomplete: 'current-password' })),
    h('button', { class: 'main' }, t('gate.unlock')))];
  }
}

customElements.define('pabal-gate', Gate);
