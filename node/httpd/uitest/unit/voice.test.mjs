// The microphone: it is off again if nothing can be recorded.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const { record } = await import('../../ui/js/voice.js');

const tracks = [0, 1].map(() => ({ on: true, stop() { this.on = false; } }));
Object.defineProperty(globalThis, 'navigator', {
  value: { mediaDevices: { getUserMedia: async () => ({ getTracks: () => tracks }) } },
});
let timers = 0;
globalThis.setInterval = () => ++timers;
class Context {
  createAnalyser() { return { fftSize: 8, getByteTimeDomainData() {} }; }
  createMediaStreamSource() { return { connect() {} }; }
  close() {}
}
class Recorder {
  addEventListener() {}
  start() {}
}
const refuses = (at) => class extends Recorder {
  constructor() {
    super();
    if (at === 'construction') throw new Error('unsupported');
  }
  start() { throw new Error('in use'); }
};

for (const [what, context, recorder] of [
  ['no recorder', Context, refuses('construction')],
  ['a recorder that does not start', Context, refuses('start')],
  ['no loudness', class { constructor() { throw new Error('too many'); } }, Recorder],
]) {
  test(`${what} leaves no microphone on`, async () => {
    for (const track of tracks) track.on = true;
    globalThis.AudioContext = context;
    globalThis.MediaRecorder = recorder;
    await assert.rejects(record(() => {}));
    assert.deepEqual(tracks.map((t) => t.on), [false, false]);
    assert.equal(timers, 0);
  });
}
