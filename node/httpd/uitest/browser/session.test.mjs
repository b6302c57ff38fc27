// A page that outlives what it shows: locks, restarts, another program on the port.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { picture, until, World } from './world.mjs';

let w;
before(async () => { w = await World.make(); });
after(() => w.close());

async function setUp(page, name) {
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Passphrase', { exact: false }).first().fill('horse battery');
  await page.getByLabel('The passphrase again').fill('horse battery');
  await page.getByLabel('never').check();
  await page.getByRole('button', { name: 'Make the profile' }).click();
  await page.getByText('Choose a conversation').waitFor();
}

test('lock and unlock', async () => {
  await w.start('sora');
  const page = await w.signIn('sora');
  await setUp(page, 'Sora');
  await page.getByRole('button', { name: 'Settings' }).click();
  await picture(page, 'settings');
  await page.getByRole('button', { name: 'Lock all' }).click();
  const passphrase = page.getByLabel('Passphrase');
  await passphrase.waitFor();
  await page.getByText(/The keys are erased/).waitFor();
  assert.equal(await page.getByText('Sora').count(), 0, 'a locked page shows a name');
  await picture(page, 'unlock');
  page.expected.push(/status of 401/); // the wrong passphrase
  await passphrase.fill('wrong passphrase');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByText(/wrong passphrase/i).waitFor();
  await passphrase.fill('horse battery');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('heading', { name: 'Settings' }).waitFor();

  await page.getByRole('button', { name: 'Lock the screen' }).click();
  await page.getByText(/The screen only/).waitFor();
  assert.equal(await page.getByText('Sora').count(), 0, 'a locked screen shows a name');
  await passphrase.fill('horse battery');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('heading', { name: 'Settings' }).waitFor();

  // Locked and unlocked elsewhere, the page follows.
  await w.pabal('sora', 'lock');
  await passphrase.waitFor();
});

test('a lock takes what is open over the page, and a decoy is not given away by it', async () => {
  await w.start('nabi');
  const page = await w.signIn('nabi');
  await setUp(page, 'Nabi');
  await w.pabal('nabi', 'send', 'self', 'the true one');
  const secret = join(w.dir, 'secret');
  const duress = join(w.dir, 'duress');
  await writeFile(secret, 'horse battery\n');
  await writeFile(duress, 'a harmless one\n');
  await w.pabal('nabi', 'duress', 'set', '--yes', '--passphrase-file', secret, '--duress-passphrase-file', duress, '--name', 'Nabi');
  await page.locator('.chats').getByRole('button', { name: /Note/i }).click();
  const article = page.locator('article', { hasText: 'the true one' });
  await article.hover();
  await article.getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').waitFor();
  await w.pabal('nabi', 'lock', '--screen');
  const passphrase = page.getByLabel('Passphrase');
  await passphrase.waitFor();
  assert.equal(await page.getByRole('dialog').count(), 0, 'a dialog lies over the lock');
  assert.equal(await page.getByText('the true one').count(), 0);
  page.expected.push(/status of 404/); // of what the decoy does not have
  await passphrase.fill('a harmless one');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByText('Choose a conversation').waitFor();
  assert.deepEqual(await page.evaluate(() => history.state), { name: 'home' });
});

test('a login link works once, digits too', async () => {
  await w.start('dami', 'Dami');
  const link = await w.pabal('dami', 'web', '--print');
  const first = await w.page();
  await first.goto(link);
  await first.getByText('Choose a conversation').waitFor();
  const second = await w.page();
  second.expected.push(/status of 401/);
  await second.goto(link);
  const digits = second.getByLabel('Six digits');
  await digits.fill('000000');
  await second.getByRole('button', { name: 'Sign in' }).click();
  await second.getByText(/Wrong digits, or too old/).waitFor();
  await picture(second, 'sign-in');
  await digits.fill(JSON.parse(await w.pabal('dami', '--json', 'web')).code_digits);
  await second.getByRole('button', { name: 'Sign in' }).click();
  await second.getByText('Choose a conversation').waitFor();

  // The same digits show who sits here; wrong ones are no passphrase.
  await second.getByRole('button', { name: 'Settings' }).click();
  await second.getByRole('button', { name: 'Warrant report' }).click();
  await digits.fill('000000');
  await second.getByRole('button', { name: 'Confirm' }).click();
  await second.getByText(/Wrong digits, or too old/).waitFor();
});

