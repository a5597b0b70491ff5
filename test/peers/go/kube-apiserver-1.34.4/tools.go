//go:build tools

// Package apiserver pins the API server under test; its main package is built from the module cache.
package apiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
