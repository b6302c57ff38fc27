// Which notices of a timer are shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';

// What of a browser the modules of the page need.
class Target { addEventListener() {} dispatchEvent() {} }
globalThis.HTMLElement = Target;
globalThis.customElements = { define() {} };
globalThis.document = new Target();
globalThis.addEventListener = () => {};
globalThis.localStorage = { getItem: () => null };
globalThis.BroadcastChannel = Target;
globalThis.setInterval = () => 0;

const { superseded } = await import('../../ui/js/message.js');

const read = (seconds) => ({ mode: 'read', seconds });
const notice = (position, disappearing) => ({ position, kind: 'system', system: { code: 'timer_changed', params: { disappearing } } });
const text = (position) => ({ position, kind: 'text', body: { text: 'x' } });
const shown = (items, now) => {
  const gone = superseded(items, now);
  return items.filter((m) => !gone.has(m)).map((m) => m.position);
};

test('the last notice that is shown is of the timer in force', () => {
  const items = [notice(1, read(3600)), text(2), notice(3, read(5)), notice(4, read(20)), text(5)];
  assert.deepEqual(shown(items, read(20)), [2, 4, 5]);
  assert.deepEqual(shown(items.filter((m) => m.position < 3 || m.position === 5), read(20)), [2, 5], 'the later notices are gone, and what stays says another time');
  assert.deepEqual(shown([notice(1, read(20)), text(2)], read(20)), [1, 2]);
  assert.deepEqual(shown([notice(1, read(20)), notice(2, null)], null), [2]);
  assert.deepEqual(shown([notice(1, { mode: 'sent', seconds: 20 })], read(20)), []);
  assert.deepEqual(shown([text(1), { position: 2, kind: 'system', system: { code: 'another' } }], null), [1, 2]);
});
