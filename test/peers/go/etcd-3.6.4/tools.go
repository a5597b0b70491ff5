//go:build tools

// Package etcd pins the store of the API server under test; its main package is built from the module cache.
package etcd

import _ "go.etcd.io/etcd/server/v3"
