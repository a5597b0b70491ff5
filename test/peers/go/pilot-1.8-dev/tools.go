//go:build tools

// Package pilot pins the Pilot under test; its main package is built from the module cache.
package pilot

import _ "istio.io/istio/pilot/cmd/pilot-discovery"
