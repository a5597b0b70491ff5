// Command galley runs Galley 1.5.10's own processing and MCP server on a folder of YAML, without
// the parts of the galley binary that need Kubernetes or listen on every interface.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"istio.io/istio/galley/pkg/server/components"
	"istio.io/istio/galley/pkg/server/settings"
)

func main() {
	a := settings.DefaultArgs()
	flag.StringVar(&a.ConfigPath, "config", "", "folder of Istio YAML to serve")
	flag.StringVar(&a.MeshConfigFile, "mesh", "", "mesh config file")
	flag.StringVar(&a.APIAddress, "listen", "tcp://127.0.0.1:0", "address of the MCP server")
	flag.StringVar(&a.SinkAddress, "sink", "", "address of an MCP sink that is dialled as well, as galley's --sinkAddress")
	flag.StringVar(&a.SinkAuthMode, "sink-auth", "NONE", "as galley's --sinkAuthMode")
	meta := flag.String("sink-meta", "", "headers for that sink, key=value with commas between them, as galley's --sinkMeta")
	cert := flag.String("cert", "", "certificate: with it, mutual TLS is served, as by a galley without --insecure")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "CAs of the clients")
	accessList := flag.String("access-list", "", "YAML file with the names that clients may have, as galley's --accessListFile")
	flag.Parse()
	if *meta != "" {
		a.SinkMeta = strings.Split(*meta, ",")
	}
	a.Insecure = *cert == ""
	if !a.Insecure {
		a.CredentialOptions.CertificateFile = *cert
		a.CredentialOptions.KeyFile = *key
		a.CredentialOptions.CACertificateFile = *ca
		a.AccessListFile = *accessList
	}
	a.WatchConfigFiles = true
	a.EnableConfigAnalysis = false

	p := components.NewProcessing(a)
	if err := p.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "galley:", err)
		os.Exit(1)
	}
	fmt.Println("ready")

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	p.Stop()
}
