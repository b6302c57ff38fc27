// What pages of others can do with a daemon: nothing, and not even learn that it is there.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { World } from './world.mjs';

let w;
let ours; // the address of the page, with its secret
let other; // a server of somebody else on this machine
let page; // a page of theirs
before(async () => {
  w = await World.make();
  await w.start('mina', 'Mina');
  const signed = await w.signIn('mina');
  await signed.getByText('Choose a conversation').waitFor();
  ours = new URL(signed.url());
  other = createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html');
    answer.end('<!doctype html><title>theirs</title>');
  });
  await new Promise((done) => { other.listen(0, '127.0.0.1', done); });
  page = await w.strange();
  await page.goto(`${ours.protocol}//127.0.0.1:${other.address().port}/`);
});
after(async () => {
  other.closeAllConnections();
  other.close();
  await w.close();
});

// tells says what a page of theirs learns of an address: what each way of asking comes to.
const tells = (address) => page.evaluate(async (url) => {
  const loads = (tag, attribute) => new Promise((done) => {
    const element = document.createElement(tag);
    element.onload = () => done('load');
    element.onerror = () => done('error');
    element[attribute] = url;
    document.head.append(element);
  });
  const asks = (options) => fetch(url, options).then((a) => `${a.type} ${a.status}`, () => 'refused');
  return {
    script: await loads('script', 'src'), picture: await loads('img', 'src'),
    read: await asks({}), withToken: await asks({ headers: { Authorization: 'Bearer pbl_guess' } }),
    form: await asks({ method: 'POST', body: '{"text":"hi"}', headers: { 'Content-Type': 'text/plain' } }),
  };
}, address);

test('a page on another port reads nothing and loads nothing, even with the secret address', async () => {
  for (const path of ['/v1/status', '/v1/openapi.json', '/v1/contacts', '/favicon.ico', '/', ours.pathname, `${ours.pathname}js/main.js`, `${ours.pathname}icon.svg`]) {
    assert.deepEqual(await tells(ours.origin + path), { script: 'error', picture: 'error', read: 'refused', withToken: 'refused', form: 'refused' }, path);
  }
});

test('a frame of the page stays empty', async () => {
  const seen = await page.evaluate((url) => new Promise((done) => {
    const frame = document.createElement('iframe');
    frame.onload = () => {
      let inside = 'foreign';
      try { inside = frame.contentDocument?.body?.textContent ?? 'foreign'; } catch { /* that is what foreign means */ }
      done(inside);
    };
    frame.src = url;
    document.body.append(frame);
  }), ours.href);
  assert.equal(seen, 'foreign');
  for (const frame of page.frames().slice(1)) assert.equal(await frame.locator('pabal-app').count(), 0);
});

test('a name of others that was made to lead to this machine is refused', async () => {
  const rebound = await w.strange();
  await rebound.goto(`${ours.protocol}//evil.test:${other.address().port}/`);
  assert.equal(await rebound.title(), 'theirs', 'the name does not lead here');
  const seen = [];
  rebound.on('response', (r) => seen.push(r.status()));
  for (const path of ['/v1/status', '/v1/contacts', ours.pathname, '/']) {
    seen.length = 0;
    await rebound.goto(`${ours.protocol}//evil.test:${ours.port}${path}`).catch(() => {}); // an empty answer is an error to Chromium
    assert.deepEqual([...new Set(seen)], [421], path);
    assert.equal(await rebound.locator('pabal-app').count(), 0);
  }
});
