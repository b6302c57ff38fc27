// Files: sent by button, paste and drop; shown, fetched and saved; and texts that are edited.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { after, before, test } from 'node:test';
import { converse, friends, passable, picture, until } from './world.mjs';

let w;
let page;
let field;
before(async () => {
  ({ w, page } = await friends());
  field = await converse(page, /Theo/);
});
after(() => w.close());

// png is a picture of one colour.
function png(width, height, [r, g, b]) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const crc = (bytes) => {
    let c = 0xffffffff;
    for (const byte of bytes) {
      c ^= byte;
      for (let i = 0; i < 8; i++) c = (c >>> 1) ^ (c & 1 ? 0xedb88320 : 0);
    }
    return (c ^ 0xffffffff) >>> 0;
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  const row = Buffer.concat([Buffer.from([0]), Buffer.from(Array.from({ length: width }, () => [r, g, b]).flat())]);
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(Array.from({ length: height }, () => row)))), chunk('IEND', Buffer.alloc(0))]);
}

// wav is a second of silence.
function wav() {
  const b = Buffer.alloc(44 + 8000);
  b.write('RIFF'); b.writeUInt32LE(36 + 8000, 4); b.write('WAVEfmt ', 8); b.writeUInt32LE(16, 16); b.writeUInt16LE(1, 20); b.writeUInt16LE(1, 22);
  b.writeUInt32LE(8000, 24); b.writeUInt32LE(8000, 28); b.writeUInt16LE(1, 32); b.writeUInt16LE(8, 34); b.write('data', 36); b.writeUInt32LE(8000, 40);
  return b;
}

const attach = (...files) => page.locator('input[type=file]').setInputFiles(files);
const theirs = async () => JSON.parse(await w.pabal('theo', '--json', 'read', 'Mina')).items;
const file = (name) => page.locator('.file').filter({ hasText: name });

// give puts files into the page as the system does on a paste or a drop.
const give = (type, name) => page.evaluate(([kind, called]) => {
  const data = new DataTransfer();
  data.items.add(new File(['some words'], called, { type: 'text/plain' }));
  const target = document.querySelector('.composer textarea');
  target.dispatchEvent(kind === 'paste' ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
}, [type, name]);

test('send a picture with its caption, and look at it', async () => {
  await attach({ name: '바다.png', mimeType: 'image/png', buffer: png(640, 400, [20, 90, 160]) });
  await page.locator('.luggage').getByText('✓').waitFor();
  await field.fill('the sea');
  await field.press('Enter');
  await page.locator('article', { hasText: 'the sea' }).getByText('delivered').waitFor();
  assert.equal(await page.locator('.luggage li').count(), 0);
  const button = page.getByRole('button', { name: 'Enlarge 바다.png' });
  await until('it is drawn', () => button.locator('img').evaluate((img) => img.complete && img.naturalWidth === 640));
  await picture(page, 'picture');
  const [bubble, drawn] = await Promise.all([page.locator('article', { hasText: 'the sea' }), button.locator('img')].map((x) => x.boundingBox()));
  assert.ok(bubble.width - drawn.width < 40, `a picture of ${drawn.width} px in a bubble of ${bubble.width} px`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight), true, 'the page is taller than the window');
  await button.click();
  await page.getByRole('dialog', { name: '바다.png' }).locator('img').waitFor();
  await passable(page, 'lightbox');
  await page.emulateMedia({ colorScheme: null });
  await page.keyboard.press('Escape');
  const came = (await theirs()).find((m) => m.body?.text === 'the sea').attachments[0];
  assert.deepEqual([came.name, came.width, came.height], ['바다.png', 640, 400]);
});

test('paste and drop, and take one out again', async () => {
  await give('paste', 'pasted.txt');
  await give('drop', 'dropped.txt');
  await until('both are whole', async () => await page.locator('.luggage').getByText('✓').count() === 2);
  await page.getByRole('button', { name: 'Remove pasted.txt' }).click();
  await page.getByRole('button', { name: 'Send' }).click();
  await file('dropped.txt').first().waitFor();
  await until('it is there', async () => (await theirs()).some((m) => m.attachments?.[0]?.name === 'dropped.txt'));
  assert.equal((await theirs()).some((m) => m.attachments?.some((f) => f.name === 'pasted.txt')), false);
});

