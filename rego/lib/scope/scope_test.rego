package tests.lib_scope

import data.lib.scope
import data.tests.dossier

_files(files) := dossier.put(dossier.normal, "/change/files", files)

_path(path) := _files([{"path": path, "status": "modified"}])

_kinds(given) := kinds if {
	kinds := scope.kinds with input as given
}

_words(given) := words if {
	words := scope.effect_words with input as given
}

_lines(given) := lines if {
	lines := scope.lines with input as given
}

test_kinds_of_paths[note] if {
	some note, case in {
		"code": ["src/export/paginate.py", {"application"}],
		"a blueprint": ["render.yaml", {"infrastructure"}],
		"a container": ["services/api/Dockerfile.web", {"infrastructure"}],
		"a workflow is both": [".github/workflows/deploy.yml", {"infrastructure", "security_config"}],
		"TLS is both": ["infra/tls/edge.yaml", {"infrastructure", "security_config"}],
		"owners": [".github/CODEOWNERS", {"security_config"}],
		"a prompt, though Markdown": ["prompts/interview.md", {"ai_orchestration"}],
		"a prompt by its name": ["src/greeting.prompt.txt", {"ai_orchestration"}],
		"an agent's tools": ["agents/tools.yaml", {"ai_orchestration"}],
		"a client of somebody else": ["src/integrations/slack.py", {"third_party_integration"}],
		"documents": ["docs/how.md", set()],
		"tests": ["tests/test_export.py", set()],
		"a test beside its code": ["pkg/export_test.go", set()],
		"tests of agents": ["agents/tests/test_tools.py", set()],
		"a developer's agent file": ["AGENTS.md", set()],
		"another one": [".claude/commands/x.md", set()],
		"in capitals": ["Infra/TLS/Edge.yaml", {"infrastructure", "security_config"}],
		"only like it": ["infrared/tls.py", {"application"}],
		"a migration": ["db/migrations/0001_add.sql", {"infrastructure"}],
	}
	_kinds(_path(case[0])) == case[1]
}

test_kinds[note] if {
	some note, case in {
		"all that match": [_files([{"path": "prompts/a.md"}, {"path": "src/a.py"}]), {"ai_orchestration", "application"}],
		"moved in": [_files([{"path": "src/a.py", "previous_path": "infra/iam/a.py"}]), {"infrastructure", "security_config"}],
		"moved out of production": [_files([{"path": "docs/a.md", "previous_path": "src/a.py"}]), {"application"}],
		"a file of no known path": [_files([{"status": "modified"}]), {"application"}],
		"no files on record": [dossier.without(dossier.normal, "/change/files"), {"application"}],
		"a grant": [dossier.grant, {"security_config"}],
		"a database": [{"change": {"kind": "database_change", "event": {"type": "query"}}}, {"infrastructure"}],
		"an app": [{"change": {"kind": "app_install", "event": {"type": "installation.created"}}}, {"third_party_integration", "security_config"}],
		"words that mean two": [{"change": {"kind": "platform_config", "event": {"type": "x", "scopes": ["Infra_Security", "ai_integration"]}}}, {"infrastructure", "security_config", "ai_orchestration", "third_party_integration"}],
		"a word nobody knows": [{"change": {"kind": "platform_config", "event": {"type": "x", "scopes": ["weather"]}}}, set()],
		"a key of a model": [{"change": {"kind": "platform_config", "event": {"type": "UpdateEnvVarsEvent", "keys": ["openai_model"]}}}, {"infrastructure", "ai_orchestration"}],
		"a key in the description": [{"change": {"kind": "platform_config", "event": {"type": "UpdateEnvVarsEvent", "detail": "ANTHROPIC_MODEL changed"}}}, {"infrastructure", "ai_orchestration"}],
		"a new package": [json.patch(dossier.normal, [{"op": "add", "path": "/change/dependency_updates", "value": [{"name": "x", "new": true}]}]), {"application", "third_party_integration"}],
		"an AI effect anywhere": [_files([{"path": "src/a.py", "effects": ["guardrail_removed"]}]), {"application", "ai_orchestration"}],
	}
	_kinds(case[0]) == case[1]
}

