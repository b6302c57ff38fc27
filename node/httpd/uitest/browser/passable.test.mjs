// Every screen for everybody: what axe-core finds, in both languages, light and dark.

import { after, before, test } from 'node:test';
import { passable, World } from './world.mjs';

let w;
before(async () => {
  w = await World.make();
  await w.start('mina', 'Mina');
  await w.start('theo', 'Theo');
  await w.befriend('mina', 'theo');
  await w.pabal('theo', 'send', 'Mina', 'hello');
  await w.pabal('mina', 'send', 'Theo', 'hello, too');
});
after(() => w.close());

const languages = { en: { locale: 'en-US', about: 'Details' }, ko: { locale: 'ko-KR', about: '자세히' } };
const screens = ['add', 'requests', 'outbox', 'starred', 'network', 'settings']; // in the order of their buttons
const owned = ['warrant', 'drill', 'tokens']; // that are for the owner

for (const [language, words] of Object.entries(languages)) {
  test(`all screens, ${language}`, async () => {
    const page = await w.signIn('mina', { locale: words.locale });
    await page.locator('.chats').getByRole('button', { name: /Theo/ }).waitFor();
    await passable(page, `home-${language}`);
    for (const [i, screen] of screens.entries()) {
      await page.locator('.links button').nth(i).click();
      await page.locator(`pabal-${screen} h1`).waitFor();
      if (screen === 'network') await page.locator('pabal-network section').first().waitFor();
      await passable(page, `${screen}-${language}`);
    }
    for (const [i, screen] of owned.entries()) {
      await page.locator('.links button').nth(screens.length - 1).click();
      await page.locator('pabal-settings menu button').nth(i).click();
      const secret = page.locator(`pabal-${screen} input[name=secret]`);
      if (i === 0) {
        await secret.waitFor();
        await passable(page, `confirm-${language}`);
        await secret.fill(JSON.parse(await w.pabal('mina', '--json', 'web')).code_digits);
        await secret.press('Enter');
      }
      await page.locator(`pabal-${screen} :is(.cards > li, form button)`).first().waitFor();
      if (screen === 'drill') {
        await page.locator('pabal-drill form button').click();
        await page.locator('.rungs').waitFor();
      }
      await passable(page, `${screen}-${language}`);
    }
    await page.keyboard.press('Control+/');
    await page.getByRole('dialog').waitFor();
    await passable(page, `keys-${language}`);
    await page.keyboard.press('Escape');
    await page.locator('.chats').getByRole('button', { name: /Theo/ }).click();
    await page.locator('article').first().waitFor();
    await passable(page, `chat-${language}`);
    await page.locator('article').first().hover();
    await page.locator('article .more').first().click();
    await page.getByRole('dialog').waitFor();
    await passable(page, `message-${language}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: words.about }).click();
    await page.locator('.digits').waitFor();
    await passable(page, `about-${language}`);
    await page.context().close();
  });
}

test('signing in, unlocking', async () => {
  const stranger = await w.page();
  stranger.expected.push(/status of 401/);
  await stranger.goto(await w.pabal('mina', 'web', '--print').then((link) => link.split('#')[0]));
  await stranger.getByLabel('Six digits').waitFor();
  await passable(stranger, 'sign-in');
  await w.start('new');
  const page = await w.signIn('new');
  await page.getByLabel('Your name').waitFor();
  await passable(page, 'setup');
  await page.getByLabel('Your name').fill('Nia');
  for (const field of await page.locator('input[type=password]').all()) await field.fill('horse battery');
  await page.getByLabel('never').check();
  await page.getByRole('button', { name: 'Make the profile' }).click();
  await page.getByText('Choose a conversation').waitFor();
  await w.pabal('new', 'lock');
  await page.getByRole('button', { name: 'Unlock' }).waitFor();
  await passable(page, 'unlock');
});
