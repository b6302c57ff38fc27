// What is left to the owner: the warrant report, the drill, tokens. The page asks who sits
// there before it shows any of them.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { passable, picture, until, World } from './world.mjs';

const passphrase = 'horse battery';

let w;
let page;
before(async () => {
  w = await World.make();
  await w.start('mina');
  await w.start('theo', 'Theo');
  page = await w.signIn('mina');
  await page.getByLabel('Your name').fill('Mina');
  for (const field of await page.locator('input[type=password]').all()) await field.fill(passphrase);
  await page.getByLabel('never').check();
  await page.getByRole('button', { name: 'Make the profile' }).click();
  await page.getByText('Choose a conversation').waitFor();
  await w.befriend('mina', 'theo');
  await w.pabal('theo', 'send', 'Mina', 'one', '--wait', 'delivered');
  await w.pabal('mina', 'send', 'Theo', 'two', '--wait', 'delivered');
});
after(() => w.close());

// open goes to one of the screens, and says who one is if that is asked.
async function open(name, proof = passphrase) {
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  const secret = page.locator('input[name=secret]');
  await page.locator('main :is(form, .cards > li)').first().waitFor();
  if (await secret.count() === 0 || proof === null) return secret;
  await secret.fill(proof);
  await page.getByRole('button', { name: 'Confirm' }).click();
  return secret;
}

// status is what a program is answered that comes with a token.
const status = (token, path) => new Promise((done, failed) => {
  const r = request(new URL(path, page.url()), { headers: { Authorization: `Bearer ${token}` } }, (answer) => { answer.resume(); done(answer.statusCode); });
  r.on('error', failed);
  r.end();
});

test('nothing is shown to who does not know the passphrase', async () => {
  page.expected.push(/status of 401/);
  const secret = await open('Warrant report', 'a wrong one');
  await page.getByText(/Wrong passphrase/).waitFor();
  assert.equal(await page.locator('pabal-warrant .cards').count(), 0);
  await page.reload(); // what was confirmed is in no storage
  await secret.waitFor();
  await picture(page, 'confirm');
});

test('the passphrase of a decoy is a wrong one while the true profile is open', async () => {
  const [own, duress] = [join(w.dir, 'own'), join(w.dir, 'duress')];
  await writeFile(own, `${passphrase}\n`);
  await writeFile(duress, 'a harmless one\n');
  await w.pabal('mina', 'duress', 'set', '--yes', '--passphrase-file', own, '--duress-passphrase-file', duress, '--name', 'Mina');
  await open('Programs with a token', 'a harmless one');
  await page.getByText(/Wrong passphrase/).waitFor();
  assert.equal(await page.getByText('No program has a token').count(), 0);
  await w.pabal('mina', 'duress', 'clear', '--yes', '--passphrase-file', own);
});

test('the warrant report says of each what it would give', async () => {
  await open('Warrant report');
  const card = (who) => page.locator('pabal-warrant .cards > li').filter({ has: page.getByRole('heading', { name: who }) });
  await card('This machine, unlocked').getByText(/2 messages and notices, the oldest of/).waitFor();
  await card('This machine, locked or off').getByText('The rest is protected by: your passphrase').waitFor();
  assert.doesNotMatch(await card('This machine, unlocked').textContent(), /protected/);
  await card('Couriers of contacts').getByText('Sealed mail of yours: none now').waitFor();
  await card('The device of Theo').getByText(/Obtained: texts, files, names/).waitFor();
  await picture(page, 'warrant');
});

