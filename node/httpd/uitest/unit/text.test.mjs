// What needs no browser: particles, cursors, ids.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { particle, size } from '../../ui/js/i18n.js';
import { later } from '../../ui/js/stream.js';
import { base32 } from '../../ui/js/api.js';

test('particles fit the word before them', () => {
  const cases = [
    ['민수', '이/가', '가'], ['지훈', '이/가', '이'], ['하늘', '은/는', '은'], ['서울', '으로/로', '로'], ['부산', '으로/로', '으로'],
    ['제주', '으로/로', '로'], ['Mina', '이/가', '가'], ['Kim', '을/를', '을'], ['Daniel', '으로/로', '로'], ['Rick', '이/가', '이(가)'],
    ['Rick', '으로/로', '(으)로'], ['방 3', '이/가', '이'], ['방 2', '이/가', '가'], ['하늘 😀', '과/와', '과'], ['!!!', '은/는', '은(는)'],
    ['', '을/를', '을(를)'], ['민아'.normalize('NFD'), '이/가', '가'], ['지훈'.normalize('NFD'), '이/가', '이'],
  ];
  for (const [word, pair, want] of cases) assert.equal(particle(word, pair), want, `${word} ${pair}`);
});

test('cursors are in the order of the log', () => {
  for (const [a, b, want] of [['e1.2', 'e1.1', true], ['e1.10', 'e1.9', true], ['e1.9', 'e1.9', false], ['e1.9', 'e1.10', false], ['e2.1', 'e1.99', true], ['e1.99', 'e2.1', false]]) {
    assert.equal(later(a, b), want, `${a} ${b}`);
  }
});

test('ids are written as the daemon writes them', () => {
  assert.equal(base32(new Uint8Array(16)), 'a'.repeat(26));
  assert.equal(base32(new Uint8Array(16).fill(255)), '7'.repeat(25) + '4');
  assert.equal(base32(new TextEncoder().encode('foobar')), 'mzxw6ytboi');
});

test('numbers of bytes are those of the command line', () => {
  for (const [bytes, want] of [[6, '6 B'], [1023, '1,023 B'], [1024, '1 KiB'], [1536, '1.5 KiB'], [3 << 20, '3 MiB'], [2.5 * 2 ** 30, '2.5 GiB']]) assert.equal(size(bytes), want);
});
