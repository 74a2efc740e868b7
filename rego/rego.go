// Package rego embeds the policy: an OPA bundle that any OPA can evaluate.
package rego

import "embed"

// Bundle is the bundle's folder, its tests included and the pages for readers
// (README.md) left out. A bare folder pattern would leave out .manifest.
//
//go:embed .manifest */*.rego */*/*.rego */*.yaml
var Bundle embed.FS