test('a drill says how far it is and what it found', async () => {
  await open('Drill');
  const step = page.locator('pabal-drill p[role=status]');
  await page.getByRole('button', { name: 'Begin' }).click();
  await until('it says what it does', async () => /…$/.test(await step.textContent()));
  assert.equal(await page.getByRole('progressbar').isVisible(), true);
  await page.getByText('Nothing that was deleted was found.').waitFor();
  const fine = Number(/Checks in order: (\d+)/.exec(await page.locator('pabal-drill').textContent())[1]);
  assert.ok(fine > 10, `only ${fine} checks`);
  const rows = await page.locator('.rungs li').allTextContents();
  for (const row of rows) assert.doesNotMatch(row, /_|\{|undefined/, 'a row without a sentence');
  assert.equal(await page.getByRole('progressbar').count(), 0);
  await picture(page, 'drill');
});

test('a token is made, used and revoked', async () => {
  await open('Programs with a token');
  await page.getByText('No program has a token.').waitFor();
  await page.getByLabel('For which program').fill('<b>a bot</b>');
  await page.getByLabel(/^It may/).selectOption('read');
  await page.getByLabel('Ends after').selectOption('1 week');
  await page.getByRole('button', { name: 'Make it' }).click();
  const secret = page.getByLabel('The token');
  await secret.waitFor();
  assert.equal(await secret.evaluate((s) => s === document.activeElement), true, 'the token has not the focus');
  const token = await secret.inputValue();
  await picture(page, 'tokens');
  assert.equal(await status(token, '/v1/contacts'), 200);
  assert.equal(await status(token, '/v1/warrant'), 403);
  const card = page.locator('pabal-tokens .cards > li', { hasText: '<b>a bot</b>' });
  await card.getByText(/messages:read/).waitFor();
  await card.getByText(/Works until/).waitFor();
  await card.getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('No program has a token.').waitFor();
  assert.equal(await status(token, '/v1/contacts'), 401);
  assert.equal(await page.getByLabel('The token').count(), 0, 'the token stays on the screen');
});

test('a token has the rights that were chosen, in one conversation', async () => {
  await open('Programs with a token');
  await page.getByLabel('For which program').fill('a watcher');
  await page.getByLabel(/^It may/).selectOption('what I choose');
  for (const scope of ['conversations:read', 'events']) await page.getByLabel(scope, { exact: true }).check();
  await page.getByLabel('Where').selectOption({ label: 'Theo' });
  await page.getByRole('button', { name: 'Make it' }).click();
  const token = await page.getByLabel('The token').inputValue();
  assert.equal(await status(token, '/v1/conversations'), 200);
  assert.equal(await status(token, '/v1/search?q=one'), 403);
  const [made] = JSON.parse(await w.pabal('mina', '--json', 'token', 'list')).items;
  assert.deepEqual([made.scopes, made.constraints.conversations.length], [['conversations:read', 'events'], 1]);
});

test('a program that asks gets a token by the code that it shows, with no more rights than are left', async () => {
  const ask = (client) => w.call('mina', 'POST', '/v1/pairings', { client_name: client, scopes: ['contacts:read', 'search'] });
  const collect = ({ id, device_code: code }) => w.call('mina', 'POST', `/v1/pairings/${id}/collect`, { device_code: code });
  await open('Programs with a token');
  assert.equal(await page.getByText('Programs that ask').isVisible(), false);
  const draft = page.getByLabel('For which program');
  await draft.fill('being typed');
  const asked = await ask('<b>a helper</b>');
  const card = page.locator('pabal-tokens section li').filter({ has: page.getByRole('heading', { name: '<b>a helper</b>' }) });
  await card.waitFor();
  assert.equal(await draft.inputValue(), 'being typed', 'what was typed is gone');
  await passable(page, 'pairing');
  page.expected.push(/status of 422/);
  const code = card.getByLabel('The code that it shows');
  await code.fill(asked.user_code === '0000-0000' ? '1111-1111' : '0000-0000');
  await card.getByRole('button', { name: 'Approve' }).click();
  await card.getByText('These digits are wrong').waitFor();
  assert.equal((await collect(asked)).state, 'waiting');
  await card.getByLabel('search').uncheck();
  await code.fill(asked.user_code);
  await code.press('Enter');
  await card.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the focus is lost');
  const { state, token } = await collect(asked);
  assert.equal(state, 'approved');
  assert.equal(await status(token, '/v1/contacts'), 200);
  assert.equal(await status(token, '/v1/search?q=one'), 403);
  await page.locator('pabal-tokens > div > .cards > li', { hasText: '<b>a helper</b>' }).waitFor();

  const other = await ask('a stranger');
  await page.getByRole('heading', { name: 'a stranger' }).waitFor();
  await page.getByRole('button', { name: 'Refuse' }).click();
  await page.getByRole('heading', { name: 'a stranger' }).waitFor({ state: 'detached' });
  assert.equal((await collect(other)).state, 'denied');
});

test('a name and a picture, which contacts see', async () => {
  const red = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mM4oaGBFTEMLQkAgl1GARdiiXUAAAAASUVORK5CYII=', 'base64');
  await open('Name and picture');
  const label = page.locator('pabal-profile').getByLabel('Name');
  assert.equal(await label.inputValue(), 'Mina');
  await label.fill('미나');
  await page.getByRole('button', { name: 'Save' }).click();
  await until('Theo sees the name', async () => JSON.parse(await w.pabal('theo', '--json', 'contact', 'list')).items.some((c) => c.name === '미나'));
  await page.locator('.me', { hasText: '미나' }).waitFor();

  page.expected.push(/status of 422/);
  const pick = page.locator('pabal-profile input[type=file]');
  await pick.setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('<svg onload="alert(1)"/>') });
  await page.getByRole('button', { name: 'Use the picture' }).click();
  await page.getByText(/Not a JPEG, PNG or GIF/).waitFor();
  await pick.setInputFiles({ name: 'red.png', mimeType: 'image/png', buffer: red });
  await page.getByRole('button', { name: 'Use the picture' }).click();
  const own = page.locator('pabal-profile img.face');
  await until('it is drawn', () => own.evaluate((img) => img.complete && img.naturalWidth === 8));
  const theirs = async () => JSON.parse(await w.pabal('theo', '--json', 'contact', 'list')).items[0].picture;
  await until('Theo has it', async () => await theirs() !== null);
  await passable(page, 'profile');

  // Theirs stands beside their name.
  await writeFile(join(w.dir, 'red.png'), red);
  await w.pabal('theo', 'me', 'picture', join(w.dir, 'red.png'));
  const face = page.locator('.chats img.face');
  await until('theirs is drawn', () => face.evaluate((img) => img.complete && img.naturalWidth === 8));
  await page.locator('.chats').getByRole('button', { name: /Theo/ }).click();
  await page.locator('.chat-head img.face').waitFor();
  await passable(page, 'face');
  await w.pabal('theo', 'me', 'picture', '--clear');
  await face.waitFor({ state: 'detached' });
  await page.locator('.chat-head img.face').waitFor({ state: 'detached' });

  await open('Name and picture');
  await page.getByRole('button', { name: 'No picture' }).click();
  await until('Theo hears it', async () => await theirs() === null);
});

test('a lock takes what was confirmed', async () => {
  await open('Warrant report');
  await page.locator('pabal-warrant .cards').waitFor();
  await w.pabal('mina', 'lock');
  const field = page.getByLabel('Passphrase');
  await field.waitFor();
  assert.equal(await page.getByText('The device of').count(), 0);
  page.expected.push(/status of 403/); // of what was confirmed before
  await field.fill(passphrase);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.locator('input[name=secret]').waitFor();
});
