// The page: the gate, or the shell with the list at one side and a view at the other.

import './gate.js';
import './chats.js';
import './chat.js';
import './notify.js';
import { shortcuts } from './screens.js';
import { app } from './app.js';
import { h, hush, View } from './dom.js';
import { t, word } from './i18n.js';

// The views, each of which is an element; home is none.
const views = ['chat', 'about', 'add', 'requests', 'approvals', 'network', 'outbox', 'starred', 'settings', 'warrant', 'drill', 'tokens', 'profile'];

const home = () => h('div', { class: 'empty' }, h('h1', { tabindex: -1 }, 'Pabal'), h('p', null, t('home.hint')));

class Page extends View {
  #drawn = null;
  #shown = null;

  open() {
    this.listen(app, 'change', () => this.#draw());
    this.listen(app, 'closed', () => {
      hush();
      for (const dialog of document.querySelectorAll('dialog')) dialog.remove();
    });
    this.listen(document, 'keydown', (e) => this.#key(e));
    app.start();
  }

  #draw() {
    const inside = app.self !== null && app.usable;
    const what = (inside ? 'shell' : 'gate') + document.documentElement.lang;
    if (this.#drawn !== what) {
      this.#drawn = what;
      this.#shown = null;
      this.replaceChildren(h('p', { class: 'banner', role: 'alert', hidden: true }), ...(inside ? this.#shell() : [document.createElement('pabal-gate')]));
    }
    this.#drawBanner();
    if (inside) this.#drawView();
    const unread = [...app.conversations.values()].reduce((sum, c) => sum + (c.muted_until ? 0 : c.unread.count), 0);
    document.title = unread > 0 ? `(${unread}) Pabal` : 'Pabal';
  }

  #shell() {
    const main = h('main', { id: 'main' });
    return [
      h('a', { class: 'skip', href: '#main', onclick: (e) => { e.preventDefault(); focusFirst(main); } }, t('nav.skip')),
      h('div', { class: 'shell' }, document.createElement('pabal-chats'), main),
    ];
  }

  #drawBanner() {
    const banner = this.querySelector('.banner');
    const warnings = (app.status?.warnings ?? []).filter((w) => w.code === 'storage_full');
    const text = !app.api.reachable ? t('banner.no_daemon') : warnings.length > 0 ? word('warning', 'storage_full') : '';
    banner.hidden = text === '';
    if (banner.textContent !== text) banner.textContent = text;
  }

  #drawView() {
    const shell = this.querySelector('.shell');
    shell.dataset.view = app.view.name;
    const key = JSON.stringify(app.view);
    if (this.#shown === key) return;
    const first = this.#shown === null;
    this.#shown = key;
    const main = this.querySelector('main');
    main.replaceChildren(h('button', { class: 'back', onclick: () => app.go({ name: 'home' }) }, '← ', t('nav.back')), views.includes(app.view.name) ? document.createElement(`pabal-${app.view.name}`) : home());
    if (!first) focusFirst(main);
  }

  #key(e) {
    if (e.isComposing || e.defaultPrevented || document.querySelector('dialog[open]')) return;
    // A key alone is a shortcut on the lists only: elsewhere it may be dictated.
    if (e.key === '/' && (e.ctrlKey || e.metaKey) || e.key === '?' && e.target.matches('.log, .log article, .chats button')) shortcuts();
    if (e.key === 'Escape' && app.view.name !== 'home') app.go({ name: 'home' });
    if (e.altKey && (e.key === 'ArrowUp' || e.key === 'ArrowDown')) {
      e.preventDefault();
      this.querySelector('pabal-chats')?.step(e.key === 'ArrowUp' ? -1 : 1);
    }
  }
}

function focusFirst(main) {
  (main.querySelector('.composer textarea') ?? main.querySelector('h1'))?.focus();
}

customElements.define('pabal-app', Page);
