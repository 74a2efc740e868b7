// Package rego embeds the policy: an OPA bundle that any OPA can evaluate.
package rego

import "embed"

// Bundle is the bundle's folder, its tests included. A bare folder pattern
// would leave out .manifest.
//
//go:embed .manifest catalogue classification controls decision lib risk settings
var Bundle embed.FS
