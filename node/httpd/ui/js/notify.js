// Notifications by the browser, as the setting says: what the system keeps of them is no
// longer in our hands, so they say who wrote what only if that was asked for.

import { app } from './app.js';
import { t } from './i18n.js';

/** Asks the browser for leave to show what a level allows, and reports whether there is it. */
export const allowed = async (level) => level === 'none' || await globalThis.Notification?.requestPermission() === 'granted';

const shown = new Set();

app.addEventListener('message', ({ detail: { type, data: m } }) => {
  if (type !== 'message.created' || m.direction !== 'in' || document.hasFocus() || app.settings.notifications === 'none' || globalThis.Notification?.permission !== 'granted') return;
  const c = app.conversations.get(m.conversation_id);
  if (!c || c.muted_until && new Date(c.muted_until) > new Date()) return;
  const full = app.settings.notifications === 'full' && m.body;
  const note = new Notification(full ? m.sender.name : t('notify.new'), { tag: full ? m.id : 'pabal', body: full ? m.body.text.slice(0, 160) : '' });
  shown.add(note);
  note.onclose = () => shown.delete(note);
  note.onclick = () => {
    window.focus();
    note.close();
    if (app.usable) app.go({ name: 'chat', id: c.id });
  };
});

// What is not to be seen here any more is not to be seen there.
const away = () => { for (const note of shown) note.close(); };
app.addEventListener('closed', away);
app.addEventListener('message', ({ detail: { data } }) => { for (const note of shown) if (note.tag === data.id && (!data.kind || data.deleted)) note.close(); });
addEventListener('focus', away);
