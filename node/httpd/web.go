package httpd

import (
	"bytes"
	"crypto/subtle"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed ui
var uiFiles embed.FS

// UI returns the files of the web UI, for [Config].Web.
func UI() fs.FS {
	files, err := fs.Sub(uiFiles, "ui")
	if err != nil {
		panic("httpd: embedded files: " + err.Error()) // the name is a constant
	}
	return files
}

// webTypes are the types of the web UI's files, whatever the system's tables say.
var webTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".svg": svgType,
}

// webPrefix is where the pages of the web UI are, behind a secret that changes
// with each run: what an earlier owner of the port left in a browser's cache has
// another address.
const webPrefix = "/w/"

const webPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
	"connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// serveWeb serves a file of the web UI to whoever knows this run's secret.
func (s *Server) serveWeb(w *response, r *http.Request, foreign bool) {
	secret, name, inside := strings.Cut(strings.TrimPrefix(r.URL.Path, webPrefix), "/")
	if subtle.ConstantTimeCompare([]byte(secret), []byte(s.webSecret)) != 1 || s.config.Web == nil ||
		foreign || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.empty(http.StatusUnauthorized)
		return
	}
	defer serving(r.Context())()
	if !inside { // the page's own links would lead past the secret
		w.empty(http.StatusNotFound)
		return
	}
	if name == "" {
		name = "index.html"
	}
	text, err := readWeb(s.config.Web, name)
	if err != nil {
		w.empty(http.StatusNotFound)
		return
	}
	h := w.Header()
	if kind := webTypes[path.Ext(name)]; kind != "" {
		h.Set("Content-Type", kind)
	}
	h.Set("Content-Security-Policy", webPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), geolocation=()")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}
