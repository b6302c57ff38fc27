// How this machine is reached: networks, couriers, and to whom anything was sent.

import { app } from './app.js';
import { h, name, there, View } from './dom.js';
import { field, form } from './gate.js';
import { moment, reason, size, t, word } from './i18n.js';

class Network extends View {
  #parts = h('div');

  open() {
    this.replaceChildren(h('h1', { tabindex: -1 }, t('nav.network')), this.#parts);
    this.#load();
  }

  // load reads all anew: nothing of it is in the event stream but that it may have changed.
  async #load() {
    try {
      const [net, { items: couriers }, egress] = await Promise.all(['/v1/network', '/v1/couriers', '/v1/network/egress'].map((path) => app.api.get(path, { signal: this.gone })));
      this.#parts.replaceChildren(...there([this.#reach(net), this.#couriers(couriers), this.#egress(egress)]));
    } catch (error) {
      if (error.name !== 'AbortError') this.#parts.replaceChildren(h('p', { class: 'problem' }, reason(error)));
    }
  }

  // does is a form of one button, behind which all is read anew.
  #does(call, label, kind) {
    return form(async () => {
      await call();
      await this.#load();
    }, h('button', { class: kind }, label));
  }

  #reach(net) {
    const trust = (n) => (n.trusted ? ['DELETE', `/v1/network/trust/${encodeURIComponent(n.id)}`] : ['POST', '/v1/network/trust', { network: n.id }]);
    return [h('section', null, h('p', null, t('settings.network'), ': ', word('reach', net.reachability)),
      h('dl', null, pair(t('net.listen'), net.listen.join(', ')),
        net.observed.length > 0 && pair(t('net.observed'), net.observed.map((o) => o.address).join(', ')),
        net.peers.length > 0 && pair(t('list.live'), names(net.peers)),
        pair(t('net.dht'), word('dht', net.dht.on ? 'on' : 'off')))),
    h('section', null, h('h2', null, t('net.local')), h('p', null, t('net.local_hint')),
      h('ul', { class: 'cards' }, net.networks.map((n) => h('li', null, h('h3', null, n.interface, ' ', n.addresses.join(', ')),
        h('p', null, word('network', !n.trusted ? 'untrusted' : !n.here ? 'elsewhere' : n.lasting ? 'trusted' : 'stay')),
        this.#does(() => app.api.call(...trust(n)), t(n.trusted ? 'net.distrust' : 'net.trust'))))))];
  }

  #couriers(couriers) {
    const taken = new Set(couriers.map((c) => c.contact_id));
    const others = [...app.contacts.values()].filter((c) => c.state === 'established' && !taken.has(c.id));
    const who = h('select', { name: 'who', required: true }, h('option', { value: '' }), others.map((c) => h('option', { value: c.id }, c.alias ?? c.name)));
    return h('section', null, h('h2', null, t('net.couriers')), h('p', null, t('net.couriers_hint')),
      h('ul', { class: 'cards' }, couriers.map((c) => h('li', null,
        h('h3', null, name(c.name), ' · ', word('courier', c.kind), ' · ', word('courier', c.state), c.trouble && ` · ${word('trouble', c.trouble)}`),
        c.gives && h('p', null, t('net.gives', { used: size(c.gives.used_bytes), quota: size(c.gives.quota_bytes), items: c.gives.items, days: c.gives.lifetime_days })),
        c.takes && h('p', null, t('net.takes', { quota: size(c.takes.quota_bytes), days: c.takes.lifetime_days })),
        c.takes?.declined && this.#does(() => app.api.post(`/v1/couriers/${c.contact_id}/accept`), t('net.accept')),
        this.#does(() => app.api.delete(`/v1/couriers/${c.contact_id}`), t('net.end'), 'danger')))),
      others.length > 0 && form(async (data) => {
        await app.api.post('/v1/couriers', { contact_id: data.get('who') });
        await this.#load();
      }, field(t('net.offer'), who, t('net.offer_hint')), h('button', null, t('net.offer_do'))),
      form(async (data) => {
        await app.api.post('/v1/couriers/home', { uri: data.get('uri').trim() });
        await this.#load();
      }, field(t('net.home'), h('input', { name: 'uri', required: true, autocomplete: 'off', spellcheck: 'false' }), t('net.home_hint')), h('button', null, t('net.home_do'))));
  }

  #egress(e) {
    const whom = (id) => id && app.contacts.get(id)?.name;
    return h('section', null, h('h2', null, t('net.egress')), h('p', null, t('net.egress_hint', { at: moment(new Date(e.since)) })),
      e.items.length === 0 ? h('p', null, t('net.nobody')) : h('ul', { class: 'cards' }, e.items.map((x) => h('li', null, h('strong', null, x.address), ' ', word('rung', x.reason), whom(x.contact_id) && [' · ', name(whom(x.contact_id))],
        h('br'), h('small', null, `${x.times} × · ${moment(new Date(x.last_at))} · `, x.learns.map((code) => word('learns', code)).join(', '))))));
  }
}

const pair = (term, value) => h('div', null, h('dt', null, term), h('dd', null, value));
const names = (peers) => peers.map((p, i) => [i > 0 && ', ', name(app.contacts.get(p.contact_id)?.name ?? p.contact_id)]);

customElements.define('pabal-network', Network);
