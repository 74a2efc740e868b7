// Package acme embeds the recorded month of an invented company (STORY.md): the
// sample that `vouch demo` judges and that tests share.
package acme

import "embed"

// At is the instant (RFC 3339) at which the month is judged.
const At = "2026-11-20T09:00:00Z"

// Files holds the recorded payloads, one folder a source, and directory.yaml.
//
//go:embed github render iam directory.yaml
var Files embed.FS
