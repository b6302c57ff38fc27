package httpd

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pabal/node/api"
)

// hostAllowed compares the Host header with the exact names that this listener
// answers to. A page of another site that lets its name point at 127.0.0.1 (DNS
// rebinding) sends its own name.
func (s *Server) hostAllowed(t transport, host string) bool {
	if t == overUnix {
		return host == "" || host == api.SocketFile
	}
	return slices.Contains(s.hosts, host)
}

// ownOrigins returns the origins of pages that the daemon itself serves.
func (s *Server) ownOrigins() []string {
	origins := make([]string, len(s.hosts))
	for i, h := range s.hosts {
		origins[i] = "http://" + h
	}
	return origins
}

// foreign reports whether a request shows signs of a page that has no business
// here. On the unix socket every sign of a browser is foreign.
func (s *Server) foreign(t transport, r *http.Request) bool {
	h := r.Header
	if t == overUnix {
		for name := range h {
			if name == "Origin" || name == "Referer" || strings.HasPrefix(name, "Sec-Fetch-") {
				return true
			}
		}
		return false
	}
	origin := h.Get("Origin")
	if origin != "" && origin != "null" && s.auth.originRegistered(origin, s.daemon.Store()) {
		return false // the token's own origins are compared after authentication
	}
	if origin != "" && !slices.Contains(s.ownOrigins(), origin) {
		return true
	}
	site := h.Get("Sec-Fetch-Site")
	if strings.HasPrefix(r.URL.Path, webPrefix) {
		return !webFetchAllowed(site, h)
	}
	if site != "" && site != "same-origin" {
		return true
	}
	return s.crossOrigin.Check(r) != nil
}

// webFetchAllowed lets the daemon's pages be opened by hand, by themselves, and
// by the local file that a login writes, which counts as another site.
func webFetchAllowed(site string, h http.Header) bool {
	switch site {
	case "", "none", "same-origin":
		return true
	case "cross-site":
		return h.Get("Sec-Fetch-Mode") == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	default:
		return false
	}
}

// validOrigin reports whether s may be an origin in a token: scheme, host and
// maybe a port, as a browser writes it. What other programs share ("null",
// files, extensions) is never one.
func validOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return false
	}
	return s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}
