// From nothing to a conversation: setup, adding, talking, the outbox.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { passable, picture, until, World } from './world.mjs';

let w;
before(async () => { w = await World.make(); });
after(() => w.close());

/** Asserts that a line was brought into view, which may be below the edge. */
async function seen(line) {
  const { top, bottom } = await line.evaluate((x) => x.getBoundingClientRect().toJSON());
  const height = await line.evaluate(() => innerHeight);
  assert.ok(top >= 0 && bottom < height + 1, `${top} to ${bottom} of ${height} is out of view`);
}

test('set up, add by link, talk', async () => {
  await w.start('mina');
  await w.start('jiwoo', 'Jiwoo');
  const page = await w.signIn('mina');

  await page.getByLabel('Your name').fill('미나');
  assert.equal(page.url().includes('#'), false, 'the code stays in the address');
  await picture(page, 'setup');
  await page.getByLabel('Passphrase', { exact: false }).first().fill('horse battery');
  await page.getByLabel('The passphrase again').fill('horse batterx');
  await page.getByLabel('1 week after reading').check();
  await page.getByRole('button', { name: 'Make the profile' }).click();
  await page.getByText('The passphrases differ.').waitFor();
  await seen(page.getByText('The passphrases differ.'));
  await page.getByLabel('The passphrase again').fill('horse battery');
  await page.getByRole('button', { name: 'Make the profile' }).click();
  await page.locator('button:disabled', { hasText: 'One moment…' }).waitFor();
  await page.getByText('Choose a conversation').waitFor();
  assert.equal(await w.pabal('mina', 'settings', 'get', 'disappearing'), '1w:read');

  // A link made here; the other one follows it.
  await page.getByRole('button', { name: 'Add a contact' }).click();
  await page.getByRole('button', { name: 'Make a link' }).click();
  const link = await page.getByLabel('Your invite link').inputValue();
  await until('the QR code is drawn', () => page.locator('img.qr').evaluate((img) => img.complete && img.naturalWidth > 0));
  await picture(page, 'add');
  await w.pabal('jiwoo', 'add', link, '--wait', '90s');
  const chat = page.locator('.chats').getByRole('button', { name: /Jiwoo/ });
  await chat.click();

  // Sending and receiving, with the state of each.
  const field = page.getByRole('textbox', { name: 'Message' });
  await field.fill('안녕, 반가워요 👋');
  await field.press('Enter');
  const own = page.locator('article', { hasText: '안녕, 반가워요' });
  await own.getByText('delivered').waitFor();
  assert.equal(await field.inputValue(), '');
  assert.match(await w.pabal('jiwoo', 'read', '미나'), /안녕, 반가워요/);
  await w.pabal('jiwoo', 'send', '미나', 'Nice to meet you <b>too</b>');
  await page.locator('article', { hasText: 'Nice to meet you <b>too</b>' }).waitFor();

  // What the page cannot make yet it shows all the same.
  const told = JSON.parse(await w.pabal('jiwoo', '--json', 'read', '미나'));
  const answered = (told.items ?? told).find((m) => m.body?.text.startsWith('안녕'));
  const conversation = answered.conversation_id;
  await w.call('jiwoo', 'POST', `/v1/conversations/${conversation}/messages`, { text: 'an answer', reply_to: answered.id });
  await page.locator('article', { hasText: 'an answer' }).locator('blockquote', { hasText: '안녕, 반가워요' }).waitFor();
  await page.locator('article', { hasText: 'an answer' }).getByText('an answer').waitFor();
  await picture(page, 'conversation');

  // What was read is not unread, also for the others.
  await page.bringToFront();
  await until('it is read', async () => !/Jiwoo.*[1-9] unread/.test(await chat.textContent()));
});

test('a link that is given, and a request that is asked for', async () => {
  const page = await w.signIn('jiwoo', { viewport: { width: 390, height: 844 } });
  await w.start('hana', 'Hana');
  const link = await w.pabal('hana', 'invite', 'create', '--ask');
  page.expected.push(/status of 422/); // a link that is none
  await page.getByRole('button', { name: 'Add a contact' }).click();
  await page.getByRole('textbox', { name: 'Link', exact: true }).fill('not a link');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText(/no valid invite link/).waitFor();
  await seen(page.getByText(/no valid invite link/));
  await page.getByRole('textbox', { name: 'Link', exact: true }).fill(`here you are: ${link}`);
  await page.getByLabel(/What you call them/).fill('하나');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('Asked.').waitFor();
  await seen(page.getByText('Asked.'));
  await page.getByRole('button', { name: 'Conversations' }).click();

  const hana = await w.signIn('hana');
  await hana.getByRole('button', { name: 'Requests (1)' }).click();
  await hana.getByText('Jiwoo').waitFor();
  await picture(hana, 'requests');
  await hana.getByRole('button', { name: 'Accept' }).click();
  await hana.getByText('Nobody is asking you.').waitFor();
  await page.locator('.chats').getByRole('button', { name: /하나/ }).click();
  await page.getByRole('heading', { name: '하나' }).waitFor();
  const { width } = await page.getByRole('textbox', { name: 'Message' }).boundingBox();
  assert.ok(width > 330, `a text is written in ${width} px`);
});

