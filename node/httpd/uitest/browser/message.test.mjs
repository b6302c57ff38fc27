// What can be done with a message and with a conversation.

import assert from 'node:assert/strict';
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

const article = (text, on = page) => on.locator('article').filter({ has: on.locator('.text', { hasText: text }) });
const dialog = () => page.getByRole('dialog');

async function send(text) {
  await field.fill(text);
  await field.press('Enter');
  await article(text).getByText('delivered').waitFor();
}

async function open(text) {
  await dialog().waitFor({ state: 'detached' });
  await article(text).hover();
  await article(text).getByRole('button', { name: 'Message', exact: true }).click();
  await dialog().waitFor();
}

const theirs = async () => JSON.parse(await w.pabal('theo', '--json', 'read', 'Mina')).items;

test('answer a message, find it again, and keep the answer as a draft', async () => {
  await send('shall we meet?');
  for (let i = 0; i < 70; i++) await w.pabal('theo', 'send', 'Mina', `noise ${i}.`);
  await article('noise 69.').waitFor();
  await page.locator('.log').evaluate((log) => { log.scrollTop = 0; });
  await article('shall we meet?').waitFor();
  await open('shall we meet?');
  await picture(page, 'message');
  await dialog().getByRole('button', { name: 'Reply' }).click();
  await page.locator('.answers').getByText('shall we meet?').waitFor();
  await until('the composer has the focus', () => field.evaluate((f) => f === document.activeElement));
  await field.fill('at noon');
  await until('the daemon keeps what it answers', async () => /"reply_to": ?"ms_/.test(await w.pabal('mina', '--json', 'chat', 'show', 'Theo')));
  await page.reload();
  await page.locator('.answers').getByText('shall we meet?').waitFor();
  assert.equal(await field.inputValue(), 'at noon');
  await field.press('Enter');
  await article('at noon').getByText('delivered').waitFor();
  assert.equal(await page.locator('.answers').isVisible(), false);
  const quote = article('at noon').locator('blockquote');
  await quote.getByText('shall we meet?').waitFor();
  assert.ok((await theirs()).find((m) => m.body?.text === 'at noon').reply_to.id);
  await quote.getByRole('button').click();
  await until('it is shown', () => page.locator('.found-here article').evaluate((a) => a === document.activeElement && a.textContent.includes('shall we meet?')));
  await page.getByRole('button', { name: /Newest/ }).click();
});

test('put an emoji on a message and take it off', async () => {
  await w.pabal('theo', 'send', 'Mina', 'good news');
  await open('good news');
  await dialog().getByRole('button', { name: '👍' }).click();
  const put = article('good news').locator('.reactions').getByRole('button', { name: /👍/ });
  await put.waitFor();
  await until('the other side sees it', async () => (await theirs()).some((m) => m.reactions?.some((r) => r.emoji === '👍')));
  await open('good news');
  page.expected.push(/status of 422/); // a word is no emoji
  await dialog().getByLabel('Another emoji').fill('well');
  await dialog().getByRole('button', { name: 'React' }).click();
  await dialog().getByText(/Not one emoji/).waitFor();
  await page.keyboard.press('Escape');
  await put.click();
  await put.waitFor({ state: 'detached' });
  await until('the other side sees it gone', async () => !(await theirs()).some((m) => m.reactions?.length > 0));
});

test('delete here, and for everyone with the answer of the other side', async () => {
  await send('only mine goes');
  await open('only mine goes');
  await dialog().getByText(/What was read, photographed or backed up stays/).waitFor();
  await dialog().getByRole('button', { name: 'Delete here' }).click();
  await article('only mine goes').waitFor({ state: 'detached' });
  assert.ok((await theirs()).some((m) => m.body?.text === 'only mine goes'));

  await send('all of it goes');
  await open('all of it goes');
  await dialog().getByRole('button', { name: 'Delete for everyone' }).click();
  await page.locator('.gone', { hasText: 'the other side confirms' }).waitFor();
  assert.equal((await theirs()).some((m) => m.body?.text === 'all of it goes'), false);

  await w.pabal('theo', 'send', 'Mina', 'said aloud');
  await page.locator('#live', { hasText: 'said aloud' }).waitFor({ state: 'attached' });
  await w.call('theo', 'DELETE', `/v1/messages/${(await theirs()).find((m) => m.body?.text === 'said aloud').id}?for=everyone`);
  await until('nothing is left for screen readers', async () => await page.locator('#live').textContent() === '', 4);
});

test('a star and a pin lead back to their message', async () => {
  await send('the address is 12 Elm');
  await open('the address is 12 Elm');
  await dialog().getByRole('button', { name: 'Star' }).click();
  await article('the address').getByTitle('starred').waitFor();
  await open('the address is 12 Elm');
  await dialog().getByRole('button', { name: 'Pin' }).click();
  await article('the address').getByTitle('pinned').waitFor();
  await page.getByRole('button', { name: 'Starred' }).click();
  await picture(page, 'starred');
  await page.locator('.cards').getByRole('button', { name: /12 Elm/ }).click();
  await page.locator('.found-here', { hasText: '12 Elm' }).waitFor();
  await page.getByRole('button', { name: 'Details' }).click();
  await page.getByRole('heading', { name: 'Pinned messages' }).waitFor();
  await page.locator('.cards').getByRole('button', { name: /12 Elm/ }).waitFor();
  await page.getByRole('button', { name: 'To the messages' }).click();
});

test('one message goes sooner than the others, and its copies are named', async () => {
  await page.getByLabel('How long the next message stays').selectOption('an hour after reading'.replace('an hour', '1 hour'));
  await send('for an hour');
  const sent = (await theirs()).find((m) => m.body?.text === 'for an hour');
  assert.deepEqual(sent.disappearing, { mode: 'read', seconds: 3600 });
  await send('as ever');
  assert.equal((await theirs()).find((m) => m.body?.text === 'as ever').disappearing, null);
  for (const time of ['1 minute after reading', '1 day after reading']) {
    await page.getByLabel('New messages disappear').selectOption(time);
    await page.locator('.note', { hasText: `Me: new messages go ${time}` }).waitFor();
    await until('no notice says another time', async () => await page.locator('.note').count() === 1);
  }
  await open('as ever');
  await dialog().getByText('Who may hold a copy').click();
  await dialog().getByText(/the device of Theo: readable/).waitFor();
  await dialog().getByText('backups of the contact\'s machine').waitFor();
  await picture(page, 'copies');
  await page.keyboard.press('Escape');
});

test('pin, mute, archive, rename, verify, block', async () => {
  const row = page.locator('.chats').getByRole('button', { name: /Theo/ });
  await page.getByRole('button', { name: 'Details' }).click();
  await page.getByRole('button', { name: 'Pin', exact: true }).click();
  await row.getByText('pinned').waitFor();
  await page.getByRole('button', { name: 'Mute for 8 hours' }).click();
  await page.getByText(/^Muted until/).waitFor();
  await row.getByText('muted').waitFor();
  await page.getByRole('button', { name: 'Unmute' }).click();
  await page.getByRole('button', { name: 'Archive', exact: true }).click();
  await row.getByText('archived').waitFor();
  await page.getByRole('button', { name: 'Take out of the archive' }).click();

  const number = await page.getByRole('list', { name: 'Safety number' }).getByRole('listitem').allTextContents();
  const shown = JSON.parse(await w.pabal('theo', '--json', 'verify', 'Mina')).safety_number;
  assert.deepEqual(number, shown);
  await until('the QR code is drawn', () => page.locator('pabal-about img.qr').evaluate((img) => img.complete && img.naturalWidth > 0));
  page.expected.push(/status of 409/, /status of 422/); // another number
  await page.getByLabel(/Their number/).fill(['00000', ...shown.slice(1)].join(' '));
  await page.getByRole('button', { name: 'It is the same' }).click();
  await page.getByText(/The safety numbers differ/).waitFor();
  await page.getByLabel(/Their number/).fill(shown.join(' '));
  await page.getByRole('button', { name: 'It is the same' }).click();
  await page.getByText('Verified', { exact: true }).waitFor();
  await picture(page, 'about');
  const theo = JSON.parse(await w.pabal('mina', '--json', 'chat', 'show', 'Theo')).contact_id;
  await w.call('mina', 'DELETE', `/v1/contacts/${theo}/verification`); // elsewhere
  await page.getByRole('button', { name: 'It is the same' }).waitFor();

  await page.getByLabel(/What you call them/).fill('Teo');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.chats').getByRole('button', { name: /Teo/ }).waitFor();
  await page.getByRole('button', { name: 'Block', exact: true }).click();
  await page.getByRole('button', { name: 'Unblock' }).click();
  await page.getByRole('button', { name: 'Block', exact: true }).waitFor();
});

test('what waits says why, and is taken back', async () => {
  await page.getByRole('button', { name: 'To the messages' }).click();
  await w.stop('theo');
  await field.fill('too soon');
  await field.press('Enter');
  await article('too soon').getByText('queued').waitFor();
  await open('too soon');
  await dialog().getByText(/No connection stands now|Sent, not confirmed yet|No address that may be dialled/).waitFor();
  await picture(page, 'why');
  await dialog().getByRole('button', { name: 'Take back' }).click();
  await article('too soon').waitFor({ state: 'detached' });
  await w.start('theo');
});

test('what is worked on keeps the focus while messages come and change', async () => {
  await send('hold on to me');
  await article('hold on to me').focus();
  const held = () => until('it has the focus', () => article('hold on to me').evaluate((a) => a === document.activeElement));
  await w.pabal('theo', 'send', 'Mina', 'one more');
  await article('one more').waitFor();
  await held();
  const { id } = (await theirs()).find((m) => m.body?.text === 'hold on to me');
  await w.call('theo', 'PUT', `/v1/messages/${id}/reactions/${encodeURIComponent('👍')}`);
  await article('hold on to me').getByText('👍').waitFor();
  await held();
  await page.keyboard.press('ArrowDown');
  await until('the next one has it', () => article('one more').evaluate((a) => a === document.activeElement));
  const first = await page.locator('.log article').first().elementHandle(); // older ones come before it when it is seen
  await page.keyboard.press('Home');
  await until('the first one has it', () => first.evaluate((a) => a === document.activeElement));
});

test('what has failed is sent again, as a new message', async () => {
  await page.route('**/messages?limit=*', async (route) => {
    const answer = await route.fetch();
    const found = await answer.json();
    for (const m of found.items) if (m.body?.text === 'hold on to me') m.status = { ...m.status, state: 'failed' };
    await route.fulfill({ response: answer, json: found });
  });
  await page.reload();
  await article('hold on to me').getByText('failed').waitFor();
  await open('hold on to me');
  await dialog().getByRole('button', { name: 'Send again' }).click();
  await article('hold on to me').nth(1).getByText('delivered').waitFor();
  assert.equal((await theirs()).filter((m) => m.body?.text === 'hold on to me').length, 2);
  await page.unroute('**/messages?limit=*');
});

test('remove a contact', async () => {
  await page.getByRole('button', { name: 'Details' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByLabel('Yes, with all messages here').check();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.locator('.chats').getByRole('button', { name: /Teo/ }).waitFor({ state: 'detached' });
});
