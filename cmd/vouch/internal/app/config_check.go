package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/collectors/git"
)

// check finds what no schema can: files that are not there, addresses that nobody may
// listen on, settings that need one another.
func (l *configLoad) check(c *Config) {
	values, _ := l.root.(map[string]any)
	for _, s := range l.settings {
		if value, ok := at(values, s.path); ok {
			l.checkFiles("/"+strings.ReplaceAll(s.path, ".", "/"), value, s.node)
		}
	}
	l.checkServer(c)
	l.checkStore(c)
	l.checkGitHub(c)
	l.checkToken("/render", c.Render.TokenConfig)
	l.checkAPI("/render/url", c.Render.URL)
	if okta := c.IAM.Okta; okta != nil {
		l.checkToken("/iam/okta", okta.TokenConfig)
		l.checkAPI("/iam/okta/url", okta.URL)
	}
	for i, o := range c.OIDC {
		l.checkAPI(fmt.Sprintf("/oidc/%d/issuer", i), o.Issuer)
		l.checkAPI(fmt.Sprintf("/oidc/%d/jwks_url", i), o.JWKSURL)
	}
	l.checkNotifications(c)
	l.checkAPI("/decision_log/url", c.DecisionLog.URL)
}

// checkFiles looks at every file that a setting names.
func (l *configLoad) checkFiles(pointer string, value any, node map[string]any) {
	switch v := value.(type) {
	case string:
		unit, _ := node["unit"].(string)
		if unit == unitFile || unit == unitFileOrFolder || unit == unitSecretFile || unit == unitReleases && v != ReleasesInJournal {
			l.checkFile(pointer, v, unit)
		}
	case []any:
		items, _ := node["items"].(map[string]any)
		for i, one := range v {
			l.checkFiles(pointer+"/"+strconv.Itoa(i), one, items)
		}
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below, _ := properties[key].(map[string]any)
			l.checkFiles(pointer+"/"+key, v[key], below)
		}
	}
}

func (l *configLoad) checkFile(pointer, path, unit string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.fault(pointer, "there is no file %s", path)
		return
	case err != nil:
		l.fault(pointer, "%s: %v", path, plain(err))
		return
	case info.IsDir() && unit != unitFileOrFolder:
		l.fault(pointer, "%s is a folder, a file is expected", path)
		return
	}
	if unit != unitSecretFile {
		return
	}
	if _, err := readSecret(path); err != nil {
		l.fault(pointer, "%v", err)
		return
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && runtime.GOOS != "windows" {
		who := "its group"
		if open&0o007 != 0 {
			who = "everybody on this machine"
		}
		l.warnings = append(l.warnings, fmt.Sprintf("%s holds a secret, and %s may read or change it (mode %04o): chmod 600 %s", path, who, info.Mode().Perm(), path))
	}
}

func (l *configLoad) checkServer(c *Config) {
	encrypted := c.TLS.CertificateFile != "" && c.TLS.KeyFile != ""
	if here, ok := l.checkListen("/listen", c.Listen); ok && !here && !encrypted && !c.BehindProxy {
		l.fault("/listen", "%s can be reached from elsewhere: give the server a certificate (tls), or say that a proxy in front has one (behind_proxy: true)", c.Listen)
	}
	if c.Metrics.Listen != "" {
		if _, ok := l.checkListen("/metrics/listen", c.Metrics.Listen); ok && c.Metrics.Listen == c.Listen {
			l.fault("/metrics/listen", "%s is the address of the server itself: metrics have their own", c.Listen)
		}
	}
	if encrypted {
		if _, err := tls.LoadX509KeyPair(c.TLS.CertificateFile, c.TLS.KeyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.fault("/tls", "certificate %s and key %s: %v", c.TLS.CertificateFile, c.TLS.KeyFile, err)
		}
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" {
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			l.fault("/public_url", "%q is no address for a browser, such as https://vouch.example.com", c.PublicURL)
		case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			l.fault("/public_url", "an address without user, query and fragment is expected")
		}
	}
}

// checkListen tells whether an address is reached from this machine only.
func (l *configLoad) checkListen(pointer, address string) (here, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		l.fault(pointer, "%q is no address to listen on: HOST:PORT is expected, such as 127.0.0.1:8420", address)
		return false, false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		l.fault(pointer, "port %q: a number up to 65535 is expected", port)
		return false, false
	} else if n == 0 && pointer == "/metrics/listen" {
		l.fault(pointer, "port 0: nobody would find it")
	}
	ip := net.ParseIP(host)
	if host != "" && host != "localhost" && ip == nil {
		l.fault(pointer, "host %q: an IP address of this machine is expected, or localhost", host)
		return false, false
	}
	return host == "localhost" || ip != nil && ip.IsLoopback(), true
}

