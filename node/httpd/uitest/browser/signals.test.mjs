// What two people let each other see of what they do now: writing, being here.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { passable, until, World } from './world.mjs';

let w;
let page;
before(async () => {
  w = await World.make();
  await w.start('mina', 'Mina');
  await w.start('jiwoo', 'Jiwoo');
  await w.befriend('mina', 'jiwoo');
  await w.pabal('jiwoo', 'send', 'Mina', 'hello', '--wait', 'delivered');
  page = await w.signIn('mina');
  await page.locator('.chats').getByRole('button', { name: /Jiwoo/ }).click();
  await page.locator('article', { hasText: 'hello' }).waitFor();
});
after(() => w.close());

// seen is what Jiwoo is shown of Mina.
const seen = async () => JSON.parse(await w.pabal('jiwoo', '--json', 'network', 'status')).peers[0];

test('the other one writes', async () => {
  await w.pabal('jiwoo', 'contact', 'typing', 'Mina');
  const again = setInterval(() => w.pabal('jiwoo', 'chat', 'typing', 'Mina').catch(() => {}), 2000);
  try {
    await page.getByText('Jiwoo is writing…').waitFor();
    assert.equal(await page.locator('.doing').getAttribute('aria-live'), null);
    assert.equal(await page.locator('.doing').evaluate((e) => e.closest('[aria-live], [role=status], [role=alert], [role=log]')), null, 'a screen reader says it time and again');
    await passable(page, 'writing');
    await page.locator('.chats em', { hasText: 'writing…' }).waitFor();
  } finally {
    clearInterval(again);
  }
  await w.pabal('jiwoo', 'send', 'Mina', 'that was it');
  await page.getByText('Jiwoo is writing…').waitFor({ state: 'detached' });
});

test('what is written here is shown to whom it may be', async () => {
  const field = page.getByRole('textbox', { name: 'Message' });
  await field.pressSequentially('half a sen');
  await w.pabal('mina', 'send', 'Jiwoo', 'another way', '--wait', 'delivered');
  assert.equal((await seen()).typing, false);
  await page.getByRole('button', { name: 'Details' }).click();
  await page.getByLabel('When I write to them').check();
  await until('it is set', async () => JSON.parse(await w.pabal('mina', '--json', 'contact', 'show', 'Jiwoo')).typing);
  await passable(page, 'what they see');
  await page.getByRole('button', { name: 'To the messages' }).click();
  await field.pressSequentially('tence');
  await until('Jiwoo sees it', async () => (await seen()).typing);
  await field.fill('');
  await until('Jiwoo sees that it has ended', async () => !(await seen()).typing);
});

test('who is in front of the page is here', async () => {
  assert.equal((await seen()).here, false);
  await page.getByRole('button', { name: 'Details' }).click();
  await page.getByLabel('When I am here').check();
  await until('Jiwoo sees it', async () => (await seen()).here);
  const look = (state) => page.evaluate((s) => {
    Object.defineProperty(document, 'visibilityState', { value: s, configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  }, state);
  await look('hidden');
  await until('the page is out of sight', async () => !(await seen()).here);
  await look('visible');
  await until('the page is seen again', async () => (await seen()).here);
  await page.getByLabel('When I am here').uncheck();
  await until('Jiwoo may not see it any more', async () => !(await seen()).here);

  await w.pabal('jiwoo', 'contact', 'presence', 'Mina');
  await w.pabal('jiwoo', 'me', 'here');
  await page.locator('.chats').getByRole('button', { name: /Jiwoo/ }).click();
  await page.getByText('Jiwoo is here').waitFor();
  await w.pabal('jiwoo', 'me', 'here', '--off');
  await page.getByText('Jiwoo is here').waitFor({ state: 'detached' });
});