test('a file that tells of its maker goes only when that is chosen', async () => {
  page.expected.push(/status of 422/);
  await attach({ name: 'letter.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7\n%made by Mina\n') });
  await page.locator('.luggage').getByText(/may tell where, when and with what/).waitFor();
  await picture(page, 'metadata');
  await field.focus();
  await page.keyboard.press('Enter');
  assert.equal(await file('letter.pdf').count(), 0, 'it is sent');
  await page.getByRole('button', { name: 'Send it with what it tells' }).click();
  await page.locator('.luggage').getByText('✓').waitFor();
  await field.press('Enter');
  await file('letter.pdf').first().waitFor();
  assert.equal(await file('letter.pdf').locator('img, iframe, embed, object').count(), 0);
});

test('a large file is brought in pieces and fetched when asked for', async () => {
  const path = join(w.dir, 'large.bin');
  const bytes = Buffer.alloc(30 << 20, 'pabal');
  await writeFile(path, bytes);
  await attach(path);
  await field.fill('large, from here');
  await field.press('Enter'); // it goes when it is whole
  await page.locator('article', { hasText: 'large, from here' }).waitFor();
  const sent = (await theirs()).find((m) => m.body?.text === 'large, from here').attachments[0];
  assert.equal(sent.size, bytes.length);

  await w.pabal('theo', 'send', 'Mina', '-f', path, 'large, from there');
  const row = page.locator('article', { hasText: 'large, from there' });
  await row.getByRole('button', { name: 'Fetch' }).click();
  const save = row.getByRole('button', { name: 'Save' });
  await save.waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), save.click()]);
  assert.equal(download.suggestedFilename(), 'large.bin');
  assert.ok(bytes.equals(await readFile(await download.path())));
});

test('a picture that waits is seen, and then the picture', async () => {
  const bytes = Buffer.concat([png(800, 400, [160, 60, 20]), Buffer.alloc(11 << 20)]); // too large to come by itself
  const conversation = (await theirs())[0].conversation_id;
  const { id } = await w.call('theo', 'POST', '/v1/files', bytes, { 'Content-Type': 'image/png', 'Content-Length': bytes.length, 'Pabal-Name': 'waits.png', 'Pabal-Metadata': 'keep' });
  await w.call('theo', 'POST', `/v1/conversations/${conversation}/messages`, { files: [id] });
  const row = file('waits.png');
  const button = row.getByRole('button', { name: 'Enlarge waits.png' });
  const drawn = (width) => until(`it is ${width} wide`, () => button.locator('img').evaluate((img, wide) => img.complete && img.naturalWidth === wide, width));
  await row.getByRole('button', { name: 'Fetch' }).waitFor();
  await drawn(320);
  assert.equal(await button.isDisabled(), true, 'there is nothing to enlarge yet');
  await picture(page, 'thumbnail');
  await row.getByRole('button', { name: 'Fetch' }).click();
  await drawn(800);
  assert.equal(await row.locator('img').count(), 1);
  await button.click();
  await page.getByRole('dialog', { name: 'waits.png' }).locator('img').waitFor();
  await page.keyboard.press('Escape');
});

test('a sound is played; what could be active is only saved', async () => {
  const hostile = '<svg xmlns="' + 'http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>';
  const conversation = (await theirs())[0].conversation_id;
  for (const [name, type, content] of [['song.wav', 'audio/wav', wav()], ['picture.png', 'image/png', hostile], ['page.html', 'text/html', '<script>alert(1)</script>'], ['drawing.svg', 'image/svg+xml', `${hostile}\n`]]) {
    const bytes = Buffer.from(content);
    const { id } = await w.call('theo', 'POST', '/v1/files', bytes, { 'Content-Type': type, 'Content-Length': bytes.length, 'Pabal-Name': name, 'Pabal-Metadata': 'keep' });
    await w.call('theo', 'POST', `/v1/conversations/${conversation}/messages`, { files: [id] });
  }
  await file('drawing.svg').getByRole('button', { name: 'Save' }).waitFor();
  await file('song.wav').getByRole('button', { name: 'Play' }).click();
  await until('it plays', () => file('song.wav').locator('audio').evaluate((a) => a.duration > 0.9));
  for (const name of ['picture.png', 'page.html', 'drawing.svg']) {
    await file(name).scrollIntoViewIfNeeded();
    await page.waitForTimeout(200);
    assert.equal(await file(name).locator('img, iframe, object, embed, svg, audio, video').count(), 0, name);
  }
  const [download] = await Promise.all([page.waitForEvent('download'), file('page.html').getByRole('button', { name: 'Save' }).click()]);
  assert.equal(download.suggestedFilename(), 'page.html');
  await picture(page, 'files');
});

