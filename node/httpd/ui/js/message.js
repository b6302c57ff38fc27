// One message: how it is drawn, and what can be done with it.

import { app } from './app.js';
import { title } from './chats.js';
import { h, name, there } from './dom.js';
import { attachment, dialogOf } from './files.js';
import { field, form, sameTimer } from './gate.js';
import { capital, clock, moment, parts, reason, t, timer, word } from './i18n.js';

const emojis = ['👍', '❤️', '😂', '😮', '😢', '🙏']; // that are offered; others can be typed
const quoted = 120; // characters, as the daemon has it
const late = 10 * 60000; // ms behind its sending from which a message's arrival is shown

/** What became of a message of ours: an icon and its words. */
const icons = { queued: '◷', carried: '⌂', delivered: '✓', read: '✓✓', failed: '⚠', expired: '◔', deleted: '⌫' };

export function state(status) {
  const icon = h('span', { 'aria-hidden': true }, icons[status.state] ?? '·');
  const text = status.state === 'carried' ? t('state.carried', { count: status.carriers }) : word('state', status.state);
  return h('span', { class: `state ${status.state}` }, icon, ' ', text, status.error && `: ${word('why', status.error.code)}`);
}

/** Says why a message or a contact waits, as lines. */
export function explain(why, { headed = false } = {}) {
  const ways = (why.params?.ways ?? []).map((way) => h('li', null, word('way', way)));
  const courier = (c) => [t(c.holds ? 'why.courier_holds' : c.reached ? 'why.courier_live' : 'why.courier_off'), c.trouble && `, ${word('trouble', c.trouble)}`];
  return [
    !headed && h('p', null, why.reason ? capital(word('why', why.reason)) : t('why.nothing')),
    ways.length > 0 && [h('p', null, t('why.ways')), h('ul', null, ways)],
    why.next_try_at && h('p', null, t('why.next', { at: moment(new Date(why.next_try_at)) })),
    why.exported_at && h('p', null, t('why.exported', { at: moment(new Date(why.exported_at)) })),
    why.rungs?.length > 0 && h('ul', { class: 'rungs' }, why.rungs.map((r) => h('li', null, word('rung', r.rung), ': ',
      r.trying ? t('why.trying') : r.last_error ?? t('why.not_tried')))),
    why.couriers?.length > 0 && h('ul', { class: 'rungs' }, why.couriers.map((c) => h('li', null, courier(c)))),
  ];
}

const waits = (m) => m.direction === 'out' && ['queued', 'carried'].includes(m.status?.state);
const lost = (m) => m.direction === 'out' && ['failed', 'expired'].includes(m.status?.state);

/**
 * Draws a message. chat is told what its buttons ask for: actions(m), show(id) of a
 * quoted message, react(m, emoji, put); own is what is drawn of messages to oneself.
 */
export function draw(m, chat) {
  if (m.kind === 'gap') return h('p', { class: 'note' }, t('chat.gap', { count: m.count }));
  if (m.kind === 'system') return h('p', { class: 'note' }, system(m));
  if (m.kind === 'unsupported') return h('p', { class: 'note' }, t('chat.unsupported'));
  const own = m.direction === 'out';
  const sent = new Date(m.created_at);
  const came = m.received_at && new Date(m.received_at);
  const ahead = came && sent - came > late / 2;
  return h('article', { class: own ? 'message own' : 'message', tabindex: -1 },
    h('span', { class: 'unseen' }, own ? t('chat.me') : name(m.sender.name), ': '),
    m.reply_to && quote(m.reply_to, chat),
    m.attachments?.map((f) => attachment(f, m)),
    m.deleted && h('p', { class: 'gone' }, t('chat.deleted'), ' (', word('deletion', m.deleted.by === 'sender' ? 'sender' : m.deleted.state ?? 'asked'), ')'),
    m.body && h('p', { class: 'text', dir: 'auto' }, named(m.body)),
    m.reactions?.length > 0 && h('ul', { class: 'reactions' }, m.reactions.map((r) => h('li', null, h('button', {
      'aria-pressed': String(r.mine), onclick: () => chat.react(m, r.emoji, !r.mine),
    }, r.emoji, r.count > 1 && ` ${r.count}`, h('span', { class: 'unseen' }, ` ${t('message.reaction')}`))))),
    h('footer', null,
      m.pinned && mark('⚑', t('message.pinned')), m.starred && mark('★', t('message.starred')),
      m.forwarded && mark('↪', t('message.forwarded')),
      m.revision > 0 && h('span', { class: 'state', title: m.edited_at && moment(new Date(m.edited_at)) }, t('message.edited')),
      h('time', { datetime: m.created_at, title: moment(sent) },
        came && came - sent > late ? t('chat.late', { sent: clock(sent), came: clock(came) }) : clock(ahead ? came : sent)),
      m.trust === 'changed' && h('span', { class: 'state failed' }, '⚠ ', t('chat.changed')),
      m.disappearing && mark('◔', timer(m.disappearing)),
      own && !chat.own && m.status && state(m.status),
      h('button', { class: 'more', tabindex: -1, 'aria-label': t('composer.label'), onclick: () => chat.actions(m) }, '⋯')));
}