test_effects_of_patches[note] if {
	some note, case in {
		"a table dropped": [{"path": "migrations/1.sql", "patch": "+DROP TABLE answers;"}, {"destructive_migration"}],
		"a column dropped in code": [{"path": "alembic/1.py", "patch": "+    op.drop_column('a', 'b')"}, {"destructive_migration"}],
		"rows deleted": [{"path": "db/1.sql", "patch": "+delete from answers;"}, {"destructive_migration"}],
		"a type altered": [{"path": "db/1.sql", "patch": "+ALTER TABLE a ALTER COLUMN b SET DATA TYPE int;"}, {"destructive_migration"}],
		"a drop taken away": [{"path": "db/1.sql", "patch": "-DROP TABLE answers;"}, set()],
		"a drop in a comment": [{"path": "db/1.sql", "patch": "+-- DROP TABLE answers;"}, set()],
		"a table added": [{"path": "db/1.sql", "patch": "+CREATE TABLE answers (id int);"}, set()],
		"a drop by name": [{"path": "migrations/0042_drop_legacy.sql"}, {"destructive_migration"}],
		"an allow list": [{"path": "render.yaml", "patch": "+    ipAllowList: []"}, {"network"}],
		"an allow list elsewhere": [{"path": "docs/a.py", "patch": "+ipAllowList"}, set()],
		"a guardrail file removed": [{"path": "guardrails/pii.yaml", "status": "removed"}, {"ai_guardrail_removed"}],
		"a guardrail line removed": [{"path": "guardrails/pii.yaml", "patch": "-  - block: email"}, {"ai_guardrail_removed"}],
		"a guardrail line added": [{"path": "guardrails/pii.yaml", "patch": "+  - block: email"}, set()],
		"a guardrail moved away": [{"path": "docs/pii.yaml", "previous_path": "guardrails/pii.yaml", "status": "renamed"}, {"ai_guardrail_removed"}],
		"a model": [{"path": "agents/a.yaml", "patch": "-model: a\n+model: b"}, {"ai_model_swap"}],
		"a model under its key": [{"path": "render.yaml", "patch": "       - key: OPENAI_MODEL\n-        value: a\n+        value: b"}, {"ai_model_swap", "ai_setting"}],
		"less asking": [{"path": "agents/a.yaml", "patch": "+auto_approve: true"}, {"ai_autonomy"}],
		"a session": [{"path": "src/session.py"}, {"auth"}],
		"a patch header is no line": [{"path": "guardrails/pii.yaml", "patch": "--- a/guardrails/pii.yaml\n+++ b/guardrails/pii.yaml"}, set()],
		"what an analyser knows": [{"path": "docs/a.md", "effects": ["tls"]}, {"tls"}],
	}
	_words(_files([case[0]])) == case[1]
}

test_lines[note] if {
	some note, case in {
		"H1": [["tls"], {"H1"}],
		"H1 in more words": [["tls_minimum_version", "iam_role", "permission_granted", "ip_allow_list"], {"H1"}],
		"H2": [["session_handling"], {"H2"}],
		"H3": [["irreversible_migration"], {"H3"}],
		"H4": [["deletion", "region_move"], {"H4"}],
		"H5": [["new_tool", "model_swap", "autonomy_raised"], {"H5"}],
		"H6": [["codeowners"], {"H6"}],
		"H7": [["third_party_access"], {"H7"}],
		"nothing": [["additive_migration", "accessibility", "roleplay", "secret_rotation"], set()],
	}
	_lines(_files([{"path": "docs/x.md", "effects": case[0]}])) == case[1]
}

test_direct_sql if {
	_lines({"change": {"kind": "platform_config", "channel": "direct_sql", "event": {"type": "query"}}}) == {"H3"}
	_lines({"change": {"kind": "database_change", "channel": "api", "event": {"type": "query"}}}) == {"H3"}
}