test('a voice note is recorded, heard before it goes, and sent with its length and its loudness', async () => {
  const mic = page.getByRole('button', { name: 'Record a voice note' });
  await mic.click();
  await page.getByRole('button', { name: 'Stop recording' }).filter({ hasText: '0:01' }).waitFor();
  await picture(page, 'recording');
  await page.getByRole('button', { name: 'Stop recording' }).click();
  await page.locator('.luggage li', { hasText: 'voice.webm' }).getByText('✓').waitFor();
  await mic.waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  const note = page.locator('article').filter({ hasText: 'Voice note' });
  await note.getByText('delivered').waitFor();
  const found = (await theirs()).flatMap((m) => m.attachments ?? []).find((f) => f.voice);
  assert.ok(found.duration_ms >= 450 && found.duration_ms < 30000, `${found.duration_ms} ms`);
  assert.ok(Buffer.from(found.waveform, 'base64').some((b) => b > 0), 'the beep was not heard');
  await note.getByText(/[▂▃▄▅▆▇█]/).waitFor();
  await note.getByRole('button', { name: /Play/ }).click();
  await until('it plays', () => note.locator('audio').evaluate((a) => a.currentTime > 0));
});

test('a recording ends with the view, and is not lost by that', async () => {
  await page.getByRole('button', { name: 'Record a voice note' }).click();
  await page.getByRole('button', { name: 'Stop recording' }).waitFor();
  await page.getByRole('button', { name: 'Outbox' }).click();
  field = await converse(page, /Theo/);
  const row = page.locator('.luggage li', { hasText: 'voice.webm' });
  await row.waitFor();
  await row.getByRole('button', { name: /Remove/ }).click();
  await page.getByRole('button', { name: 'Record a voice note' }).waitFor();
});

test('a microphone that is unplugged ends the recording, and what was recorded is kept', async () => {
  await page.evaluate(() => {
    const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wish) => { window.mic = await own(wish); return window.mic; };
  });
  await page.getByRole('button', { name: 'Record a voice note' }).click();
  await page.getByRole('button', { name: 'Stop recording' }).filter({ hasText: '0:01' }).waitFor();
  await page.evaluate(() => { for (const track of window.mic.getTracks()) track.stop(); });
  const row = page.locator('.luggage li', { hasText: 'voice.webm' });
  await row.getByText('✓').waitFor();
  await page.getByRole('alert').getByText('The microphone is gone. What was recorded is kept.').waitFor();
  await page.getByRole('button', { name: 'Record a voice note' }).waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  await until('the other side has both notes', async () => (await theirs()).flatMap((m) => m.attachments ?? []).filter((f) => f.voice && f.duration_ms >= 450).length === 2);
});

test('without a microphone the page says so', async () => {
  await page.evaluate(() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); });
  await page.getByRole('button', { name: 'Record a voice note' }).click();
  await page.getByRole('alert').getByText(/no microphone/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Stop recording' }).count(), 0);
});

