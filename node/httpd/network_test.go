package httpd

import (
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// TestNetworkPeers: a token sees of who is live as much as of the contacts themselves.
func TestNetworkPeers(t *testing.T) {
	w := newWorld(t)
	other := w.newContact()
	for _, id := range []string{w.contact, other} {
		w.d.live = append(w.d.live, api.NetworkPeer{ContactID: id, Path: "direct", Typing: true, Here: true})
	}
	id, err := protocol.ParseContactID(other)
	if err != nil {
		t.Fatal(err)
	}
	var row protocol.PutContact
	if err := w.d.Store().View(func(v *store.View) (err error) {
		row, err = v.Contact(id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	row.Conversation = protocol.ConversationID{1}
	w.d.mu.Lock()
	err = w.d.commit(store.Batch{Now: time.Now(), Writes: []protocol.Write{row}})
	w.d.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	conversation := row.Conversation.String()
	shown := func(token string) []api.NetworkPeer {
		var out api.Network
		w.d.must(200, call{path: "/v1/network", token: token}).into(t, &out)
		return out.Peers
	}
	for _, p := range append(shown(""), shown(w.owner)...) {
		if !p.Typing || !p.Here {
			t.Errorf("who may read contacts is shown %+v", p)
		}
	}
	if n := len(shown(w.owner)); n != 2 {
		t.Errorf("who may see all is shown %d contacts", n)
	}
	network := []api.Scope{api.ScopeNetworkRead}
	blank := shown(w.d.token(api.TokenRequest{Scopes: network}))
	if len(blank) != 2 || blank[0].Typing || blank[0].Here || blank[0].ContactID != w.contact {
		t.Errorf("who may not read contacts is shown %+v", blank)
	}
	for _, scopes := range [][]api.Scope{network, append(network, api.ScopeContactsRead)} {
		narrow := shown(w.d.token(api.TokenRequest{Scopes: scopes, Constraints: api.Constraints{Conversations: []string{conversation}}}))
		if len(narrow) != 1 || narrow[0].ContactID != other || narrow[0].Here != (len(scopes) == 2) {
			t.Errorf("a token of one conversation with %s is shown %+v", scopes, narrow)
		}
	}
	if own := shown(w.d.token(api.TokenRequest{Scopes: network, Constraints: api.Constraints{Conversations: []string{w.conversation}}})); len(own) != 0 {
		t.Errorf("a token of the own notes is shown %+v", own)
	}
}
