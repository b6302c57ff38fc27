// What programs would send, and waits for the owner: shown as it would be sent, and decided
// in the page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { friends, passable, until } from './world.mjs';

let w;
let page;
let token; // of a program whose messages wait
let conversation;
before(async () => {
  ({ w, page } = await friends());
  await w.pabal('theo', 'send', 'Mina', 'shall we?', '--wait', 'delivered');
  token = JSON.parse(await w.pabal('mina', '--json', 'token', 'create', '<i>helper</i>', '--preset', 'bot', '--approval')).token;
  [{ id: conversation }] = (await w.call('mina', 'GET', '/v1/conversations')).items;
});
after(() => w.close());

const propose = (body) => w.call('mina', 'POST', `/v1/conversations/${conversation}/messages`, body,
  { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` });
const cards = () => page.locator('pabal-approvals .cards > li');
const heard = async () => JSON.parse(await w.pabal('theo', '--json', 'read', 'Mina')).items.map((m) => m.body?.text);

test('nothing in the navigation while nothing waits', async () => {
  await page.locator('.links').getByRole('button', { name: 'Requests' }).waitFor();
  assert.equal(await page.getByRole('button', { name: /Approvals/ }).count(), 0);
});

test('a message that waits is shown as it would be sent, and goes when it is sent here', async () => {
  const [asked] = (await w.call('mina', 'GET', `/v1/conversations/${conversation}/messages`)).items;
  await propose({ text: 'yes,\n<b>gladly</b>', reply_to: asked.id });
  await page.getByRole('button', { name: 'Approvals (1)' }).click();
  const card = cards().filter({ hasText: 'gladly' });
  await card.getByRole('heading', { name: '<i>helper</i> → Theo' }).waitFor();
  await card.locator('blockquote', { hasText: 'shall we?' }).waitFor();
  assert.equal(await card.locator('.text').innerText(), 'yes,\n<b>gladly</b>');
  await card.getByText(/Waits until/).waitFor();
  await passable(page, 'approvals-en');
  assert.ok(!(await heard()).includes('yes,\n<b>gladly</b>'), 'it went before it was allowed');
  await card.getByRole('button', { name: 'Send' }).click();
  await page.getByText('No message waits for you.').waitFor();
  await page.getByRole('button', { name: 'Approvals', exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the focus is lost');
  await until('Theo has it', async () => (await heard()).includes('yes,\n<b>gladly</b>'));
});

test('what is refused never goes; the list follows what is decided elsewhere', async () => {
  await propose({ text: 'refused here' });
  await propose({ text: 'refused there' });
  await page.getByRole('button', { name: 'Approvals (2)' }).waitFor();
  await cards().filter({ hasText: 'refused here' }).getByRole('button', { name: 'Refuse' }).press('Enter'); // by the keyboard
  await page.getByRole('button', { name: 'Approvals (1)' }).waitFor();
  const [{ id }] = (await w.call('mina', 'GET', '/v1/approvals')).items;
  await w.pabal('mina', 'approvals', 'refuse', id);
  await page.getByText('No message waits for you.').waitFor();
  await w.pabal('mina', 'send', 'Theo', 'last', '--wait', 'delivered');
  const all = await heard();
  assert.ok(all.includes('last') && !all.some((text) => text?.startsWith('refused')), 'what was refused was sent');
});

test('a reading that fails says nothing of what waits, and is made again', async () => {
  await propose({ text: 'first' });
  await page.getByRole('button', { name: 'Approvals (1)' }).waitFor();
  page.expected.push(/status of (429|503)/);
  let failed = 0;
  const fail = (code, status) => page.route('**/v1/approvals', (r) => {
    failed++;
    return r.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify({ code }) });
  });
  await fail('rate_limited', 429);
  await propose({ text: 'second' });
  await until('two readings have failed', () => failed >= 2);
  await page.getByRole('button', { name: 'Approvals (1)' }).waitFor({ timeout: 5000 });
  await page.getByText('first').waitFor({ timeout: 5000 });
  await page.unroute('**/v1/approvals');
  await page.getByRole('button', { name: 'Approvals (2)' }).waitFor();

  failed = 0;
  await fail('internal', 503);
  await page.reload();
  await page.getByRole('heading', { name: 'Approvals' }).waitFor();
  await until('two readings have failed', () => failed >= 2);
  assert.equal(await page.getByText('No message waits for you.').isVisible(), false, 'nothing waits, it says');
  await page.unroute('**/v1/approvals');
  await page.getByRole('button', { name: 'Approvals (2)' }).waitFor();
  for (const { id } of (await w.call('mina', 'GET', '/v1/approvals')).items) await w.pabal('mina', 'approvals', 'refuse', id);
  await page.getByText('No message waits for you.').waitFor();

  page.expected.push(/status of 403/);
  failed = 0;
  await fail('scope_missing', 403);
  await page.reload();
  await page.getByText('No message waits for you.').waitFor(); // none that this session may see
  const asked = failed; // an event that was still on its way has it asked, too
  await page.waitForTimeout(2500); // another try comes after a second
  assert.equal(failed, asked, 'what is not allowed is asked again');
  await page.unroute('**/v1/approvals');
});

test('in Korean', async () => {
  await propose({ text: '안녕하세요' });
  const ko = await w.signIn('mina', { locale: 'ko-KR' });
  await ko.getByRole('button', { name: '허락할 메시지 (1)' }).click();
  await ko.getByText('안녕하세요').waitFor();
  await passable(ko, 'approvals-ko');
  await ko.getByRole('button', { name: '보내지 않기' }).click();
  await ko.getByText('나를 기다리는 메시지가 없어요.').waitFor();
  await ko.context().close();
});

test('nothing of it is left on a page whose session has ended', async () => {
  await propose({ text: 'behind the door' });
  await page.getByText('behind the door').waitFor();
  const other = await page.context().newPage(); // a tab of the same session
  w.watch(other);
  await other.goto(page.url());
  await other.getByRole('button', { name: 'Approvals (1)' }).waitFor();
  for (const p of [page, other]) p.expected.push(/status of 401/);
  await other.getByRole('button', { name: 'Settings' }).click();
  await other.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Six digits').waitFor();
  assert.equal(await page.getByText('behind the door').count(), 0);
});