test('a request that nobody answers has a name, and is cancelled', async () => {
  await w.start('nari', 'Nari');
  const link = await w.pabal('nari', 'invite', 'create');
  await w.stop('nari');
  await w.pabal('hana', 'add', link);
  const page = await w.signIn('hana');
  const row = page.locator('.chats .waiting');
  await row.getByText(/^Link of [A-Z][a-z]+ \d+$/).waitFor();
  await picture(page, 'asked');
  await row.getByRole('button', { name: 'Cancel the request' }).click();
  await row.waitFor({ state: 'detached' });
  assert.doesNotMatch(await w.pabal('hana', '--json', 'contact', 'list'), /"requested"/);
});

test('a link in a picture of its QR code', async () => {
  await w.start('sora', 'Sora');
  const sora = await w.signIn('sora');
  await sora.getByRole('button', { name: 'Add a contact' }).click();
  await sora.getByRole('button', { name: 'Make a link' }).click();
  const shown = sora.getByAltText('The link as a QR code');
  await until('the QR code is drawn', () => shown.evaluate((img) => img.complete && img.naturalWidth > 0));
  const link = await sora.getByRole('textbox', { name: 'Your invite link' }).inputValue();
  const photo = await shown.screenshot();

  const page = await w.signIn('hana');
  await page.getByRole('button', { name: 'Add a contact' }).click();
  const file = page.getByLabel('From a picture of its QR code');
  page.expected.push(/status of 422/, /status of 422/); // no picture, and one without a code
  await file.setInputFiles({ name: 'note.png', mimeType: 'image/png', buffer: Buffer.from(link) });
  await page.getByText(/Not a JPEG, PNG or GIF|not a JPEG, PNG or GIF/).waitFor();
  await file.setInputFiles({ name: 'page.png', mimeType: 'image/png', buffer: await page.getByRole('heading', { name: 'Add a contact' }).screenshot() });
  await page.getByText(/no QR code/i).waitFor();
  await file.setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: photo });
  await until('the link is there', async () => (await page.getByRole('textbox', { name: 'Link', exact: true }).inputValue()) === link);
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('Asked.').waitFor();
  await page.locator('.chats').getByRole('button', { name: /Sora/ }).waitFor();
});

test('the outbox while the other one is off', async () => {
  const page = await w.signIn('hana');
  await page.locator('.chats').getByRole('button', { name: /Jiwoo/ }).click();
  await w.stop('jiwoo');
  const field = page.getByRole('textbox', { name: 'Message' });
  for (const text of ['first', 'second']) {
    await field.fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('article', { hasText: text }).getByText('queued').waitFor();
  }
  await page.getByRole('button', { name: 'Outbox' }).click();
  const cards = page.locator('pabal-outbox .cards li').filter({ hasText: 'Jiwoo' });
  await until('both wait', async () => await cards.count() === 2);
  await cards.first().getByText(/Why/).click();
  await picture(page, 'outbox');
  await cards.filter({ hasText: 'second' }).getByRole('button', { name: 'Take back' }).click();
  await until('one waits', async () => await cards.count() === 1);
  await w.start('jiwoo');
  await page.getByText('Nothing waits.').waitFor();
  assert.doesNotMatch(await w.pabal('jiwoo', 'read', 'Hana'), /second/);
});

test('a name behind an @ names that person, for both', async () => {
  const page = await w.signIn('jiwoo');
  await page.locator('.chats').getByRole('button', { name: /미나/ }).click();
  const field = page.getByRole('textbox', { name: 'Message' });
  await field.fill('👋 @미나, and @nobody');
  await field.press('Enter');
  const own = page.locator('article.own', { hasText: 'and @nobody' });
  await own.getByText('delivered').waitFor();
  assert.deepEqual(await own.locator('mark').allTextContents(), ['@미나']);
  assert.equal(await own.locator('.text').textContent(), '👋 @미나, and @nobody');
  assert.match(await w.pabal('mina', 'read', 'Jiwoo', '-n', '1'), /\[to you\] 👋 @미나/);

  await w.pabal('mina', 'send', 'Jiwoo', 'who, @Jiwoo?', '--mention');
  const theirs = page.locator('article', { hasText: 'who, @Jiwoo?' });
  await theirs.locator('mark', { hasText: '@Jiwoo' }).waitFor();
  await passable(page, 'mentions');

  // An edit says them anew.
  await own.getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await field.fill('@미나 @미나');
  await field.press('Enter');
  const edited = page.locator('article.own', { hasText: '@미나 @미나' });
  await edited.getByText('edited').waitFor();
  assert.deepEqual(await edited.locator('mark').allTextContents(), ['@미나', '@미나']);
});
