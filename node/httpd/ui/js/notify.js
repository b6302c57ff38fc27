// Notifications by the browser, as the setting says: what the system keeps of them is no
// longer in our hands, so they say who wrote what only if that was asked for.

import { app } from './app.js';
import { t } from './i18n.js';

/** Asks the browser for leave to show what a level allows, and reports whether there is it. */
export const allowed = async (level) => level === 'none' || await globalThis.Notification?.requestPermission() === 'granted';

const shown = new Set();
const waiting = new Map(); // by id, messages to tell of unless one of the tabs has the focus
const answer = 300; // ms for the other tabs to say so
const tabs = new BroadcastChannel('pabal-focus'); // false asks who has the focus, true says I

app.addEventListener('message', ({ detail: { type, data: m } }) => {
  const gone = !m.kind || m.deleted;
  for (const note of shown) if (note.tag === m.id && (gone || type === 'message.edited')) note.close();
  if (gone) waiting.delete(m.id);
  else if (waiting.has(m.id)) waiting.set(m.id, m);
  else if (type === 'message.created' && m.direction === 'in' && !document.hasFocus()) {
    waiting.set(m.id, m);
    tabs.postMessage(false);
    setTimeout(tell, answer, m.id);
  }
});

function tell(id) {
  const m = waiting.get(id);
  if (!m) return;
  const c = app.conversations.get(m.conversation_id);
  if (!c) return app.addEventListener('change', () => tell(id), { once: true }); // it is being read
  waiting.delete(id);
  if (app.settings.notifications === 'none' || globalThis.Notification?.permission !== 'granted' || c.muted_until && new Date(c.muted_until) > new Date()) return;
  const full = app.settings.notifications === 'full' && m.body;
  const note = new Notification(full ? m.sender.name : t('notify.new'), { tag: full ? id : 'pabal', body: full ? m.body.text.slice(0, 160) : '' });
  shown.add(note);
  note.onclose = () => shown.delete(note);
  note.onclick = () => {
    window.focus();
    note.close();
    if (app.usable) app.go({ name: 'chat', id: c.id });
  };
}

// What is not to be seen here any more is not to be seen there, nor what is seen here or in another tab.
const away = () => {
  waiting.clear();
  for (const note of shown) note.close();
};
for (const end of ['closed', 'reload']) app.addEventListener(end, away);
addEventListener('pagehide', away);
addEventListener('focus', () => {
  away();
  tabs.postMessage(true);
});
tabs.onmessage = ({ data: focused }) => {
  if (focused) away();
  else if (document.hasFocus()) tabs.postMessage(true);
};