test('a daemon that is killed and comes back loses nothing, and the page says what is so', async () => {
  await w.start('yuna', 'Yuna');
  await w.befriend('yuna', 'dami');
  const page = await w.signIn('yuna');
  const port = Number(new URL(page.url()).port);
  await page.locator('.chats').getByRole('button', { name: /Dami/ }).click();
  const field = page.getByRole('textbox', { name: 'Message' });
  await field.fill('before');
  await field.press('Enter');
  await page.locator('article', { hasText: 'before' }).getByText('delivered').waitFor();

  await w.stop('yuna', 'SIGKILL');
  await page.getByText(/Pabal does not answer\. What you write/).waitFor();
  await field.fill('meanwhile');
  await field.press('Enter');
  await page.locator('article', { hasText: 'meanwhile' }).getByText(/Not taken/).waitFor();
  await picture(page, 'no-daemon');

  // Another program has the port now: it learns nothing.
  const seen = [];
  const squatter = createServer((request, answer) => {
    let body = '';
    request.on('data', (d) => { body += d; });
    request.on('end', () => {
      seen.push({ path: request.url, token: request.headers.authorization, body });
      answer.setHeader('Content-Type', 'application/json');
      answer.end('{"proof":"AAAA","state":"ready"}');
    });
  });
  await new Promise((done) => { squatter.listen(port, '127.0.0.1', done); });
  await until('the page has asked', () => seen.length > 1);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('article', { hasText: 'meanwhile' }).getByText(/Not taken/).waitFor();
  await until('the page has asked again', () => seen.length > 3);
  squatter.closeAllConnections();
  await new Promise((done) => { squatter.close(done); });
  for (const request of seen) {
    assert.equal(request.path, '/v1/auth/proof');
    assert.equal(request.token, undefined);
    assert.doesNotMatch(request.body, /meanwhile|pbl_/);
  }

  await w.start('yuna');
  const again = await w.signIn('yuna');
  await again.locator('.chats').getByRole('button', { name: /Dami/ }).click();
  await again.locator('article', { hasText: 'before' }).waitFor();
  assert.equal(await again.locator('article', { hasText: 'meanwhile' }).count(), 0);
});

test('two tabs share one stream, and the second goes on when the first is closed', async () => {
  const first = await w.page();
  let streams = 0;
  first.context().on('request', (r) => { if (r.url().includes('/v1/events')) streams++; });
  await first.goto(await w.pabal('dami', 'web', '--print'));
  await until('the first tab has a stream', () => streams === 1);
  const second = await first.context().newPage();
  w.watch(second);
  await second.goto(first.url());
  for (const page of [first, second]) await page.locator('.chats').getByRole('button', { name: /Yuna/ }).click();
  await w.pabal('yuna', 'send', 'Dami', 'to both');
  for (const page of [first, second]) await page.locator('article', { hasText: 'to both' }).waitFor();
  assert.equal(streams, 1, 'the second tab opened a stream of its own');
  await first.close();
  await w.pabal('yuna', 'send', 'Dami', 'to the one that stays');
  await second.locator('article', { hasText: 'to the one that stays' }).waitFor();
  assert.equal(streams, 2);
});

test('settings are kept', async () => {
  const page = await w.signIn('sora');
  await page.getByLabel('Passphrase').fill('horse battery');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel(/When a contact deletes/).selectOption('keep it here');
  await until('it is kept', async () => await w.pabal('sora', 'settings', 'get', 'deletions') === 'refuse');
  await page.getByLabel(/Lock the screen when nobody/).selectOption('5 minutes');
  await until('it is kept', async () => /"lock_idle_seconds": ?300/.test(await w.pabal('sora', '--json', 'settings', 'get')));
});

test('changed devices stop the composer and lead to the safety number', async () => {
  // Nothing is unread: reading would tell of the conversation as it really is.
  const { items } = await w.call('dami', 'GET', '/v1/conversations');
  for (const c of items) await w.call('dami', 'POST', `/v1/conversations/${c.id}/read`, { up_to: c.last_position });
  const page = await w.page();
  await page.route('**/v1/snapshot?*', async (route) => {
    const answer = await route.fetch();
    const snapshot = await answer.json();
    for (const c of snapshot.conversations) if (c.kind === 'direct') c.security.state = 'key_changed';
    await route.fulfill({ response: answer, json: snapshot });
  });
  await page.goto(await w.pabal('dami', 'web', '--print'));
  await page.locator('.chats').getByRole('button', { name: /Yuna/ }).click();
  await page.getByText(/The keys are not those that you verified/).waitFor();
  assert.equal(await page.locator('.composer textarea').isDisabled(), true);
  await picture(page, 'key-change');
  await page.getByRole('button', { name: 'Compare the safety number', exact: true }).click();
  await page.getByRole('heading', { name: 'Safety number' }).waitFor();
});
