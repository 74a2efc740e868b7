package render

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// keyFields are the metadata fields that name environment variables.
var keyFields = []string{"environment_variable", "environment_variables", "env_var", "env_vars", "key", "keys"}

// keyName is what counts as a name; anything else in these fields, a value
// above all, is dropped.
var keyName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)

// keyNames are the names of variables that metadata tells, sorted.
func keyNames(metadata object) []string {
	var names []string
	for _, field := range keyFields {
		values := append(metadata.texts(field), strings.FieldsFunc(metadata.str(field), func(r rune) bool { return r == ',' || r == ' ' })...)
		for _, v := range values {
			if keyName.MatchString(v) {
				names = append(names, v)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// keyMeaning says what a variable of that name steers.
type keyMeaning struct {
	name    *regexp.Regexp
	scopes  []string
	effects []string
	secret  bool
}

var keyMeanings = []keyMeaning{
	{name: keyPattern(`MODEL`), scopes: []string{"ai_orchestration"}, effects: []string{"model_swap"}},
	{name: keyPattern(`PROMPTS?|TEMPERATURE|TOP_P|MAX_TOKENS|GUARDRAILS?`), scopes: []string{"ai_orchestration"}},
	{name: regexp.MustCompile(`^(OPENAI|ANTHROPIC|AZURE_OPENAI|GEMINI|MISTRAL|COHERE|LLM)_`), scopes: []string{"ai_orchestration"}},
	{name: keyPattern(`API_?KEY|WEBHOOK_URL`), scopes: thirdParty, secret: true},
	{name: regexp.MustCompile(`^(STRIPE|TWILIO|SENDGRID|SLACK|GITHUB|SENTRY|DATADOG|AWS|GOOGLE|HUBSPOT|SALESFORCE|OKTA|AUTH0|PLAID|SEGMENT)_`), scopes: thirdParty},
	{name: keyPattern(`SECRETS?|TOKEN|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?|DSN|KEY|DATABASE_URL|REDIS_URL|CONNECTION_STRING`), secret: true},
	{name: keyPattern(`TLS|SSL|CERT|CERTIFICATE`), scopes: []string{"security_config"}, effects: []string{"tls"}},
	{name: keyPattern(`CORS|CSP|ALLOW|ALLOWED|ALLOWLIST|IP|IAM|ROLE|ROLES`), scopes: []string{"security_config"}},
}

// keyPattern matches words between underscores.
func keyPattern(words string) *regexp.Regexp {
	return regexp.MustCompile(`(^|_)(` + words + `)(_|$)`)
}

// envKeys adds what the names of the changed variables tell. A Blueprint holds
// plain values; secrets are kept out of Git (sync: false). With unknown names
// nothing is said about Git.
func envKeys(f *engine.ConfigFact) {
	if len(f.Keys) == 0 {
		return
	}
	scopes, effects, secret := map[string]bool{}, map[string]bool{}, false
	for _, key := range f.Keys {
		for _, k := range keyMeanings {
			if !k.name.MatchString(strings.ToUpper(key)) {
				continue
			}
			add(scopes, k.scopes)
			add(effects, k.effects)
			secret = secret || k.secret
		}
	}
	if secret {
		scopes["security_config"], effects["secret_rotation"] = true, true
	}
	add(scopes, f.Scopes)
	add(effects, f.Effects)
	f.Scopes, f.Effects = sorted(scopes), sorted(effects)
	if !slices.Contains(f.Effects, "deletion") {
		held := !secret
		f.GitExpressible = &held
	}
}

func add(set map[string]bool, words []string) {
	for _, w := range words {
		set[w] = true
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
