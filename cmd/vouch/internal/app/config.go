package app

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/changevouch/changevouch/schemas"
)

// Config is the configuration of the server, the gate and scheduled work, as
// schemas/config.json describes it. Paths are absolute or relative to the working
// folder; secrets are named, never held.
type Config struct {
	Store         string               `json:"store"`
	Key           string               `json:"key"`
	Listen        string               `json:"listen"`
	PublicURL     string               `json:"public_url"`
	BehindProxy   bool                 `json:"behind_proxy"`
	TLS           TLSConfig            `json:"tls"`
	Metrics       MetricsConfig        `json:"metrics"`
	Policy        PolicyFiles          `json:"policy"`
	Directory     string               `json:"directory"`
	GitHub        GitHubConfig         `json:"github"`
	Render        RenderConfig         `json:"render"`
	IAM           IAMConfig            `json:"iam"`
	Poll          PollConfig           `json:"poll"`
	OIDC          []OIDCConfig         `json:"oidc"`
	Notifications []NotificationConfig `json:"notifications"`
	DecisionLog   DecisionLogConfig    `json:"decision_log"`
	Limits        LimitsConfig         `json:"limits"`
	Retention     RetentionConfig      `json:"retention"`
	Log           LogConfig            `json:"log"`

	// Warnings are sentences about what works and should not be so.
	Warnings []string `json:"-"`
	// File is where it was read; empty when there is none.
	File     string `json:"-"`
	settings []Setting
}

// TLSConfig names the certificate of the server.
type TLSConfig struct {
	CertificateFile string `json:"certificate_file"`
	KeyFile         string `json:"key_file"`
}

// MetricsConfig says where metrics are served; empty is nowhere.
type MetricsConfig struct {
	Listen string `json:"listen"`
}

// PolicyFiles names what judges.
type PolicyFiles struct {
	Bundles  []string `json:"bundles"`
	Settings string   `json:"settings"`
	Releases string   `json:"releases"` // ReleasesInJournal or a file
}

// ReleasesInJournal as policy.releases means those that vouch release adds.
const ReleasesInJournal = "journal"

// TokenConfig names a secret by a file or by a variable.
type TokenConfig struct {
	TokenFile string `json:"token_file"`
	TokenEnv  string `json:"token_env"`
}

// GitHubConfig says what is read from GitHub and how decisions are shown there.
type GitHubConfig struct {
	TokenConfig
	URL                string          `json:"url"`
	App                GitHubAppConfig `json:"app"`
	Repositories       []string        `json:"repositories"`
	Organization       string          `json:"organization"`
	WebhookSecretFiles []string        `json:"webhook_secret_files"`
	Report             string          `json:"report"` // check_run, status, none
	CheckName          string          `json:"check_name"`
	Mode               string          `json:"mode"` // observe, warn, enforce
}

// shows is the name of the check in which decisions are shown; empty is nowhere.
func (c GitHubConfig) shows() string {
	if c.Report == "check_run" || c.Report == "status" {
		return c.CheckName
	}
	return ""
}

// GitHubAppConfig is a GitHub App; ID is empty when there is none.
type GitHubAppConfig struct {
	ID             string `json:"id"`
	InstallationID int64  `json:"installation_id"`
	PrivateKeyFile string `json:"private_key_file"`
}

// RenderConfig says what is read from Render.
type RenderConfig struct {
	TokenConfig
	URL                string   `json:"url"`
	Owner              string   `json:"owner"`
	Services           []string `json:"services"`
	WebhookSecretFiles []string `json:"webhook_secret_files"`
}

// IAMConfig says what is read about access; nil is nothing.
type IAMConfig struct {
	AWS  *AWSConfig  `json:"aws"`
	Okta *OktaConfig `json:"okta"`
}

// AWSConfig is the account that the usual credentials open.
type AWSConfig struct {
	Profile string   `json:"profile"`
	Regions []string `json:"regions"`
}