/** A text with the mentions in it, whose places count code points. */
export function named({ text, mentions }) {
  const runes = [...text];
  const part = (from, to) => runes.slice(from, to).join('');
  let at = 0;
  return [mentions.map(({ start, length }) => [part(at, start), h('mark', null, part(start, at = start + length))]), part(at)];
}

const mark = (icon, words) => h('span', { class: 'state', title: words }, h('span', { 'aria-hidden': true }, icon), ' ', h('span', { class: 'unseen' }, words));

const sets = (m) => m.kind === 'system' && m.system?.code === 'timer_changed';

/**
 * The notices of a timer that is in force no more. They go by the timer that they came under:
 * an old one may outlive those that followed it, and would have the last word.
 */
export function superseded(items, now) {
  const notices = items.filter(sets);
  const last = notices.at(-1);
  return new Set(last && sameTimer(last.system.params?.disappearing, now) ? notices.slice(0, -1) : notices);
}

function system(m) {
  if (!sets(m)) return t('chat.system', { code: m.system?.code ?? '' });
  const params = { timer: timer(m.system.params?.disappearing) };
  return m.direction === 'out' ? t('chat.timer_own', params) : parts('chat.timer_set', { name: name(m.sender.name), ...params });
}

/** What a message is known by in a list. */
export const gist = (m) => (m.body?.text ?? m.attachments?.[0]?.name ?? '').slice(0, 160);

/** The beginning of a text, as answers to it quote it. */
export function excerpt(text) {
  const runes = [...text.replaceAll('\n', ' ')];
  return runes.length > quoted ? `${runes.slice(0, quoted).join('')}…` : runes.join('');
}

function quote(q, chat) {
  if (!q.id) return h('blockquote', null, t('chat.quote_gone'));
  const who = q.sender && (q.sender.contact_id === 'self' ? t('chat.me') : q.sender.name);
  return h('blockquote', { dir: 'auto' }, h('button', { class: 'quote', title: t('chat.quote_show'), onclick: () => chat.show(q.id) },
    who && h('strong', null, name(who)), ' ', name(q.excerpt ?? t('chat.quote_file'))));
}

/**
 * Shows what can be done with a message, and what is known of it. Beside what draw
 * needs, chat has writes() for whether the next two can be, answer(m) and edit(m), again(m),
 * and closed(m) for when that is over.
 */
export async function actions(m, chat) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const after = (act) => async () => {
    problem.textContent = '';
    await act().then(() => dialog.close(), (e) => { problem.textContent = reason(e); });
  };
  const button = (label, act, attributes = {}) => h('button', { ...attributes, onclick: after(act) }, label);
  const api = `/v1/messages/${m.id}`;
  const whole = !m.deleted;
  const why = h('div', null);
  const dialog = dialogOf(m, { 'aria-label': t('composer.label'), onclose: () => chat.closed(m) },
    h('h2', null, t('composer.label')),
    whole && reactions(m, chat, after),
    h('menu', null,
      chat.writes() && whole && (m.body || m.attachments?.length > 0) && h('button', { onclick: () => { dialog.close(); chat.answer(m); } }, t('message.answer')), // behind the dialog, which gives the focus back
      chat.writes() && m.body && m.edit_until && new Date(m.edit_until) > new Date() && h('button', { onclick: () => { dialog.close(); chat.edit(m); } }, t('message.edit')),
      m.body && button(t('message.copy'), () => navigator.clipboard.writeText(m.body.text)),
      button(t(m.starred ? 'message.unstar' : 'message.star'), () => app.api.call(m.starred ? 'DELETE' : 'PUT', `${api}/star`)),
      button(t(m.pinned ? 'about.unpin' : 'about.pin'), () => app.api.call(m.pinned ? 'DELETE' : 'PUT', `${api}/pin`)),
      lost(m) && button(t('message.again'), async () => chat.again(m)),
      h('button', { autofocus: true, onclick: () => dialog.close() }, t('dialog.close'))),
    h('p', null, t('message.sent_at', { at: moment(new Date(m.created_at)) }),
      m.received_at && [' ', t('message.came_at', { at: moment(new Date(m.received_at)) })],
      m.expires_at && [' ', t('message.expires_at', { at: moment(new Date(m.expires_at)) })]),
    m.direction === 'out' && m.status && h('p', null, state(m.status), m.status.at && ` · ${moment(new Date(m.status.at))}`), why,
    m.revision > 0 && unfold(t('message.history'), async () => {
      const { items } = await app.api.get(`${api}/history`);
      return h('ol', null, items.map((v) => h('li', { dir: 'auto' }, h('small', null, moment(new Date(v.at))), ' ', name(v.text ?? '…'))));
    }),
    whole && (m.body || m.attachments?.length > 0) && forward(m, api, () => dialog.close()),
    copies(m),
    h('section', null, h('h3', null, t('message.delete')), removal(m, chat, button, api)),
    problem);
  dialog.showModal();
  if (waits(m)) await app.api.get(`${api}/why`).then((w) => why.replaceChildren(...there(explain(w))), (e) => why.replaceChildren(reason(e)));
}

