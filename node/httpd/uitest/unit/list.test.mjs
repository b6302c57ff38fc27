// The list that keeps its children: against every change of a list of five.

import assert from 'node:assert/strict';
import { test } from 'node:test';

globalThis.HTMLElement = class {}; // that views are made of
const { reconcile } = await import('../../ui/js/dom.js');

/** As much of an element as reconcile uses; moves counts what was inserted. */
class Parent {
  childNodes = [];
  moves = 0;
  get firstChild() { return this.childNodes[0] ?? null; }
  insertBefore(child, before) {
    this.moves++;
    if (this.childNodes.includes(child)) this.removeChild(child);
    const at = before === null ? this.childNodes.length : this.childNodes.indexOf(before);
    this.childNodes.splice(at, 0, child);
    child.parent = this;
  }
  removeChild(child) { this.childNodes.splice(this.childNodes.indexOf(child), 1); }
}

const make = (item) => ({
  item, parent: null,
  get nextSibling() { return this.parent.childNodes[this.parent.childNodes.indexOf(this) + 1] ?? null; },
});
const draw = (parent, items) => reconcile(parent, items, (x) => x, make, null);
const shown = (parent) => parent.childNodes.map((c) => c.item);

function* arrangements(items) {
  yield [];
  for (const [i, first] of items.entries()) for (const rest of arrangements(items.toSpliced(i, 1))) yield [first, ...rest];
}

test('every arrangement becomes every other one', () => {
  const all = [...arrangements(['a', 'b', 'c', 'd'])];
  for (const from of all) {
    for (const to of all) {
      const parent = new Parent();
      draw(parent, from);
      const before = new Map(parent.childNodes.map((c) => [c.item, c]));
      draw(parent, to);
      assert.deepEqual(shown(parent), to);
      for (const child of parent.childNodes) if (before.has(child.item)) assert.equal(child, before.get(child.item), 'made anew');
    }
  }
});

test('a window that slides moves nobody', () => {
  const parent = new Parent();
  draw(parent, ['b', 'c', 'd']);
  parent.moves = 0;
  draw(parent, ['c', 'd', 'e']);
  assert.equal(parent.moves, 1);
  draw(parent, ['a', 'b', 'c', 'd']);
  assert.equal(parent.moves, 3);
});
