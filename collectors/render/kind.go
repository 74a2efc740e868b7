package render

import (
	"slices"
	"strings"
)

// kind is one sort of record of the API. wrapper is its key inside a list item
// {cursor, <wrapper>: {…}}; prefixes are those of its ids; fact is what a list
// of it covers.
type kind struct {
	wrapper  string
	prefixes []string
	fact     string
	read     func(*mapping, object) error
}

// kindEvent is named because its lists speak of one service.
var kindEvent = &kind{"event", []string{"evt"}, "events", (*mapping).serviceEvent}

var (
	kindAudit  = &kind{"auditLog", []string{"aud"}, "audit_log", (*mapping).auditLog}
	kindMember = &kind{"member", nil, "members", (*mapping).member}
	kindError  = &kind{read: (*mapping).apiError}

	// Names only would be known of these, and no instant at which any changed:
	// changes of variables come from the audit log.
	kindEnvVar     = &kind{"envVar", nil, "env_vars", ignore("env var")}
	kindSecretFile = &kind{"secretFile", nil, "secret_files", ignore("secret file")}
	kindUser       = &kind{"user", nil, "", ignore("user of the API key")}
	kindSettings   = &kind{"notificationSettings", nil, "", ignore("notification settings")}
)

var kinds = []*kind{
	kindEvent, kindAudit, kindMember, kindEnvVar, kindSecretFile,
	{"deploy", []string{"dep"}, "deploys", (*mapping).deploy},
	{"service", []string{"srv", "crn"}, "services", (*mapping).service},
	{"environment", []string{"evm"}, "environments", (*mapping).environment},
	{"customDomain", []string{"cdm"}, "custom_domains", (*mapping).customDomain},
	{"sync", []string{"exe"}, "blueprint_syncs", (*mapping).blueprintSync},
	{"job", []string{"job"}, "jobs", (*mapping).job},
	{"envGroup", []string{"evg"}, "env_groups", (*mapping).envGroup},
	{"postgres", []string{"dpg"}, "datastores", (*mapping).datastore},
	{"keyValue", []string{"red"}, "datastores", (*mapping).datastore},
	{"redis", nil, "datastores", (*mapping).datastore},

	// Snapshots without an instant of change, and things that no judgement needs.
	{"project", []string{"prj"}, "projects", ignore("project")},
	{"blueprint", []string{"exs"}, "blueprints", ignore("blueprint")},
	{"webhook", []string{"whk"}, "webhooks", ignore("webhook")},
	{"webhookEvent", []string{"whe"}, "webhook_deliveries", ignore("webhook delivery log")},
	{"disk", []string{"dsk"}, "disks", ignore("disk")},
	{"owner", []string{"tea", "org"}, "", ignore("owner")},
	{"registryCredential", []string{"rgc"}, "", ignore("registry credential")},
	{"header", nil, "", ignore("response header")},
	{"route", nil, "", ignore("redirect or rewrite")},
	{"snapshot", nil, "", ignore("disk snapshot")},
	{"maintenance", []string{"mrn"}, "", ignore("platform maintenance")},
}

func ignore(name string) func(*mapping, object) error {
	return func(m *mapping, _ object) error {
		m.Ignore(name)
		return nil
	}
}

// kindOf tells what o is and gives its body without the list wrapper; nil when
// it is nothing of Render's. Unions of the API match several schemas, so ids and
// telling fields decide, never a schema.
func kindOf(o object) (*kind, object) {
	_, hasCursor := o["cursor"]
	for _, k := range kinds {
		if body := o.obj(k.wrapper); body != nil && (len(o) == 1 || len(o) == 2 && hasCursor) {
			return k, body
		}
	}
	id := o.str("id")
	switch {
	case o.str("message") != "" && o.only("id", "message", "code", "status"):
		return kindError, o
	case o.obj("actor") != nil && o.str("event") != "" && o.has("timestamp"):
		return kindAudit, o
	case o.str("userId") != "" && o.str("role") != "":
		return kindMember, o
	}
	if prefix, _, ok := strings.Cut(id, "-"); ok {
		for _, k := range kinds {
			if slices.Contains(k.prefixes, prefix) {
				return k, o
			}
		}
	}
	switch {
	case id == "" && o.has("key") && o.has("value") && len(o) == 2:
		return kindEnvVar, o
	case id == "" && o.has("name") && o.has("content") && len(o) == 2:
		return kindSecretFile, o
	case id == "" && o.has("email") && o.has("name") && len(o) == 2:
		return kindUser, o
	case o.has("ownerId") && o.has("notificationsToSend"):
		return kindSettings, o
	}
	return nil, o
}