// removal is the ways in which a message can go, each with what it does and does not do.
function removal(m, chat, button, api) {
  const row = (label, act, words) => h('p', null, button(label, act, { class: 'danger' }), ' ', h('small', null, words));
  if (waits(m)) return row(t('message.take_back'), () => app.api.delete(api), t(m.status.state === 'carried' ? 'outbox.perhaps_late' : 'message.take_back_hint'));
  return [
    row(t('message.delete_here'), () => app.api.delete(api), t(chat.own ? 'message.delete_own_hint' : 'message.delete_here_hint')),
    m.direction === 'out' && !m.deleted && !chat.own && !lost(m) &&
      row(t('message.delete_all'), () => app.api.delete(`${api}?for=everyone`), t('message.delete_all_hint')),
  ];
}

function reactions(m, chat, after) {
  const mine = (m.reactions ?? []).filter((r) => r.mine).map((r) => r.emoji);
  const other = h('input', { maxlength: 32, size: 6, autocomplete: 'off', 'aria-label': t('message.react_other'), placeholder: '…' });
  return h('div', { class: 'reactions', role: 'group', 'aria-label': t('message.react') },
    [...new Set([...emojis, ...mine])].map((emoji) => h('button', {
      'aria-pressed': String(mine.includes(emoji)), onclick: after(() => chat.react(m, emoji, !mine.includes(emoji), true)),
    }, emoji)),
    h('form', { onsubmit: (e) => { e.preventDefault(); after(() => chat.react(m, other.value.trim(), true, true))(); } }, other, h('button', null, t('message.react'))));
}

// unfold is a part that is read once it is opened.
function unfold(title, load) {
  const inside = h('div', null, '…');
  const details = h('details', { ontoggle: () => {
    if (details.open) load().then((found) => inside.replaceChildren(...there([found])), (e) => inside.replaceChildren(reason(e)));
  } }, h('summary', null, title), inside);
  return details;
}

// forward sends a message on to another conversation.
function forward(m, api, done) {
  const to = h('select', { required: true }, h('option', { value: '' }), [...app.conversations.values()].filter((c) => c.can.send && c.id !== m.conversation_id).map((c) => h('option', { value: c.id }, title(c))));
  return h('details', null, h('summary', null, t('message.forward')), form(async () => {
    await app.api.post(`${api}/forward`, { to: [to.value] });
    done();
  }, field(t('message.forward_to'), to, t('message.forward_hint')), h('button', null, t('message.forward'))));
}

// copies says who may hold a message.
const copies = (m) => unfold(t('copies.title'), async () => {
  const found = await app.api.get(`/v1/messages/${m.id}/copies`);
  return [h('ul', null, found.items.map((c) => h('li', null, c.place === 'contact_device' && c.name ? parts('copy.device_of', { name: name(c.name) }) : [word('copy', c.place), c.name && [' ', name(c.name)]], ': ',
    [c.deletion !== 'confirmed' && word('copy', c.content), word('copy', c.deletion ?? c.certainty), c.at && moment(new Date(c.at))].filter(Boolean).join(', ')))),
  h('p', null, t('copies.unknown')), h('ul', null, found.unknown.map((code) => h('li', null, word('unknown', code))))];
});
