// Notifications of the browser: none unless that is set, without content unless that is set, and
// nothing behind a lock.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { friends, until } from './world.mjs';

let w;
let page;
before(async () => {
  ({ w, page } = await friends());
  await page.evaluate(() => {
    window.notes = [];
    window.leave = 'granted';
    window.Notification = class {
      static get permission() { return window.leave; }
      static async requestPermission() { return window.leave; }
      constructor(title, { body, tag }) {
        Object.assign(this, { open: true, tag });
        this.said = `${title}|${body}`;
        window.notes.push(this);
      }
      close() { this.open = false; }
    };
    document.hasFocus = () => false; // the page is not in front
  });
});
after(() => w.close());

const notes = (open) => page.evaluate((open) => window.notes.filter((n) => !open || n.open).map((n) => n.said), open);

// hears has Theo write, and waits until the page has it.
async function hears(text) {
  await w.pabal('theo', 'send', 'Mina', text, '--wait', 'delivered');
  await page.locator('.chats .excerpt', { hasText: text }).waitFor();
}

async function set(label) {
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel(/^Notifications/).selectOption(label);
  await page.locator('.saved').getByText('Saved.').waitFor();
}

test('nothing is shown unless that is set', async () => {
  await hears('unseen');
  assert.deepEqual(await notes(), []);
});

test('that a message came, and not what it says', async () => {
  await set('“New message”, no more');
  await hears('a secret');
  assert.deepEqual(await notes(), ['New message|']);
  assert.match(await w.pabal('mina', 'warrant'), /^notifications +.*times$/m);
});

test('who wrote what, where that was asked for; and of a muted conversation nothing', async () => {
  await set('who wrote what');
  await hears('no secret');
  assert.deepEqual((await notes()).slice(1), ['Theo|no secret']);
  await w.pabal('mina', 'chat', 'mute', 'Theo');
  await page.getByText('muted').first().waitFor({ state: 'attached' });
  await hears('muted now');
  await w.pabal('mina', 'chat', 'mute', 'Theo', '--off');
  await until('it is not muted', async () => await page.locator('.chats').getByText('🔕').count() === 0);
  assert.equal((await notes()).length, 2);
});

test('a message that is deleted takes its notification along', async () => {
  const [{ id }] = JSON.parse(await w.pabal('mina', '--json', 'read', 'Theo')).items.filter((m) => m.body?.text === 'no secret');
  await w.call('mina', 'DELETE', `/v1/messages/${id}`);
  await until('it is closed', async () => !(await notes(true)).includes('Theo|no secret'));
});

test('the browser may refuse, and then nothing is shown', async () => {
  await page.evaluate(() => { window.leave = 'denied'; });
  await page.getByLabel(/^Notifications/).selectOption('none');
  await page.getByLabel(/^Notifications/).selectOption('who wrote what');
  await page.getByText('The browser does not allow it.').waitFor();
  await hears('refused');
  assert.equal((await notes()).length, 2);
  await page.evaluate(() => { window.leave = 'granted'; });
});

test('nothing stays or comes once the session has ended', async () => {
  await hears('the last');
  assert.deepEqual(await notes(true), ['New message|', 'Theo|the last']);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Six digits').waitFor();
  assert.deepEqual(await notes(true), []);
  await w.pabal('theo', 'send', 'Mina', 'behind it', '--wait', 'delivered');
  assert.equal((await notes()).length, 3);
});
