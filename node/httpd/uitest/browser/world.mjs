// Real daemons on loopback and one real browser, as every scenario needs them.
//
// go run ./cmd/dev e2e sets PABAL_PROGRAM, the program; PABAL_CHROMIUM, the browser;
// PABAL_PLAYWRIGHT, where playwright-core was installed; and PABAL_PICTURES, where
// pictures of the screens go, if anywhere.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const { chromium } = createRequire(join(process.env.PABAL_PLAYWRIGHT, 'package.json'))('playwright-core');

/** Daemons and a browser, all of which end with close. */
export class World {
  #dir;
  #daemons = new Map();
  #browser;
  #faults = []; // what no scenario may cause

  static async make() {
    const w = new World();
    w.#dir = await mkdtemp(join(tmpdir(), 'pabal-e2e-'));
    w.#browser = await chromium.launch({ executablePath: process.env.PABAL_CHROMIUM, args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', // a microphone that beeps, and may be used
      '--host-resolver-rules=MAP evil.test 127.0.0.1'] }); // a name of others that leads here
    return w;
  }

  /** Where the profiles are, and what else a scenario needs. */
  get dir() { return this.#dir; }

  async close() {
    await this.#browser.close();
    for (const name of [...this.#daemons.keys()]) await this.stop(name);
    await rm(this.#dir, { recursive: true, force: true });
    assert.deepEqual(this.#faults, []);
  }

  get #environment() {
    return { ...process.env, PABAL_HOME: join(this.#dir, 'h'), LANG: 'C', TZ: 'UTC' };
  }

  /** Starts a daemon: of a new profile of person, or, without one, of what there is, which may be nothing. */
  async start(profile, person) {
    const setup = person ? ['--name', person, '--no-passphrase'] : ['--setup-later'];
    const child = spawn(process.env.PABAL_PROGRAM, ['--profile', profile, '--no-input', 'run', ...setup], { env: this.#environment, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#daemons.set(profile, child);
    let said = '';
    child.stderr.on('data', (d) => { said += d; });
    await until(`daemon ${profile}`, async () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended: ${said}`);
      return this.pabal(profile, '--json', 'status').then((s) => JSON.parse(s).state !== 'starting', () => false);
    });
  }

  async stop(profile, signal = 'SIGTERM') {
    const child = this.#daemons.get(profile);
    this.#daemons.delete(profile);
    if (child.exitCode !== null) return;
    const ended = new Promise((done) => { child.once('exit', done); });
    child.kill(signal);
    await ended;
  }

  /** Runs a command against a profile and returns what it prints. */
  async pabal(profile, ...args) {
    const { stdout } = await run(process.env.PABAL_PROGRAM, ['--profile', profile, ...args], { env: this.#environment, timeout: 120000 });
    return stdout.trim();
  }

  /** Calls the API as the owner, on the unix socket. */
  call(profile, method, path, body, headers = { 'Content-Type': 'application/json' }) {
    return new Promise((done, failed) => {
      const socketPath = join(this.#dir, 'h', profile, 'run', 'pabal.sock');
      const r = request({ socketPath, host: 'pabal.sock', method, path, headers }, (answer) => {
        let text = '';
        answer.on('data', (d) => { text += d; });
        answer.on('end', () => (answer.statusCode < 400 ? done(JSON.parse(text || 'null')) : failed(new Error(text))));
      });
      r.on('error', failed);
      r.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
    });
  }

  /** Makes two profiles contacts of each other. */
  async befriend(a, b) {
    const link = await this.pabal(a, 'invite', 'create');
    await this.pabal(b, 'add', link, '--wait', '90s');
    await until(`${a} knows ${b}`, async () => /"established"/.test(await this.pabal(a, '--json', 'contact', 'list')));
  }

  /** A page of a browser of its own, not signed in. */
  async page({ locale = 'en-US', viewport = { width: 1100, height: 750 }, ...options } = {}) {
    const context = await this.#browser.newContext({ locale, viewport, ...options });
    const page = await context.newPage();
    this.watch(page);
    return page;
  }

  /** A page that is no page of ours, of which nothing is asserted. */
  async strange() { return (await this.#browser.newContext()).newPage(); }

  /** Notes what no page may do. expected are texts of console errors that the scenario causes. */
  watch(page) {
    page.expected = [/net::ERR_/]; // a daemon that is off
    page.on('request', (r) => {
      const { hostname, protocol } = new URL(r.url());
      if (!['blob:', 'data:'].includes(protocol) && hostname !== '127.0.0.1') this.#faults.push(`request to ${hostname}`);
    });
    page.on('console', (m) => {
      if (m.type() === 'error' && !page.expected.some((x) => x.test(m.text()))) this.#faults.push(`console: ${m.text()}`);
    });
    page.on('pageerror', (e) => this.#faults.push(`error: ${e.message}`));
    page.on('dialog', (d) => { this.#faults.push('a dialog'); d.dismiss(); });
  }

  /** Opens the page of a profile by a login link. */
  async signIn(profile, options) {
    const page = await this.page(options);
    await page.goto(await this.pabal(profile, 'web', '--print'));
    return page;
  }
}

/** A world in which Mina and Theo are contacts, and Mina is signed in at page. */
export async function friends(options) {
  const w = await World.make();
  await w.start('mina', 'Mina');
  await w.start('theo', 'Theo');
  await w.befriend('mina', 'theo');
  return { w, page: await w.signIn('mina', options) };
}

/** Opens the conversation with somebody and returns the field to write in. */
export async function converse(page, whom) {
  await page.locator('.chats').getByRole('button', { name: whom }).click();
  return page.getByRole('textbox', { name: 'Message' });
}

/** Waits until check is true. */
export async function until(what, check, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; ;) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((done) => { setTimeout(done, 100); });
  }
}

/** Looks for what stands in the way of people: axe-core must find nothing, by light and in the dark. */
export async function passable(page, screen) {
  const source = await readFile(join(process.env.PABAL_PLAYWRIGHT, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
  await page.evaluate(source);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    assert.ok(found.passes.length > 10, 'axe-core has looked at nothing');
    assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`), [], `${screen}, ${colorScheme}`);
    await picture(page, `${screen}-${colorScheme}`);
  }
}

/** Keeps a picture of a page, if they are wanted. */
export async function picture(page, name) {
  if (process.env.PABAL_PICTURES) await page.screenshot({ path: join(process.env.PABAL_PICTURES, `${name}.png`) });
}