test_undeployed[note] if {
	some note, case in {
		"documents": [_path("docs/a.md"), true],
		"documents and code": [_files([{"path": "docs/a.md"}, {"path": "src/a.py"}]), false],
		"code made a document": [_files([{"path": "docs/a.md", "previous_path": "src/a.py"}]), false],
		"a prompt": [_path("prompts/a.md"), false],
		"documents, more unread": [dossier.put(_path("docs/a.md"), "/change/files_truncated", true), false],
		"documents, files unread": [dossier.put(_path("docs/a.md"), "/sources/github", {"status": "incomplete", "missing": ["files"]}), false],
		"as many as the forge lists": [_files([{"path": sprintf("docs/%d.md", [n])} | some n in numbers.range(1, 3000)]), false],
		"one fewer": [_files([{"path": sprintf("docs/%d.md", [n])} | some n in numbers.range(1, 2999)]), true],
		"nothing": [_files([]), false],
	}
	_is_undeployed(case[0]) == case[1]
}

_is_undeployed(given) if {
	scope.only_undeployed with input as given
} else := false

test_static[note] if {
	some note, case in {
		"a style": [_path("web/main.css"), true],
		"a picture and code": [_files([{"path": "web/a.png"}, {"path": "src/a.py"}]), false],
		"a style that was code": [_files([{"path": "web/main.css", "previous_path": "src/a.py"}]), false],
		"a prompt": [_path("prompts/a.md"), false],
	}
	_is_static(case[0]) == case[1]
}

_is_static(given) if {
	scope.only_static with input as given
} else := false

test_control_plane[note] if {
	some note, case in {
		"a workflow": [_path(".github/workflows/ci.yml"), true],
		"owners among the documents": [_path("docs/CODEOWNERS"), true],
		"a workflow and code": [_files([{"path": ".github/workflows/ci.yml"}, {"path": "src/a.py"}]), false],
		"a workflow that was code": [_files([{"path": ".github/workflows/ci.yml", "previous_path": "src/a.py"}]), false],
		"documents": [_path("docs/a.md"), false],
	}
	_is_control_plane(case[0]) == case[1]
}

_is_control_plane(given) if {
	scope.only_control_plane with input as given
} else := false

test_validated[note] if {
	some note, case in {
		"TLS": ["certificate_rotated", {"tls"}],
		"IAM": ["sso", {"iam"}],
		"network": ["firewall_rule", {"network"}],
		"none": ["deletion", set()],
	}
	kinds := scope.validated with input as _files([{"path": "x", "effects": [case[0]]}])
	kinds == case[1]
}

test_events[note] if {
	some note, case in {
		"a role": ["ChangeTeamMemberRoleEvent", {"H1"}],
		"an allow list": ["UpdateIPAllowListEvent", {"H1"}],
		"protection of an environment": ["ChangeEnvironmentProtectionEvent", {"H1"}],
		"a service deleted": ["DeleteServiceEvent", {"H4"}],
		"a service suspended": ["SuspendServiceEvent", {"H4"}],
		"high availability": ["postgres_ha_status_changed", {"H4"}],
		"a branch's rules": ["branch_protection_rule.edited", {"H6"}],
		"a ruleset": ["repository_ruleset.deleted", {"H6"}],
		"a webhook": ["CreateWebhookEvent", {"H7"}],
		"an app": ["GrantOAuthAccessEvent", {"H7"}],
		"a plan": ["plan_changed", set()],
		"a variable": ["UpdateEnvVarsEvent", set()],
	}
	_lines({"change": {"kind": "platform_config", "event": {"type": case[0]}}}) == case[1]
}

test_security_impacting[note] if {
	some note, case in {
		"code": [["x"], false],
		"a tool": [["ai_tool"], true],
		"a model": [["ai_model_swap"], false],
		"access": [["oauth_access"], true],
		"data": [["third_party_data"], false],
		"both": [["third_party_data", "third_party_access"], true],
	}
	_is_impacting(_files([{"path": "src/a.py", "effects": case[0]}])) == case[1]
}

_is_impacting(given) if {
	scope.security_impacting with input as given
} else := false
