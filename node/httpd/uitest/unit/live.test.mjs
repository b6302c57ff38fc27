// What is said to screen readers is no second place in which a message stays.

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

globalThis.HTMLElement = class {}; // that views are made of
const live = { textContent: '' };
globalThis.document = { getElementById: () => live };
mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1e12 });
const { announce, hush } = await import('../../ui/js/dom.js');

beforeEach(() => {
  hush();
  mock.timers.tick(1000);
});

test('a sentence goes some seconds after it was said', () => {
  announce('Mina: this one goes', 'ms_a', 'cv_a 7');
  mock.timers.tick(0);
  assert.equal(live.textContent, 'Mina: this one goes');
  mock.timers.tick(4000);
  assert.equal(live.textContent, 'Mina: this one goes');
  mock.timers.tick(1000);
  assert.equal(live.textContent, '');
});

test('a sentence goes at once with what it is about, said or not', () => {
  announce('said', 'ms_a', 'cv_a 7');
  mock.timers.tick(0);
  hush(undefined, 'cv_a 8');
  assert.equal(live.textContent, 'said');
  hush(undefined, 'cv_a 7');
  assert.equal(live.textContent, '');
  announce('not yet', 'ms_b', 'cv_a 8');
  hush('ms_b', 'cv_a undefined');
  mock.timers.tick(3000);
  assert.equal(live.textContent, '');
});

test('a sentence that follows another stays as long', () => {
  announce('first', 'ms_a');
  mock.timers.tick(0);
  announce('second', 'ms_b');
  hush('ms_a');
  assert.equal(live.textContent, '');
  mock.timers.tick(1000);
  assert.equal(live.textContent, 'second');
  mock.timers.tick(4500);
  assert.equal(live.textContent, 'second');
  mock.timers.tick(500);
  assert.equal(live.textContent, '');
});
