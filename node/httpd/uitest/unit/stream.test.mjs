import assert from 'node:assert/strict';
import { test } from 'node:test';

// What of a browser the stream needs.
class Channel { postMessage() {} close() {} }
Object.defineProperty(globalThis, 'BroadcastChannel', { value: Channel, configurable: true });
Object.defineProperty(globalThis, 'navigator', { value: { locks: { request: (_, __, lead) => lead() } }, configurable: true });

const { Stream } = await import('../../ui/js/stream.js');
const { Problem } = await import('../../ui/js/api.js');

// told returns the first event of a stream whose daemon answers with error, and whether it is lost.
async function told(error) {
  const api = { isLost: false, find: async () => true, response: async () => { throw error; }, lost() { this.isLost = true; } };
  const stream = new Stream(api);
  const first = new Promise((done) => { stream.addEventListener('event', (e) => done(e.detail)); });
  const over = stream.follow('e1.1');
  const event = await first;
  stream.stop();
  await over;
  return [event.type, api.isLost];
}

test('a daemon that was silent for long is down, one that refuses is not', async () => {
  assert.deepEqual(await told(new DOMException('aborted', 'AbortError')), ['down', true]); // its code is 20
  assert.deepEqual(await told(new Problem({ code: 'locked' })), ['bye', false]);
});
