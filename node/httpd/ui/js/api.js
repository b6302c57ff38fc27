// The daemon's HTTP API, as openapi.json describes it.

const sessionKey = 'pabal.session';
const patience = 10000; // ms for a proof
const gesture = 15000; // ms after which a call follows from no gesture any more

/** A refusal. Its code is the contract; no_daemon is ours: nobody, or somebody else, answers. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.code);
    Object.assign(this, problem);
  }
}

/**
 * Calls the daemon. Once a call has found nobody, no token and no text leaves this
 * page before whoever listens on the port has proved to be the same daemon: another
 * program may have taken the port since.
 */
export class Api extends EventTarget {
  #session = JSON.parse(localStorage.getItem(sessionKey)); // {token, token_id}
  #reachable = true;
  used = Date.now(); // when somebody was here last
  #confirmed = null; // {confirm, expires_at}: in memory only

  get signedIn() { return this.#session !== null; }
  get reachable() { return this.#reachable; }

  /** Turns a login code into a session, which every tab of this address shares. */
  async signIn(code) {
    const answer = await this.#send('POST', '/v1/auth/exchange', { code, client_name: 'web' }, {});
    if (!answer.ok) throw new Problem({ code: 'digits_wrong' });
    this.#session = await answer.json();
    localStorage.setItem(sessionKey, JSON.stringify(this.#session));
  }

  /** Whether the owner has shown lately to sit here. */
  get confirmed() { return this.#confirmed !== null && new Date(this.#confirmed.expires_at) > new Date(); }

  /** Shows it, with the passphrase or a login code. */
  async confirm(proof) { this.#confirmed = await this.post('/v1/auth/confirm', proof); }

  /** Forgets that the owner has shown it: a lock ends it. */
  unconfirm() { this.#confirmed = null; }

  /** Forgets the session here. */
  forget() {
    this.#session = this.#confirmed = null;
    localStorage.removeItem(sessionKey);
  }

  get(path, options) { return this.call('GET', path, undefined, options); }
  post(path, body = {}, options) { return this.call('POST', path, body, options); }
  put(path, body, options) { return this.call('PUT', path, body, options); }
  patch(path, body, options) { return this.call('PATCH', path, body, options); }
  delete(path, options) { return this.call('DELETE', path, undefined, options); }

  /** Calls an operation and returns what it answers, null for nothing. */
  async call(method, path, body, options = {}) {
    const answer = await this.response(method, path, body, options);
    const type = answer.headers.get('Content-Type') ?? '';
    if (answer.status === 204 || type === '') return null;
    return type.startsWith('application/json') ? answer.json() : answer.blob();
  }

  /** Calls an operation and returns its response. Every refusal is a Problem. */
  async response(method, path, body, { signal, headers = {} } = {}) {
    if (!this.#reachable) throw new Problem({ code: 'no_daemon' });
    if (this.#session) headers = { ...headers, Authorization: `Bearer ${this.#session.token}` };
    if (Date.now() - this.used > gesture) headers = { ...headers, 'Pabal-Background': '1' }; // nobody asked for it: it must not keep the screen open
    if (this.confirmed) headers['Pabal-Confirm'] = this.#confirmed.confirm;
    const answer = await this.#send(method, path, body, { signal, headers });
    if (answer.ok) return answer;
    const text = await answer.text();
    if (answer.status === 401 && text === '') { // what every stranger gets
      this.dispatchEvent(new Event('signedout'));
      throw new Problem({ code: 'unauthenticated' });
    }
    let problem = { code: 'internal' };
    try { problem = JSON.parse(text); } catch { /* not of the daemon's */ }
    throw new Problem(problem);
  }

  async #send(method, path, body, { signal, headers = {} }) {
    const raw = body instanceof Blob;
    if (body !== undefined) headers = { 'Content-Type': `application/${raw ? 'octet-stream' : 'json'}`, ...headers };
    try {
      return await fetch(path, {
        method, headers, signal, body: raw ? body : JSON.stringify(body),
        cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer',
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      this.lost();
      throw new Problem({ code: 'no_daemon' });
    }
  }

  /** Notes that nobody answers. */
  lost() {
    if (!this.#reachable) return;
    this.#reachable = false;
    this.dispatchEvent(new Event('reach'));
  }

  /** Asks whoever listens for a proof that it knows our token, without showing it. */
  async find() {
    if (this.#reachable) return true;
    if (!this.#session || !(await this.#proven().catch(() => false))) return false;
    this.#reachable = true;
    this.dispatchEvent(new Event('reach'));
    return true;
  }

  async #proven() {
    const bytes = new TextEncoder();
    const nonce = base64url(crypto.getRandomValues(new Uint8Array(24)));
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.encode(this.#session.token)));
    const answer = await fetch('/v1/auth/proof', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(patience),
      body: JSON.stringify({ token_id: this.#session.token_id, nonce }),
    });
    if (!answer.ok) return false;
    const key = await crypto.subtle.importKey('raw', hash, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const expected = await crypto.subtle.sign('HMAC', key, bytes.encode(`pabal-proof-v1\0${location.host}\0${nonce}`));
    return (await answer.json()).proof === base64url(new Uint8Array(expected));
  }
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** A fresh id for a message of ours: the bubble that is drawn at once keeps it. */
export const newMessageID = () => 'ms_' + base32(crypto.getRandomValues(new Uint8Array(16)));

const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** Bytes as the ids of the daemon write them. */
export function base32(bytes) {
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) out += letters[(value >>> (bits - 5)) & 31];
    value &= 31;
  }
  return bits > 0 ? out + letters[(value << (5 - bits)) & 31] : out;
}
