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

// hears has Theo write, and waits until the page has it and no other tab can say any more that it
// has the focus: of timers of one length the later one ends later.
async function hears(text) {
  await w.pabal('theo', 'send', 'Mina', text, '--wait', 'delivered');
  await page.locator('.chats .excerpt', { hasText: text }).waitFor();
  await page.evaluate(() => new Promise((done) => { setTimeout(done, 300); }));
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

test('nothing is shown of what is read in another tab, and what was shown goes', async () => {
  await hears('before it');
  assert.ok((await notes(true)).includes('Theo|before it'));
  const other = await page.context().newPage(); // a tab of the same session
  w.watch(other);
  await other.goto(page.url());
  await other.locator('.chats .excerpt', { hasText: 'before it' }).waitFor();
  await other.evaluate(() => { document.hasFocus = () => true; });
  await hears('read there');
  assert.ok(!(await notes()).includes('Theo|read there'), 'it is shown over the tab in which it is read');
  await other.evaluate(() => { document.hasFocus = () => false; });
  await hears('read nowhere');
  assert.ok((await notes(true)).includes('Theo|read nowhere'));
  await other.evaluate(() => dispatchEvent(new Event('focus')));
  await until('they are closed', async () => (await notes(true)).length === 0);
  await other.close();
});

test('no notification outlives a text that is changed, a gap in the events, or the tab', async () => {
  await hears('a wrong word');
  const [{ id }] = JSON.parse(await w.pabal('theo', '--json', 'read', 'Mina')).items.filter((m) => m.body?.text === 'a wrong word');
  await w.call('theo', 'PATCH', `/v1/messages/${id}`, { text: 'a right word' });
  await until('that of the changed text is closed', async () => !(await notes(true)).includes('Theo|a wrong word'));
  await hears('before the gap');
  assert.ok((await notes(true)).includes('Theo|before the gap'));
  await page.evaluate(() => new BroadcastChannel('pabal-events').postMessage({ type: 'gap' }));
  await until('that from before the gap is closed', async () => (await notes(true)).length === 0);
  await hears('before the end');
  assert.deepEqual(await notes(true), ['Theo|before the end']);
  assert.deepEqual(await page.evaluate(() => {
    dispatchEvent(new Event('pagehide'));
    return window.notes.filter((n) => n.open).length;
  }), 0);
});

test('a message in a conversation that the page has not read yet is shown, too', async () => {
  await page.route('**/v1/snapshot?*', async (r) => {
    const response = await r.fetch();
    await r.fulfill({ response, json: { ...await response.json(), conversations: [] } });
  });
  await page.evaluate(() => new BroadcastChannel('pabal-events').postMessage({ type: 'gap' }));
  await page.locator('.chats .excerpt').first().waitFor({ state: 'detached' });
  await hears('after a long time');
  await until('it is shown', async () => (await notes(true)).includes('Theo|after a long time'), 10);
  await page.unroute('**/v1/snapshot?*');
});

test('nothing stays or comes once the session has ended', async () => {
  await hears('the last');
  assert.ok((await notes(true)).includes('Theo|the last'));
  const before = (await notes()).length;
  page.expected.push(/status of 401/); // what was asked for as the session ended
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Six digits').waitFor();
  assert.deepEqual(await notes(true), []);
  await w.pabal('theo', 'send', 'Mina', 'behind it', '--wait', 'delivered');
  assert.equal((await notes()).length, before);
});
