// Writing: the Enter rule with an input method, drafts, hostile texts, many messages.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { picture, until, World } from './world.mjs';

const hostileName = '<img src=x onerror=alert(1)>"\'`${7*7}';
const hostileTexts = [
  '<script>alert(1)</script>', '"><svg onload=alert(1)>', 'javascript:alert(1)', '{{7*7}} ${7*7} #{7*7}', '\u202eeveil\u202c \u2066x\u2069',
  'Z\u0351\u036b\u0343\u032aa\u0328\u0355\u0329l\u0321g\u031bo'.repeat(20), 'a'.repeat(3000), '{name|이/가} {count}', '</bdi></li></ol>', '\\u003cb\\u003e &lt;b&gt;',
];

let w;
let page;
let field;
let keys;
before(async () => {
  w = await World.make();
  await w.start('mina', '민아');
  page = await w.signIn('mina', { locale: 'ko-KR' });
  await page.getByRole('button', { name: '연락처 추가' }).click();
  await page.getByRole('button', { name: '열기' }).click();
  field = page.getByRole('textbox', { name: '메시지' });
  await field.waitFor();
  keys = await page.context().newCDPSession(page);
});
after(() => w.close());

const texts = () => page.locator('article .text').allTextContents();
const compose = (text) => keys.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
const commit = (text) => keys.send('Input.insertText', { text });

// Nothing more comes of a key when the page has drawn twice.
const settled = () => page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));

async function sends(want, act) {
  await field.fill('');
  await field.focus();
  const before = await texts();
  await act();
  await settled();
  if (want !== null) await until(`${want} is sent`, async () => (await texts()).length > before.length, 10);
  assert.deepEqual((await texts()).slice(before.length), want === null ? [] : [want]);
}

test('Enter while Korean is composed sends once, with its last syllable', async () => {
  await sends('안녕', async () => {
    await compose('안');
    await commit('안');
    await compose('녕');
    await page.keyboard.press('Enter');
    await commit('녕');
  });
  assert.equal(await field.inputValue(), '');
});

test('Enter while Japanese is converted commits, and does not send', async () => {
  await sends(null, async () => {
    await compose('かんじ');
    await page.keyboard.press('Enter');
    await commit('漢字');
  });
});

test('Enter while Chinese is converted commits, and does not send', async () => {
  await sends(null, async () => {
    await compose('ni hao');
    await page.keyboard.press('Enter');
    await commit('你好');
  });
});

test('picking a Hanja does not send', async () => {
  await sends(null, async () => {
    await compose('한');
    await page.keyboard.press('Enter');
    await commit('韓');
  });
});

test('Shift+Enter begins a line', async () => {
  await sends('하나\n둘', async () => {
    await page.keyboard.insertText('하나');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.insertText('둘');
    await page.keyboard.press('Enter');
  });
});

test('Safari tells of the key after the composition: Korean is sent, Japanese is not', async () => {
  const late = (text) => field.evaluate((element, data) => {
    element.dispatchEvent(new CompositionEvent('compositionstart'));
    element.dispatchEvent(new CompositionEvent('compositionupdate', { data }));
    element.value = data;
    element.dispatchEvent(new CompositionEvent('compositionend', { data }));
    element.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true }));
  }, text);
  await sends('라', () => late('라'));
  await sends(null, () => late('ら'));
});

test('Enter without a composition sends, and nothing sends nothing', async () => {
  await sends('plain', async () => {
    await page.keyboard.type('plain');
    await page.keyboard.press('Enter');
  });
  await sends(null, () => page.keyboard.press('Enter'));
  await sends(null, async () => {
    await page.keyboard.type('   ');
    await page.keyboard.press('Enter');
  });
});

test('what is begun is kept, also by the daemon', async () => {
  await field.fill('쓰던 글');
  await until('the daemon has it', async () => /쓰던 글/.test(await w.pabal('mina', '--json', 'chat', 'show', 'self')));
  await page.reload();
  await field.waitFor();
  assert.equal(await field.inputValue(), '쓰던 글');
  await field.fill('');
  await until('the daemon has none', async () => !/쓰던 글/.test(await w.pabal('mina', '--json', 'chat', 'show', 'self')));
});

test('hostile names and texts are shown as they are', async () => {
  await w.start('mallory', hostileName);
  await w.befriend('mina', 'mallory');
  const chat = page.locator('.chats').getByRole('button', { name: 'onerror' });
  await chat.click();
  await page.getByRole('heading', { name: hostileName }).waitFor();
  for (const text of hostileTexts) await w.pabal('mallory', 'send', '민아', text);
  await until('all are there', async () => (await texts()).length === hostileTexts.length);
  assert.deepEqual(await texts(), hostileTexts.map((t) => t.normalize('NFC')));
  assert.equal(await page.locator('img:not(.qr), main script, iframe, svg').count(), 0);
  await page.getByRole('searchbox').fill('script');
  await page.locator('.hit', { hasText: '<script>' }).waitFor();
  await picture(page, 'hostile');
  await page.getByRole('searchbox').fill('');
});

test('narrow, dark, and with the keys alone', async () => {
  await page.setViewportSize({ width: 320, height: 640 });
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 320, 'it scrolls sideways');
  await picture(page, 'narrow-dark');
  await page.keyboard.press('Escape');
  await page.locator('.chats').waitFor();
  await picture(page, 'narrow-list');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 320, 'the list scrolls sideways');
  await page.locator('.chats button').first().focus();
  await page.keyboard.press('Enter');
  await until('the composer has the focus', () => field.evaluate((f) => f === document.activeElement));
  await page.keyboard.press('Shift+Tab'); // the log, or the button to its end
  await page.locator('.log').focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until('the focus is back', () => page.locator('.log').evaluate((l) => l.contains(document.activeElement)));
  await page.setViewportSize({ width: 1100, height: 750 });
});

test('of ten thousand messages few are drawn, and all can be reached', { timeout: 900000 }, async () => {
  const self = JSON.parse(await w.pabal('mina', '--json', 'chat', 'show', 'self')).id;
  for (let i = 0; i < 10000; i += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, j) => w.call('mina', 'POST', `/v1/conversations/${self}/messages`, { text: `number ${i + j}` })));
  }
  await page.reload();
  await page.locator('.chats').getByRole('button', { name: /나에게 쓰는 메모/ }).click();
  const log = page.locator('.log');
  await page.locator('article', { hasText: /number 999\d/ }).last().waitFor();
  let most = 0;
  let pages = 0;
  await until('the first one is reached', async () => {
    const { drawn, first } = await log.evaluate((l) => {
      l.scrollTop = 0;
      return { drawn: l.querySelectorAll('li').length, first: l.querySelector('article .text').textContent };
    });
    most = Math.max(most, drawn);
    pages++;
    return first === '안녕';
  }, 600);
  assert.ok(most <= 400, `${most} nodes`);
  assert.ok(pages > 10, 'all were there at once');
  await page.getByRole('button', { name: /최근 메시지/ }).click();
  await page.locator('article', { hasText: /number 999\d/ }).last().waitFor();
  assert.ok(await log.locator('li').count() <= 400);
});
