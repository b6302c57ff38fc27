// What is drawn: elements are made by h. Text goes
// in as text nodes only, so nothing that a contact wrote can become markup.

/**
 * Makes an element. An attribute on… is a listener, true is an attribute without a
 * value, and null, undefined and false are left out; the same goes for children.
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...there(children));
  return element;
}

/** The children that are meant: nested ones, without those left out. */
export const there = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);

/** A name that others chose: its direction stays within it. */
export const name = (text) => h('bdi', null, text);

const heard = 5000; // ms for which a sentence stays where screen readers look for it
let said = 0;
let waiting = null; // until the next one is said, or the last one goes
let subject = []; // what the sentence that is there is known by
let next = []; // and the one that will be

/**
 * Announces a sentence to screen readers, at most one a second: the last. It is of no use
 * later, and goes soon. about are what hush may know it by.
 */
export function announce(text, ...about) {
  const live = document.getElementById('live');
  clearTimeout(waiting);
  next = about;
  waiting = setTimeout(() => {
    said = Date.now();
    live.textContent = text;
    [subject, next] = [next, []];
    waiting = setTimeout(hush, heard);
  }, Math.max(0, said + 1000 - Date.now()));
}

/** Takes back what was announced, or was going to be: anything, or what is about something. */
export function hush(...about) {
  const all = about.length === 0 || about.some((x) => next.includes(x));
  if (!all && !about.some((x) => subject.includes(x))) return;
  document.getElementById('live').textContent = '';
  if (all) clearTimeout(waiting);
}

/**
 * Makes parent's children those of items, in their order. A child whose key stays
 * is moved, not made anew, so that focus, selection and scroll place survive;
 * update is told of the item as it is now.
 */
export function reconcile(parent, items, key, make, update) {
  const wanted = new Set(items.map(key));
  const old = new Map();
  for (const child of [...parent.childNodes]) {
    if (wanted.has(child.reconcileKey)) old.set(child.reconcileKey, child);
    else parent.removeChild(child);
  }
  let at = parent.firstChild;
  for (const item of items) {
    let child = old.get(key(item));
    if (child) {
      update?.(child, item);
    } else {
      child = make(item);
      child.reconcileKey = key(item);
    }
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
}

/** A part of the page whose listeners go with it. */
export class View extends HTMLElement {
  #ends = new AbortController();

  connectedCallback() {
    this.#ends = new AbortController();
    this.open();
  }

  disconnectedCallback() {
    this.#ends.abort();
    this.close();
  }

  /** Is told of events of target until the view is gone. */
  listen(target, type, handler, options = {}) {
    target.addEventListener(type, handler, { ...options, signal: this.#ends.signal });
  }

  /** Aborts when the view is gone. */
  get gone() { return this.#ends.signal; }

  open() {}
  close() {}
}