test('edit a message', async () => {
  await field.fill('see you at nine');
  await field.press('Enter');
  const before = page.locator('article', { hasText: 'see you at nine' });
  await before.getByText('delivered').waitFor();
  await before.hover();
  await before.getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Edit' }).click();
  assert.equal(await field.inputValue(), 'see you at nine');
  await field.fill('see you at ten');
  await field.press('Enter');
  const now = page.locator('article', { hasText: 'see you at ten' });
  await now.getByText('edited').waitFor();
  assert.equal(await field.inputValue(), '');
  await until('the other side has it', async () => (await theirs()).some((m) => m.body?.text === 'see you at ten' && m.revision === 1));
  await now.hover();
  await now.getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').getByText('What it said before').click();
  await page.getByRole('dialog').getByText('see you at nine').waitFor();
  await page.keyboard.press('Escape');
});

// begin opens the edit of a message.
async function beginEdit(text) {
  const article = page.locator('article', { hasText: text });
  await article.hover();
  await article.getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Edit' }).click();
  assert.equal(await field.inputValue(), text);
}

const draft = async () => JSON.parse(await w.pabal('mina', '--json', 'chat', 'show', 'Theo')).draft?.text ?? null;

test('what is begun is there again behind an edit', async () => {
  await field.fill('begun');
  await beginEdit('see you at ten');
  await page.keyboard.press('Escape');
  assert.equal(await field.inputValue(), 'begun');
  await beginEdit('see you at ten');
  await field.fill('see you at noon');
  await field.press('Enter');
  await page.locator('article', { hasText: 'see you at noon' }).waitFor();
  await until('it is in the field', async () => await field.inputValue() === 'begun');
  await beginEdit('see you at noon');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.locator('.chats').getByRole('button', { name: /Theo/ }).click();
  await until('it is in the field', async () => await field.inputValue() === 'begun');
  assert.equal(await draft(), 'begun');
  await field.fill('');
  await until('no draft is left', async () => await draft() === null);
});

test('what waits for its file neither goes as an edit nor is lost by leaving', async () => {
  let whole;
  await page.route('**/v1/files', async (route) => {
    await new Promise((done) => { whole = done; });
    await route.continue();
  });
  await attach({ name: 'slow.txt', mimeType: 'text/plain', buffer: Buffer.from('slow') });
  await until('it is on its way', () => whole);
  await field.fill('with a slow file');
  await field.press('Enter');
  await beginEdit('see you at noon');
  await field.fill('see you at');
  whole();
  await page.locator('.luggage').getByText('✓').waitFor();
  await page.waitForTimeout(300);
  assert.equal(await page.locator('article', { hasText: 'see you at noon' }).count(), 1, 'half an edit is sent');
  await page.keyboard.press('Escape');
  assert.equal(await field.inputValue(), 'with a slow file');
  await page.unroute('**/v1/files');

  await page.getByRole('button', { name: 'Settings' }).click();
  await page.locator('.chats').getByRole('button', { name: /Theo/ }).click();
  await page.locator('.luggage').getByText('slow.txt').waitFor();
  await field.press('Enter');
  await page.locator('article', { hasText: 'with a slow file' }).getByText('delivered').waitFor();
  assert.equal((await theirs()).find((m) => m.body?.text === 'with a slow file').attachments[0].name, 'slow.txt');
});

test('what is quoted of a message changes and goes with it', async () => {
  await page.locator('article', { hasText: 'see you at noon' }).hover();
  await page.locator('article', { hasText: 'see you at noon' }).getByRole('button', { name: 'Message', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Reply' }).click();
  await field.fill('or rather not');
  await field.press('Enter');
  const quote = page.locator('article', { hasText: 'or rather not' }).locator('blockquote');
  await quote.getByText('see you at noon').waitFor();
  const { id } = JSON.parse(await w.pabal('mina', '--json', 'read', 'Theo')).items.find((m) => m.body?.text === 'see you at noon');
  await w.call('mina', 'PATCH', `/v1/messages/${id}`, { text: 'see you at one' });
  await quote.getByText('see you at one').waitFor();

  const edited = page.locator('article').filter({ has: page.locator('.text', { hasText: 'see you at one' }) });
  await edited.hover();
  await edited.getByRole('button', { name: 'Message', exact: true }).click();
  await w.call('mina', 'DELETE', `/v1/messages/${id}`);
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await quote.getByText('see you at one').waitFor({ state: 'detached' });
  assert.equal(await page.getByText('see you at one').count(), 0);
});
