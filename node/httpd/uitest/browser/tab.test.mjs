// A page that stays open while things change behind it: restarts, locks, logins that end,
// a profile that is wiped; and what comes back from a backup.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { converse, friends, picture, until } from './world.mjs';

let w;
let page;
let field;
before(async () => {
  ({ w, page } = await friends());
  field = await converse(page, /Theo/);
});
after(() => w.close());

const texts = (on = page) => on.locator('article .text').allTextContents();
const article = (text, on = page) => on.locator('article', { hasText: text });

test('a restart amid messages loses none and doubles none', async () => {
  const sent = Array.from({ length: 24 }, (_, i) => `number ${i}.`);
  for (const text of sent.slice(0, 8)) await w.pabal('theo', 'send', 'Mina', text);
  await article('number 7.').waitFor();
  const stopped = w.stop('mina');
  for (const text of sent.slice(8, 16)) await w.pabal('theo', 'send', 'Mina', text);
  await stopped;
  await page.getByText(/Pabal does not answer/).waitFor();
  assert.ok((await texts()).includes('number 7.'), 'what was there is gone from the page');
  await w.start('mina');
  for (const text of sent.slice(16)) await w.pabal('theo', 'send', 'Mina', text);
  await page.context().close();
  page = await w.signIn('mina');
  field = await converse(page, /Theo/);
  await article('number 23.').waitFor();
  await until('all are there', async () => (await texts()).length >= sent.length);
  assert.deepEqual(await texts(), sent);
});

test('what waits for who is off says so, and goes when they come', async () => {
  await w.stop('theo');
  await field.fill('to the absent');
  await field.press('Enter');
  await article('to the absent').getByText('queued').waitFor();
  await article('to the absent').hover();
  await article('to the absent').getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').getByText(/no connection|not reached|No connection|address/i).first().waitFor();
  await page.keyboard.press('Escape');
  await w.start('theo');
  await article('to the absent').getByText('delivered').waitFor();
  assert.match(await w.pabal('theo', 'read', 'Mina'), /to the absent/);
});

test('a message that is read is shown as read, once the other one says so', async () => {
  await w.pabal('theo', 'contact', 'receipts', 'Mina');
  await field.fill('do you see this?');
  await field.press('Enter');
  await article('do you see this?').getByText('delivered').waitFor();
  await w.pabal('theo', 'read', 'Mina', '--mark');
  await article('do you see this?').locator('.state.read').getByText('read').waitFor();
  await picture(page, 'read');
});

test('each contact hears of reading as it is set for them', async () => {
  await page.getByRole('button', { name: 'Details' }).click();
  const box = page.getByLabel('Up to where I have read');
  assert.equal(await box.isChecked(), false, 'it is told without having been asked for');
  await box.check();
  await until('it is kept', async () => /"read_receipts": ?true/.test(await w.pabal('mina', '--json', 'contact', 'show', 'Theo')));
  await w.pabal('theo', 'send', 'Mina', 'read me', '--wait', 'delivered');
  field = await converse(page, /Theo/);
  await article('read me').waitFor();
  await until('Theo sees it', async () => /"state": ?"read"/.test(await w.pabal('theo', '--json', 'read', 'Mina', '-n', '1')));
});

test('forward a message: it says so, and not from whom', async () => {
  await w.start('hana', 'Hana');
  await w.befriend('mina', 'hana');
  await article('read me').hover();
  await article('read me').getByRole('button', { name: 'Message', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('summary', { hasText: 'Forward' }).click();
  await dialog.getByLabel(/Forward to/).selectOption('Hana');
  await picture(page, 'forward');
  await dialog.getByRole('button', { name: 'Forward' }).click();
  await dialog.waitFor({ state: 'detached' });
  await converse(page, /Hana/);
  await article('read me').getByText('forwarded').waitFor({ state: 'attached' });
  const hana = await w.signIn('hana');
  await converse(hana, /Mina/);
  await article('read me', hana).getByText('forwarded').waitFor({ state: 'attached' });
  assert.equal(await hana.getByText('Theo').count(), 0);
  await hana.context().close();
  field = await converse(page, /Theo/);
});

test('what disappears leaves the open page, too', async () => {
  await w.pabal('theo', 'send', 'Mina', 'gone in a moment', '--disappear', '3s:sent');
  await article('gone in a moment').waitFor();
  await article('gone in a moment').waitFor({ state: 'detached' });
  await page.getByRole('searchbox').fill('moment');
  await page.getByText('Nothing found.').waitFor();
  await page.getByRole('searchbox').fill('');
});

test('reading in one window takes the count from the other', async () => {
  const other = await w.signIn('mina');
  await converse(page, /Hana/);
  await w.pabal('theo', 'send', 'Mina', 'for both windows');
  const row = (on) => on.locator('.chats').getByRole('button', { name: /Theo/ });
  await row(page).getByText('unread').waitFor({ state: 'attached' });
  await row(other).getByText('unread').waitFor({ state: 'attached' });
  assert.match(await page.title(), /^\(1\)/);
  await other.bringToFront();
  await converse(other, /Theo/);
  await row(page).getByText('unread').waitFor({ state: 'detached' });
  await until('the title follows', async () => await page.title() === 'Pabal');
  await other.context().close();
});

test('the language changes at once', async () => {
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Language').selectOption('한국어');
  await page.getByRole('button', { name: '연락처 추가' }).waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'ko');
  await w.pabal('mina', 'settings', 'set', 'language', 'en');
  await page.getByRole('button', { name: 'Add a contact' }).waitFor();
});

test('a backup comes back in the page, with the contacts and the messages', async () => {
  const words = join(w.dir, 'words');
  const file = join(w.dir, 'backup');
  await writeFile(words, 'the words of the backup\n');
  await field.waitFor({ state: 'detached' });
  await w.pabal('mina', 'backup', 'create', file, '--messages', '--passphrase-file', words);
  await w.start('again');
  await w.pabal('again', 'backup', 'restore', file, '--passphrase-file', words, '--no-passphrase');
  const restored = await w.signIn('again');
  await converse(restored, /Theo/);
  await article('number 23.', restored).waitFor();
  await article('to the absent', restored).waitFor();
  await picture(restored, 'restored');
  await restored.context().close();
  await w.stop('again');
});

test('a page whose login has ended shows nothing, and says how to go on', async () => {
  const secret = join(w.dir, 'new');
  await writeFile(secret, 'horse battery\n');
  page.expected.push(/status of 401/);
  field = await converse(page, /Theo/);
  await article('number 23.').waitFor();
  await w.pabal('mina', 'passphrase', '--new-passphrase-file', secret);
  await page.getByText(/This page is not signed in/).waitFor();
  assert.equal(await page.getByText('number 23.').count(), 0);
  assert.equal(await page.evaluate(() => localStorage.length), 0, 'the session stays in the browser');
});

test('a page over a profile that is wiped shows nothing of it', async () => {
  page = await w.signIn('mina');
  await converse(page, /Theo/);
  await article('number 23.').waitFor();
  page.expected.push(/status of 401/); // the login ends with the profile
  await w.pabal('mina', 'wipe', '--now');
  await page.getByText('number 23.').waitFor({ state: 'detached' });
  assert.equal(await page.getByText('Theo').count(), 0);
  await picture(page, 'wiped');
});
