// How the machine is reached, and who helps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { friends, picture, until } from './world.mjs';

let w;
let page;
before(async () => {
  ({ w, page } = await friends());
  await page.getByRole('button', { name: 'Network' }).click();
});
after(() => w.close());

test('offer to keep mail for a contact, and end it', async () => {
  await page.getByLabel(/Keep mail for/).selectOption('Theo');
  await page.getByRole('button', { name: 'Offer' }).click();
  const row = page.locator('.cards > li', { hasText: /You keep 0 items/ });
  await row.getByText('Theo').waitFor();
  await until('the other side is told', async () => /Mina/.test(await w.pabal('theo', 'courier', 'list')));
  await picture(page, 'network');
  await row.getByRole('button', { name: 'End it' }).click();
  await row.waitFor({ state: 'detached' });
  assert.doesNotMatch(await w.pabal('mina', '--json', 'courier', 'list'), /"gives"/);
});

test('a wrong link of a home node is refused in words', async () => {
  page.expected.push(/status of 422/);
  await page.getByLabel(/Link of a home node/).fill('not a link');
  await page.getByRole('button', { name: 'Pair' }).click();
  await page.getByText(/no valid invite link/).waitFor();
});

test('what was sent to whom is listed with what could be learnt', async () => {
  const told = JSON.parse(await w.pabal('mina', '--json', 'who-knows'));
  const items = told.items ?? told;
  for (const { address } of items) await page.getByText(address).first().waitFor();
});

test('a link that only this machine can follow says so', async () => {
  await page.route('**/v1/status', async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    json.network.reachability = 'offline';
    await route.fulfill({ response, json });
  });
  await page.getByRole('button', { name: 'Add a contact' }).click();
  await page.getByRole('button', { name: 'Make a link' }).click();
  const warning = page.locator('.warning', { hasText: 'Only this machine can follow this link' });
  await warning.getByText('What helps: trust the network on both sides, under Network.').waitFor();
  assert.doesNotMatch(await warning.textContent(), /pabal network trust/);
});
