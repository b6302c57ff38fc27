// Ways through the whole page: with the keys alone, and past somebody who means harm in every
// field that others fill.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { converse, picture, until, World } from './world.mjs';

const hostile = '<img src=x onerror=alert(1)>"\'`${7*7}';

let w;
let page;
before(async () => {
  w = await World.make();
  await w.start('mina');
  await w.start('mallory', hostile);
  page = await w.signIn('mina');
});
after(() => w.close());

// focused is what a person is told of what has the focus.
const focused = () => page.evaluate(() => {
  const e = document.activeElement;
  if (e === document.body) return 'nothing';
  return [e.localName, e.getAttribute('aria-label'), e.closest('label, fieldset')?.textContent, e.textContent].filter(Boolean).join(' | ');
});

// tab goes on by the key until what has the focus is called so.
async function tab(name, key = 'Tab') {
  for (let i = 0; i < 40; i++) {
    if (name.test(await focused())) return;
    await page.keyboard.press(key);
  }
  throw new Error(`no way by ${key} to ${name}; at ${await focused()}`);
}

const comes = (name) => until(`${name} has the focus`, async () => name.test(await focused()), 30);

test('from nothing to a message with the keys alone', async () => {
  await comes(/Your name/);
  await page.keyboard.type('Mina');
  for (let i = 0; i < 2; i++) {
    await page.keyboard.press('Tab');
    assert.match(await focused(), /passphrase/i);
    await page.keyboard.type('horse battery');
  }
  await page.keyboard.press('Tab');
  await tab(/1 week after reading/);
  await tab(/never/, 'ArrowDown');
  await tab(/Make the profile/);
  await page.keyboard.press('Enter');
  await page.getByText('Choose a conversation').waitFor();

  await tab(/Skip to content/);
  await tab(/^button.*Add a contact/);
  await page.keyboard.press('Enter');
  await comes(/^h1/);
  await tab(/Make a link/);
  await page.keyboard.press('Enter');
  const link = page.getByLabel('Your invite link');
  await link.waitFor();
  await w.pabal('mallory', 'add', await link.inputValue(), '--wait', '90s');
  await page.locator('.chats button').first().waitFor();
  await page.keyboard.press('Alt+ArrowDown');
  await comes(/textarea \| Message/);
  await page.keyboard.type('by keys');
  await page.keyboard.press('Enter');
  await page.locator('article', { hasText: 'by keys' }).getByText('delivered').waitFor();
  await tab(/^ol \| Messages/, 'Shift+Tab');
  await page.keyboard.press('ArrowUp');
  await comes(/^article.*by keys/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await tab(/^button.*Star/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.locator('article', { hasText: 'by keys' }).getByText('starred').waitFor({ state: 'attached' });
  await comes(/^article.*by keys/);
});

test('the keys are shown by a key, but not while one writes', async () => {
  const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await page.keyboard.press('?'); // on a message
  await dialog.waitFor();
  await picture(page, 'keys');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await comes(/^article/);
  const field = page.getByRole('textbox', { name: 'Message' });
  await field.focus();
  await page.keyboard.type('why?');
  assert.equal(await field.inputValue(), 'why?');
  assert.equal(await dialog.count(), 0);
  await page.keyboard.press('Control+/');
  await dialog.waitFor();
  await page.keyboard.press('Enter'); // closes: its button has the focus
  await dialog.waitFor({ state: 'detached' });
  await comes(/textarea/);
  await field.fill('');
});

test('Escape leads back, and the list goes on from there', async () => {
  await page.keyboard.press('Escape');
  await page.getByText('Choose a conversation').waitFor();
  await page.goBack();
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
});

// clean asserts that what others wrote is text on this screen, and nothing else.
async function clean(screen, seen = true) {
  if (seen) await page.getByText('onerror=alert(1)').locator('visible=true').first().waitFor();
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('img:not(.qr, .picture img), svg, script, iframe, object, embed, [onerror], [onload], [href^=javascript]')].filter((e) => e.closest('body')).map((e) => e.outerHTML)), [], screen);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${screen} scrolls sideways`);
}

test('hostile words are words on every screen', async () => {
  const name = `${hostile}.txt`;
  const file = join(w.dir, 'harmless');
  await writeFile(file, 'some words');
  const { id } = await w.call('mallory', 'POST', '/v1/files', Buffer.from('some words'), { 'Content-Type': 'text/plain', 'Pabal-Name': encodeURIComponent(name), 'Pabal-Metadata': 'keep' });
  const [{ id: chat }] = JSON.parse(await w.pabal('mallory', '--json', 'chat', 'list')).items;
  await w.call('mallory', 'POST', `/v1/conversations/${chat}/messages`, { text: `${hostile} first` });
  await w.call('mallory', 'POST', `/v1/conversations/${chat}/messages`, { text: hostile, files: [id] });
  const mine = JSON.parse(await w.pabal('mallory', '--json', 'read', 'Mina')).items;
  const own = mine.find((m) => m.body?.text === 'by keys');
  await w.call('mallory', 'POST', `/v1/conversations/${chat}/messages`, { text: `${hostile} answer`, reply_to: mine.find((m) => m.body?.text.endsWith('first')).id });
  await w.call('mallory', 'PUT', `/v1/messages/${own.id}/reactions/${encodeURIComponent('❤️')}`);
  await converse(page, /onerror/);
  await page.locator('article', { hasText: 'answer' }).locator('blockquote').waitFor();
  await page.locator('.file', { hasText: name }).waitFor();
  await clean('the conversation');
  const article = page.locator('article', { hasText: 'answer' });
  await article.hover();
  await article.getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').getByText('Who may hold a copy').click();
  await page.getByRole('dialog').getByText(/the device of/i).waitFor();
  await clean('what can be done with a message');
  await page.getByRole('dialog').getByRole('button', { name: 'Star' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Details' }).click();
  await page.locator('.digits').waitFor();
  await clean('what is known of a contact');
  for (const screen of ['Starred', 'Network', 'Outbox', 'Requests', 'Settings', 'Add a contact']) {
    await page.locator('.links').getByRole('button', { name: screen }).click();
    await page.locator('main h1').getByText(screen).waitFor();
    await clean(screen);
  }
  await page.getByRole('searchbox').fill('onerror');
  await page.locator('.hit').nth(1).waitFor();
  await clean('what was found');
  await page.getByRole('searchbox').fill('');
});

test('hostile words in a request are words, and can be refused', async () => {
  await w.start('eve', `${hostile} e`);
  const link = await w.pabal('mina', 'invite', 'create', '--ask');
  await w.pabal('eve', 'add', link, '--greeting', `</p><script>alert(2)</script> ${hostile}`);
  await page.getByRole('button', { name: 'Requests (1)' }).click();
  await page.locator('.cards').getByText('</p><script>alert(2)</script>').waitFor();
  await clean('a request');
  await picture(page, 'hostile-request');
  await page.getByRole('button', { name: 'Decline, silently' }).click();
  await page.getByText('Nobody is asking you.').waitFor();
});

test('hostile words are words where the owner looks', async () => {
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Warrant report' }).click();
  await page.locator('input[name=secret]').fill('horse battery');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.locator('pabal-warrant .cards > li').first().waitFor();
  await clean('the warrant report');
  await page.setViewportSize({ width: 320, height: 640 });
  await clean('the warrant report, narrow', false);
  await picture(page, 'warrant-narrow');
  await page.goBack();
  await page.getByRole('button', { name: 'Programs with a token' }).click();
  await page.getByRole('button', { name: 'Make it' }).waitFor();
  await clean('the tokens, narrow', false);
});