func (l *configLoad) checkStore(c *Config) {
	scheme, rest, ok := strings.Cut(c.Store, ":")
	switch {
	case c.Store == "":
	case !ok || scheme != "sqlite" && scheme != "postgres" && scheme != "postgresql":
		l.fault("/store", "%q is no journal: sqlite:PATH or postgres://USER@HOST/DATABASE is expected", withoutPassword(c.Store))
	case scheme == "sqlite":
		if info, err := os.Stat(filepath.Dir(rest)); err != nil || !info.IsDir() {
			l.fault("/store", "there is no folder %s", filepath.Dir(rest))
		}
	default:
		u, err := url.Parse(c.Store)
		if err != nil {
			l.fault("/store", "no valid address of a database")
			return
		}
		if _, has := u.User.Password(); (has || u.Query().Has("password")) && l.origin["store"] == originFile {
			l.fault("/store", "a password stands in this file: leave it out, and set PGPASSWORD or PGPASSFILE, or the whole address as VOUCH_STORE")
		}
	}
}

func (l *configLoad) checkGitHub(c *Config) {
	g := c.GitHub
	l.checkAPI("/github/url", g.URL)
	l.checkToken("/github", g.TokenConfig)
	token := g.TokenFile != "" || g.TokenEnv != ""
	if g.App.ID != "" && token {
		l.fault("/github/app", "an app and a token: name one of them")
	}
	if g.App.PrivateKeyFile != "" {
		if text, err := readSecret(g.App.PrivateKeyFile); err == nil {
			if _, err := git.ParseKey([]byte(text)); err != nil {
				l.fault("/github/app/private_key_file", "%s: %v", g.App.PrivateKeyFile, err)
			}
		}
	}
	if g.Report == "check_run" && g.App.ID == "" {
		l.fault("/github/report", "only a GitHub App may write check runs: configure github.app, or report by status")
	}
}

func (l *configLoad) checkToken(pointer string, t TokenConfig) {
	if t.TokenFile != "" && t.TokenEnv != "" {
		l.fault(pointer+"/token_env", "token_file and token_env: name one of them")
	}
	if t.TokenEnv == "" {
		return
	}
	if value, _ := l.source.LookupEnv(t.TokenEnv); value == "" {
		l.fault(pointer+"/token_env", "the variable %s is not set", t.TokenEnv)
	}
}

// checkAPI looks at an address to which credentials or decisions go.
func (l *configLoad) checkAPI(pointer, address string) {
	if address == "" {
		return
	}
	if _, err := baseURL(address); err != nil {
		l.fault(pointer, "%v", err)
	}
}

func (l *configLoad) checkNotifications(c *Config) {
	seen := map[string]bool{}
	for i, n := range c.Notifications {
		pointer := fmt.Sprintf("/notifications/%d", i)
		if seen[n.Name] {
			l.fault(pointer+"/name", "two notifications are called %q", n.Name)
		}
		seen[n.Name] = true
		l.checkAPI(pointer+"/url", n.URL)
		switch {
		case n.Type == "github" && n.Repository == "":
			l.fault(pointer, "repository is missing (type is github)")
		case n.Type == "github" && n.URL+n.URLFile+n.SecretFile != "":
			l.fault(pointer, "url, url_file and secret_file mean nothing here (type is github)")
		case n.Type == "github" && c.GitHub.App.ID == "" && c.GitHub.TokenFile == "" && c.GitHub.TokenEnv == "":
			l.fault(pointer, "nobody to write as: configure github.app or github.token_file")
		case n.Type == "slack" && n.URL != "":
			l.fault(pointer+"/url", "the address of a Slack webhook is a secret: write it into a file and name that as url_file")
		case n.Type == "slack" && n.URLFile == "":
			l.fault(pointer, "url_file is missing (type is slack)")
		case n.Type == "webhook" && (n.URL == "") == (n.URLFile == ""):
			l.fault(pointer, "one of url and url_file is expected (type is webhook)")
		case n.Type == "webhook" && n.SecretFile == "":
			l.fault(pointer, "secret_file is missing: a webhook is signed (type is webhook)")
		}
		if n.URLFile != "" {
			if address, err := readSecret(n.URLFile); err == nil {
				if _, err := url.Parse(address); err != nil {
					l.fault(pointer+"/url_file", "%s holds no address", n.URLFile)
				}
			}
		}
		if n.Repository != "" && n.Type != "github" && n.Type != "" {
			l.fault(pointer+"/repository", "means nothing here (type is %s)", n.Type)
		}
	}
}
