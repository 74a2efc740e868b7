// Package notify sends notices to people's tools: as signed webhooks, and as messages
// to what takes Slack's incoming webhooks.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Notice is what somebody is told. Its JSON form is the body of a webhook.
type Notice struct {
	ID       string           `json:"id"`   // the same whenever it is sent
	Kind     string           `json:"kind"` // violation or deadline
	At       time.Time        `json:"at"`
	Decision string           `json:"decision"`
	Subject  engine.Subject   `json:"subject"`
	Outcome  string           `json:"outcome"`
	DueAt    string           `json:"due_at,omitempty"`
	Title    string           `json:"title"`
	Link     string           `json:"link,omitempty"`
	Findings []engine.Finding `json:"findings"` // those that it is about
}

// Sender sends notices. It is safe for concurrent use. Its errors never hold an
// address, which may be a secret.
type Sender interface {
	Send(ctx context.Context, n Notice) error
}

// ErrUncertain marks a notice that may have arrived or not: nobody answered.
var ErrUncertain = errors.New("it is not known whether it arrived")

// timeout of one attempt.
const timeout = 15 * time.Second

// client follows no redirect: it would take the notice to somebody else.
func client() *http.Client {
	return &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Webhook posts the notice as JSON, signed as https://www.standardwebhooks.com says.
type Webhook struct {
	address string
	key     []byte
	http    *http.Client
	clock   func() time.Time
	agent   string
}

// NewWebhook sends to an address. A secret with whsec_ in front is base64, any other
// is taken as it is.
func NewWebhook(address, secret, agent string, clock func() time.Time) (*Webhook, error) {
	if err := check(address); err != nil {
		return nil, err
	}
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, errors.New("the secret begins with whsec_, and what follows is no base64")
		}
	}
	if len(key) == 0 {
		return nil, errors.New("a webhook needs a secret, so that its receiver can tell it from a forged one")
	}
	return &Webhook{address: address, key: key, http: client(), clock: clock, agent: agent}, nil
}

// Send implements Sender.
func (w *Webhook) Send(ctx context.Context, n Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the notice: %w", err)
	}
	stamp := strconv.FormatInt(w.clock().Unix(), 10)
	mac := hmac.New(sha256.New, w.key)
	mac.Write([]byte(n.ID + "." + stamp + "."))
	mac.Write(body)
	return post(ctx, w.http, w.address, w.agent, body, http.Header{
		"webhook-id": {n.ID}, "webhook-timestamp": {stamp},
		"webhook-signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	})
}

// Slack posts the notice as a message, to an incoming webhook of Slack or of what
// understands the same.
type Slack struct {
	address string
	http    *http.Client
	agent   string
}

// NewSlack sends to an address, which is a secret.
func NewSlack(address, agent string) (*Slack, error) {
	if err := check(address); err != nil {
		return nil, err
	}
	return &Slack{address: address, http: client(), agent: agent}, nil
}

// Send implements Sender.
func (s *Slack) Send(ctx context.Context, n Notice) error {
	body, err := json.Marshal(map[string]any{"text": slackText(n)})
	if err != nil {
		return fmt.Errorf("write the notice: %w", err)
	}
	return post(ctx, s.http, s.address, s.agent, body, http.Header{})
}

// slackText is the notice in Slack's own markup, in which only & < > mean something
// that foreign text could use.
func slackText(n Notice) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	var b strings.Builder
	title := escape(n.Title)
	if n.Link != "" {
		title = "<" + escape(strings.ReplaceAll(n.Link, "|", "%7C")) + "|" + title + ">"
	}
	b.WriteString(title)
	for _, f := range n.Findings {
		fmt.Fprintf(&b, "\n• %s %s: %s", escape(f.Control), escape(f.Title), escape(f.Message))
		if f.DueAt != "" {
			fmt.Fprintf(&b, " Due %s.", escape(f.DueAt))
		}
		if f.Remediation != "" {
			fmt.Fprintf(&b, "\n  %s", escape(f.Remediation))
		}
	}
	return b.String()
}

// Markdown is the notice as GitHub shows it.
func Markdown(n Notice) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;", "`", "&#96;", "[", "&#91;", "]", "&#93;", "*", "\\*", "_", "\\_").Replace
	var b strings.Builder
	for _, f := range n.Findings {
		fmt.Fprintf(&b, "- **%s** %s: %s", escape(f.Control), escape(f.Title), escape(f.Message))
		if f.DueAt != "" {
			fmt.Fprintf(&b, " Due %s.", escape(f.DueAt))
		}
		if f.Remediation != "" {
			fmt.Fprintf(&b, " %s", escape(f.Remediation))
		}
		b.WriteString("\n")
	}
	if n.Link != "" {
		fmt.Fprintf(&b, "\nDecision: <%s>\n", n.Link)
	}
	fmt.Fprintf(&b, "\n<!-- notice %s -->\n", strings.ReplaceAll(n.ID, "--", "- -"))
	return b.String()
}

// check refuses what notices must not travel over. Plain HTTP is for this machine.
func check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("the address of a notification is no URL")
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !here) {
		return errors.New("the address of a notification must be https")
	}
	return nil
}

func post(ctx context.Context, c *http.Client, address, agent string, body []byte, header http.Header) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address of a notification is no URL")
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", agent)
	resp, err := c.Do(r)
	if err != nil {
		return unanswered(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says is for nobody
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %d", resp.StatusCode)
	}
	return nil
}

// unanswered says what happened without the address, and whether the notice may have
// arrived: not where no connection came about.
func unanswered(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if unreached(err) {
		return fmt.Errorf("the receiver cannot be reached: %w", withoutAddress(err))
	}
	return fmt.Errorf("%w: %w", ErrUncertain, withoutAddress(err))
}
