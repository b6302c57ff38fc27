package httpd

import (
	"crypto/subtle"
	"io/fs"
	"net/http"
	"strings"
)

// webPrefix is where the pages of the web UI are, behind a secret that changes
// with each run: what an earlier owner of the port left in a browser's cache has
// another address.
const webPrefix = "/w/"

const webPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
	"connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// serveWeb serves a file of the web UI to whoever knows this run's secret.
func (s *Server) serveWeb(w *response, r *http.Request, foreign bool) {
	secret, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, webPrefix), "/")
	if subtle.ConstantTimeCompare([]byte(secret), []byte(s.webSecret)) != 1 || s.config.Web == nil ||
		foreign || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.empty(http.StatusUnauthorized)
		return
	}
	if name == "" {
		name = "index.html"
	}
	if info, err := fs.Stat(s.config.Web, name); err != nil || info.IsDir() {
		w.empty(http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", webPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), geolocation=()")
	http.ServeFileFS(w, r, s.config.Web, name)
}
