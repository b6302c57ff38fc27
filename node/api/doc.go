// Package api is the local HTTP API of the daemon as Go sees it: the type of
// every request, response and event, the codes of every problem, and [Client].
// The server is in node/httpd; this package needs the standard library only, so
// that any frontend can import it without the daemon's dependencies.
//
// The main type is [Client]. It talks to the daemon over its unix socket, where
// being the same user is enough, or over loopback TCP with a token:
//
//	d, err := api.ReadDiscovery(filepath.Join(runtimeDir, api.DiscoveryFile))
//	…
//	c := api.NewUnixClient(d.Unix)
//	defer c.Close()
//	m, err := c.SendToContact(ctx, "@Mina", api.MessageRequest{Text: "안녕"}, api.SendOptions{Wait: api.StateDelivered})
//
// Every refusal is a [*Problem]; branch on its Code, which is stable.
//
// # Events
//
// [Client.Events] reads the durable event log as a stream. Each durable event
// has a cursor; a client that keeps the last one it has handled and passes it as
// [EventsOptions].After misses nothing and can tell repeats apart, also after the
// daemon or itself was restarted. [Client.Follow] reconnects by itself.
//
// # Conventions
//
// JSON in UTF-8 with snake_case names; times are RFC 3339 in UTC with
// milliseconds; ids are opaque strings with a typed prefix (ct_, cv_, ms_, in_,
// rq_, tk_, ss_). A client must ignore response fields, enum values and event
// types that it does not know; the daemon rejects request fields that it does
// not know, because dropping one (a timer, say) could break a promise.
//
// # Use from another module
//
// Until the first release the module's path is plainly "pabal". Another module
// imports this package with
//
//	require pabal v0.0.0
//	replace pabal => ../pabal
//
// in its go.mod, where ../pabal is a clone of this repository.
package api
