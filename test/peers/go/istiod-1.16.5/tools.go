//go:build tools

// Package istiod pins the istiod under test; its main package is built from the module cache.
package istiod

import _ "istio.io/istio/pilot/cmd/pilot-discovery"
