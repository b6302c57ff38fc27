// The list of conversations, with the search above it.

import { app } from './app.js';
import { announce, h, hush, name, reconcile, View } from './dom.js';
import { face } from './files.js';
import { date, reason, short, t, word } from './i18n.js';
import { gist } from './message.js';

const searchDelay = 200; // ms behind the last key

class Chats extends View {
  #items = h('ul', { class: 'chats' });
  #found = h('div', { class: 'found', hidden: true });
  #links = h('nav', { class: 'links', 'aria-label': t('nav.views') });
  #me = h('p', { class: 'me' });
  #timer = 0;

  open() {
    const search = h('input', { type: 'search', 'aria-label': t('search.label'), placeholder: t('search.label'), autocomplete: 'off', oninput: () => this.#searchSoon(search.value) });
    search.addEventListener('keydown', (e) => {
      if (e.key !== 'Escape' || search.value === '') return;
      e.preventDefault();
      search.value = '';
      this.#searchSoon('');
    });
    this.replaceChildren(h('header', null, this.#me, search), this.#found,
      h('nav', { 'aria-label': t('nav.back') }, this.#items), this.#links);
    this.listen(app, 'change', () => this.#draw());
    this.listen(app, 'message', (e) => this.#announce(e.detail));
    this.#draw();
  }

  close() { clearTimeout(this.#timer); }

  /** Opens the conversation before or after the one that is shown. */
  step(by) {
    const all = this.#order().filter((x) => x.kind);
    const at = all.findIndex((c) => c.id === app.view.id);
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    if (next) app.go({ name: 'chat', id: next.id });
  }

  // order is the pinned conversations, the others, who has not answered yet, the archived.
  #order() {
    const rank = (c) => (c.archived ? 3 : c.pinned ? 0 : 1);
    const at = (c) => c.last?.at ?? c.created_at;
    const conversations = [...app.conversations.values()].sort((a, b) => rank(a) - rank(b) || (at(a) < at(b) ? 1 : -1));
    const waiting = [...app.contacts.values()].filter((c) => c.state !== 'established');
    const archived = conversations.findIndex((c) => c.archived);
    conversations.splice(archived < 0 ? conversations.length : archived, 0, ...waiting);
    return conversations;
  }

  #draw() {
    if (!app.self) return;
    this.#me.replaceChildren(name(app.self.display_name), ' · ', word('reach', app.status.network.reachability));
    reconcile(this.#items, this.#order(), (x) => x.id, () => h('li'), null);
    const rows = this.#order();
    [...this.#items.children].forEach((li, i) => this.#fill(li, rows[i]));
    const counted = (view, n) => [view, t(`nav.${view}`) + (n > 0 ? ` (${n})` : '')];
    const links = [
      ['add', t('nav.add')], counted('requests', app.requests.size),
      ...app.approvals.size > 0 || app.view.name === 'approvals' ? [counted('approvals', app.approvals.size)] : [],
      ['outbox', t('nav.outbox')], ['starred', t('nav.starred')], ['network', t('nav.network')], ['settings', t('nav.settings')],
    ];
    reconcile(this.#links, links, ([view]) => view, ([view]) => h('button', { onclick: () => app.go({ name: view }) }));
    links.forEach(([view, label], i) => {
      const button = this.#links.children[i];
      if (button.textContent !== label) button.textContent = label;
      current(button, app.view.name === view);
    });
  }

  #fill(li, row) {
    const shown = JSON.stringify([row, app.live.has(row.contact_id), app.typing.has(row.contact_id), app.contacts.get(row.contact_id)?.picture]);
    if (li.shown !== shown) {
      const focused = li.contains(document.activeElement);
      li.shown = shown;
      li.replaceChildren(row.kind ? this.#conversation(row) : this.#waiting(row));
      if (focused) li.firstChild.focus();
    }
    if (row.kind) current(li.firstChild, ['chat', 'about'].includes(app.view.name) && app.view.id === row.id);
  }

  #conversation(c) {
    const unread = c.unread.count > 0 || c.unread.marked;
    return h('button', { class: unread ? 'chat unread' : 'chat', onclick: () => app.go({ name: 'chat', id: c.id }) },
      h('span', { class: 'title' }, c.pinned && mark('⚑', t('message.pinned')), c.muted_until && new Date(c.muted_until) > new Date() && mark('🔕', t('list.muted')), face(app.contacts.get(c.contact_id)), title(c),
        app.live.has(c.contact_id) && h('span', { class: 'live' }, ' ● ', h('span', { class: 'unseen' }, t('list.live')))),
      c.last && h('time', { datetime: c.last.at }, short(new Date(c.last.at))),
      h('span', { class: 'excerpt' }, app.typing.has(c.contact_id) ? h('em', null, t('list.typing')) : c.draft ? [h('em', null, t('list.draft')), ' ', name(c.draft.text.slice(0, 120))] : name(c.last?.excerpt ?? '')),
      unread && h('span', { class: 'count' }, c.unread.count > 0 ? String(c.unread.count) : '●', h('span', { class: 'unseen' }, t('list.unread'))),
      c.archived && h('small', null, t('list.archived')));
  }

  #waiting(contact) {
    const called = contact.alias ?? contact.name;
    const label = { requested: t('list.cancel'), failed: t('about.remove') }[contact.state];
    return h('div', { class: 'chat waiting' }, h('span', { class: 'title' }, called ? name(called) : t('list.link_of', { at: date(new Date(contact.created_at)) })),
      label && h('button', { 'aria-label': label, title: label, onclick: () => app.api.delete(`/v1/contacts/${contact.id}`).catch((e) => announce(reason(e))) }, '✕'),
      h('span', { class: 'excerpt' }, word('contact', contact.state), contact.reason && `: ${word('why', contact.reason)}`));
  }

  #announce(event) {
    const m = event.data ?? {};
    const about = [m.id, `${event.conversation_id ?? m.conversation_id} ${m.position}`]; // either may be all that is left of it
    if (!m.kind || m.deleted || event.type === 'message.edited') hush(...about);
    if (event.type !== 'message.created' || m.direction !== 'in' || !m.body || app.conversations.get(m.conversation_id)?.muted_until) return;
    announce(t('live.message', { name: m.sender.name, text: m.body.text.slice(0, 200) }), ...about);
  }

  #searchSoon(text) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#search(text.trim()), searchDelay);
  }

  async #search(text) {
    this.#found.hidden = text === '';
    if (text === '') return;
    let lines;
    try {
      const page = await app.api.get(`/v1/search?limit=20&q=${encodeURIComponent(text)}`);
      lines = [
        ...page.contacts.map((c) => hit(c.conversation_id && { name: 'chat', id: c.conversation_id }, [name(c.alias ?? c.name)])),
        ...page.items.map(({ message: m }) => hit({ name: 'chat', id: m.conversation_id, at: m.position },
          [name(m.sender.contact_id === 'self' ? t('chat.me') : m.sender.name), ': ', name(gist(m))])),
      ];
      if (lines.length === 0) lines = [h('p', null, t('search.nothing'))];
      announce(t('search.count', { count: page.items.length + page.contacts.length }));
    } catch (error) {
      lines = [h('p', { class: 'problem' }, reason(error))];
    }
    this.#found.replaceChildren(h('h2', null, t('search.found')), ...lines);
  }
}

function hit(view, children) {
  return h('button', { class: 'hit', disabled: !view, onclick: () => app.go(view) }, children);
}

const mark = (icon, words) => [h('span', { 'aria-hidden': true, title: words }, `${icon} `), h('span', { class: 'unseen' }, `${words} `)];

function current(element, yes) {
  if (yes) element.setAttribute('aria-current', 'page');
  else element.removeAttribute('aria-current');
}

/** What a conversation is called. */
export const title = (c) => (c.kind === 'self' ? t('list.self') : name(c.title));

customElements.define('pabal-chats', Chats);
