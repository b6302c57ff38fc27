// The event stream's format, in pieces of every size.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser } from '../../ui/js/stream.js';

const text = 'retry: 500\n\n: heartbeat\n\nid: e1.7\nevent: message.created\ndata: {"a":1}\n\ndata: one\r\ndata:two\r\n\r\nevent: bye\rdata: {}\r\rid: e1.8\n\n';
const want = [
  { id: 'e1.7', type: 'message.created', data: '{"a":1}' },
  { id: '', type: 'message', data: 'one\ntwo' },
  { id: '', type: 'bye', data: '{}' },
];

test('however a stream is cut, its events are the same', () => {
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const got = [];
    for (let at = 0; at < text.length; at += size) got.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(got, want, `pieces of ${size}`);
  }
});

test('an event that is not whole waits', () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push('data: half'), []);
  assert.deepEqual(parser.push(' an event\n'), []);
  assert.deepEqual(parser.push('\n'), [{ id: '', type: 'message', data: 'half an event' }]);
});
