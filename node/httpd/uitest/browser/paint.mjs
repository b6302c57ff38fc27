// What somebody waits for in front of the page: the newest message of a conversation, and their
// own one after the key that sends it. Prints milliseconds as JSON.
//
// go run ./cmd/dev paint sets PABAL_CHROMIUM and PABAL_PLAYWRIGHT as for the scenarios, and
// PABAL_PAINT: the login links of two profiles, whom both know, and how often to measure.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(join(process.env.PABAL_PLAYWRIGHT, 'package.json'))('playwright-core');
const { links, who, turns, typed } = JSON.parse(process.env.PABAL_PAINT);

// watch runs in the page, before all that is in it. shown has the time of the first frame with
// something of a selector and, if any, a text.
function watch() {
  const waits = new Set();
  const look = () => {
    for (const wait of waits) {
      const found = [...document.querySelectorAll(wait.selector)].at(-1);
      if (!found?.textContent.includes(wait.text)) continue;
      waits.delete(wait);
      requestAnimationFrame(() => { // the frame is drawn when the next task runs
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => wait.done(performance.now());
        port2.postMessage(null);
      });
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  window.shown = (selector, text) => new Promise((done) => { waits.add({ selector, text, done }); look(); });
  window.opened = window.shown('article', '');
  addEventListener('keydown', (e) => { if (e.key === 'Enter') window.pressed = e.timeStamp; }, true);
}

const browser = await chromium.launch({ executablePath: process.env.PABAL_CHROMIUM, args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'] });

async function signIn(link) {
  const page = await (await browser.newContext({ locale: 'en-US', viewport: { width: 1100, height: 750 } })).newPage();
  await page.addInitScript(watch);
  await page.goto(link);
  await page.locator('.chats').getByRole('button', { name: who }).click();
  await page.locator('article').first().waitFor();
  return page;
}

// open has a page begin anew, in the conversation, and returns when that is seen.
async function open(page) {
  await page.bringToFront();
  await page.reload({ waitUntil: 'commit' });
  return page.evaluate(() => window.opened);
}

// type writes one message and returns how long it took from its key to the screen.
async function type({ page, field, selector }, text) {
  await page.bringToFront();
  await field.fill(text);
  await page.evaluate(([selector, text]) => { window.drawn = window.shown(selector, text); }, [selector, text]);
  await field.press('Enter');
  const took = await page.evaluate(async () => (await window.drawn) - window.pressed);
  await page.locator('.unsaved').waitFor({ state: 'detached' }); // the next one is typed later than that
  return took;
}

const long = await signIn(links.long);
const short = await signIn(links.short);
const took = { long: [], short: [], empty: [], bubble: [] };
for (let i = 0; i < turns; i++) {
  took.long.push(await open(long));
  took.short.push(await open(short));
}

// An empty page that does nothing else.
const empty = await (await browser.newContext({ viewport: { width: 1100, height: 750 } })).newPage();
await empty.addInitScript(watch);
await empty.route('http://empty.test/', (route) => route.fulfill({ contentType: 'text/html', body: '<textarea></textarea><ol></ol>' }));
await empty.goto('http://empty.test/');
await empty.evaluate(() => {
  document.querySelector('textarea').addEventListener('keydown', (e) => {
    if (e.key !== 'Enter') return;
    e.preventDefault();
    document.querySelector('ol').append(Object.assign(document.createElement('li'), { textContent: e.target.value }));
    e.target.value = '';
  });
});
const blank = { page: empty, field: empty.locator('textarea'), selector: 'li' };
const chat = { page: long, field: long.getByRole('textbox', { name: 'Message' }), selector: 'article' };
for (let i = 0; i < typed; i++) {
  took.empty.push(await type(blank, `number ${i} of many`));
  took.bubble.push(await type(chat, `number ${i} of many`));
}

await browser.close();
console.log(JSON.stringify(took));
