// The event stream: one for all tabs of a browser, since a browser opens few
// connections to one address. The tab that holds the lock reads it and tells the
// others; when that tab goes, another one goes on from the last event it has seen.

import { Problem } from './api.js';

const retry = { first: 500, most: 5000 }; // ms
const silence = 45000; // ms: three heartbeats

/**
 * Follows the log from store.cursor on. Emits event (an event of the API) and gap
 * (something is missing: take a new snapshot).
 */
export class Stream extends EventTarget {
  #api;
  #cursor;
  #channel = new BroadcastChannel('pabal-events');
  #end = new AbortController();

  constructor(api) {
    super();
    this.#api = api;
    this.#channel.onmessage = (e) => this.#take(e.data);
  }

  /** Begins behind a cursor, that of a snapshot taken after the Stream was made. */
  async follow(cursor) {
    this.#cursor = cursor;
    const { signal } = this.#end;
    try {
      await navigator.locks.request('pabal-events', { signal }, () => this.#lead(signal));
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
    }
  }

  /** Ends for good. */
  stop() {
    this.#end.abort();
    this.#channel.close();
  }

  // take hands an event on that is new here.
  #take(event) {
    if (event.type === 'gap') {
      this.dispatchEvent(new Event('gap'));
      return;
    }
    if (event.cursor) {
      if (this.#cursor && !later(event.cursor, this.#cursor)) return;
      this.#cursor = event.cursor;
    }
    this.dispatchEvent(new CustomEvent('event', { detail: event }));
  }

  async #lead(signal) {
    let delay = retry.first;
    while (!signal.aborted) {
      try {
        if (await this.#api.find()) {
          await this.#read(signal);
          delay = retry.first;
        }
      } catch (error) {
        if (signal.aborted) return;
        // An AbortError has a code too, an old number: only a Problem is an answer.
        const down = !(error instanceof Problem) || error.code === 'no_daemon';
        this.#tell(down ? { type: 'down' } : { type: 'bye', data: { reason: error.code } });
      }
      await pause(delay, signal);
      delay = Math.min(delay * 2, retry.most);
    }
  }

  #tell(event) {
    this.#channel.postMessage(event);
    this.#take(event);
  }

  async #read(signal) {
    const ends = new AbortController();
    const end = () => ends.abort();
    signal.addEventListener('abort', end, { once: true });
    let alive = setTimeout(end, silence);
    try {
      const answer = await this.#api.response('GET', `/v1/events?ephemeral=1&after=${encodeURIComponent(this.#cursor)}`, undefined, {
        signal: ends.signal, headers: { Accept: 'text/event-stream' },
      });
      const parser = new EventParser();
      const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await text.read();
        if (done) break;
        clearTimeout(alive);
        alive = setTimeout(end, silence);
        for (const e of parser.push(value)) this.#tell(JSON.parse(e.data));
      }
      this.#api.lost(); // until it is found again: it may be another one
      this.#tell({ type: 'down' });
    } catch (error) {
      if (!(error instanceof Problem) && !signal.aborted) this.#api.lost(); // the connection broke, or was silent
      throw error;
    } finally {
      clearTimeout(alive);
      signal.removeEventListener('abort', end);
    }
  }
}

function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
  });
}

/** Reports whether cursor a is behind b in the log, as e<epoch>.<number> says. */
export function later(a, b) {
  const [ea, na] = a.slice(1).split('.').map(Number);
  const [eb, nb] = b.slice(1).split('.').map(Number);
  return ea > eb || ea === eb && na > nb;
}

/** Takes the text of a stream in pieces of any size and returns the events that are whole. */
export class EventParser {
  #rest = '';
  #data = [];
  #id = '';
  #type = '';

  push(text) {
    const events = [];
    // A CR at the end may be half of a line end: it waits.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) events.push({ id: this.#id, type: this.#type || 'message', data: this.#data.join('\n') });
        this.#data = [];
        this.#id = this.#type = '';
      } else {
        this.#field(line);
      }
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a heartbeat
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'id') this.#id = value;
    else if (name === 'event') this.#type = value;
  }
}