// OktaConfig is an Okta organisation.
type OktaConfig struct {
	TokenConfig
	URL string `json:"url"`
}

// PollConfig says how often sources are read.
type PollConfig struct {
	Every Duration `json:"every"`
}

// OIDCConfig is an issuer of tokens.
type OIDCConfig struct {
	Issuer         string            `json:"issuer"`
	Audience       string            `json:"audience"`
	JWKSURL        string            `json:"jwks_url"`
	PrincipalClaim string            `json:"principal_claim"`
	RoleClaim      string            `json:"role_claim"`
	Roles          map[string]string `json:"roles"`
}

// NotificationConfig is somebody to tell.
type NotificationConfig struct {
	Name           string   `json:"name"`
	Type           string   `json:"type"` // webhook, slack, github
	URL            string   `json:"url"`
	URLFile        string   `json:"url_file"`
	SecretFile     string   `json:"secret_file"`
	Repository     string   `json:"repository"`
	On             []string `json:"on"` // violation, deadline
	DeadlineWithin Duration `json:"deadline_within"`
}

// DecisionLogConfig is where decisions are copied; URL is empty for nowhere.
type DecisionLogConfig struct {
	URL       string `json:"url"`
	TokenFile string `json:"token_file"`
	BufferDir string `json:"buffer_dir"`
}

// LimitsConfig bounds what the server takes on.
type LimitsConfig struct {
	BodyBytes         int64    `json:"body_bytes"`
	RequestsPerMinute int      `json:"requests_per_minute"`
	Concurrent        int      `json:"concurrent"`
	EvaluateTimeout   Duration `json:"evaluate_timeout"`
}

// RetentionConfig says how often records whose time is over are removed; zero is
// never.
type RetentionConfig struct {
	Every Duration `json:"every"`
}

// LogConfig is the form of the log.
type LogConfig struct {
	Format string `json:"format"` // json, text
	Level  string `json:"level"`  // debug, info, warn, error
}

// Duration is a length of time; in JSON a text, see schemas.ParseTimespan.
type Duration struct{ time.Duration }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("length of time: %w", err)
	}
	span, err := schemas.ParseTimespan(s)
	d.Duration = span
	return err
}

// Journal is where the journal of the configuration is.
func (c Config) Journal() JournalConfig { return JournalConfig{Store: c.Store, Key: c.Key} }

// Judge is the policy that the configuration names.
func (c Config) Judge() PolicyConfig {
	return PolicyConfig{Bundles: c.Policy.Bundles, Settings: c.Policy.Settings, Timeout: c.Limits.EvaluateTimeout.Duration}
}

// Secret reads the secret out of its file or its variable; empty when neither is named.
func (c TokenConfig) Secret(lookupEnv func(string) (string, bool)) (string, error) {
	switch {
	case c.TokenFile != "":
		secret, err := readSecret(c.TokenFile)
		if err != nil {
			return "", fmt.Errorf("token file: %w", err)
		}
		return secret, nil
	case c.TokenEnv != "":
		secret, _ := lookupEnv(c.TokenEnv)
		if secret == "" {
			return "", fmt.Errorf("the variable %s, which is to hold a token, is not set", c.TokenEnv)
		}
		return secret, nil
	}
	return "", nil
}

// ReadSecrets reads files that hold one secret each.
func ReadSecrets(files []string) ([]string, error) {
	var secrets []string
	for _, path := range files {
		secret, err := readSecret(path)
		if err != nil {
			return nil, fmt.Errorf("secret file: %w", err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// Address is where a webhook goes.
func (n NotificationConfig) Address() (string, error) {
	if n.URLFile == "" {
		return n.URL, nil
	}
	address, err := readSecret(n.URLFile)
	if err != nil {
		return "", fmt.Errorf("notification %s: address: %w", n.Name, err)
	}
	return address, nil
}
