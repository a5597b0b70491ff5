// Command mcp-source is a legacy MCP source made of Istio's own pkg/mcp: its source, its snapshot cache, its wire types.
// It serves (ResourceSource), or dials a sink (ResourceSink). What it has is told to it over HTTP, and what it has sent
// and heard can be read there.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gogo/protobuf/jsonpb"
	"github.com/gogo/protobuf/proto"
	"github.com/gogo/protobuf/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcp "istio.io/api/mcp/v1alpha1"
	_ "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/mcp/rate"
	"istio.io/istio/pkg/mcp/server"
	"istio.io/istio/pkg/mcp/snapshot"
	"istio.io/istio/pkg/mcp/source"
	"istio.io/istio/pkg/mcp/testing/groups"
	"istio.io/istio/pkg/mcp/testing/monitoring"
)

// resource is what a test gives: a spec in JSON for Istio's own Go type, or a body as it is to go out.
type resource struct {
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Type        string            `json:"type"`
	Spec        json.RawMessage   `json:"spec"`
	Raw         []byte            `json:"raw"`
}

func (r resource) body() (*types.Any, error) {
	if r.Spec == nil {
		return &types.Any{TypeUrl: "type.googleapis.com/" + r.Type, Value: r.Raw}, nil
	}
	goType := proto.MessageType(r.Type)
	if goType == nil {
		return nil, fmt.Errorf("this Istio has no type %q", r.Type)
	}
	message := reflect.New(goType.Elem()).Interface().(proto.Message)
	if err := jsonpb.Unmarshal(bytes.NewReader(r.Spec), message); err != nil {
		return nil, fmt.Errorf("%s: %v", r.Name, err)
	}
	return types.MarshalAny(message)
}

// change is made to one collection, in this order, and becomes one snapshot.
type change struct {
	Collection string     `json:"collection"`
	Clear      bool       `json:"clear"`
	Put        []resource `json:"put"`
	Remove     []string   `json:"remove"`
}

// served is the content of the snapshot cache.
type served struct {
	mu      sync.Mutex
	cache   *snapshot.Cache
	now     *snapshot.InMemory
	version int
}

func (s *served) apply(c change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	resources := append([]*mcp.Resource(nil), s.now.Resources(c.Collection)...)
	if c.Clear {
		resources = nil
	}
	at := make(map[string]int, len(resources))
	for i, r := range resources {
		at[r.Metadata.Name] = i
	}
	s.version++
	for _, r := range c.Put {
		body, err := r.body()
		if err != nil {
			return err
		}
		entry := &mcp.Resource{
			Metadata: &mcp.Metadata{
				Name:        r.Name,
				CreateTime:  types.TimestampNow(),
				Version:     r.Version,
				Labels:      r.Labels,
				Annotations: r.Annotations,
			},
			Body: body,
		}
		if entry.Metadata.Version == "" {
			entry.Metadata.Version = strconv.Itoa(s.version)
		}
		if i, found := at[r.Name]; found {
			resources[i] = entry
		} else {
			at[r.Name] = len(resources)
			resources = append(resources, entry)
		}
	}
	builder := s.now.Builder()
	builder.Set(c.Collection, strconv.Itoa(s.version), resources)
	for _, name := range c.Remove {
		// Takes the collection's version too when it takes the last entry, as it did for every user of this cache.
		if _, found := at[name]; !found {
			return fmt.Errorf("there is no %s in %s", name, c.Collection)
		}
		builder.DeleteEntry(c.Collection, name)
	}
	s.now = builder.Build()
	s.cache.SetSnapshot(groups.Default, s.now)
	return nil
}

// event is one message on one stream, or the end of a stream.
type event struct {
	Stream      int      `json:"stream"`
	What        string   `json:"what"`
	Collection  string   `json:"collection,omitempty"`
	Nonce       string   `json:"nonce,omitempty"`
	Incremental bool     `json:"incremental"`
	Resources   int      `json:"resources"`
	Removed     []string `json:"removed"`
	Code        int32    `json:"code"`
	Message     string   `json:"message,omitempty"`
}

// journal keeps all events.
type journal struct {
	mu      sync.Mutex
	streams int
	events  []event
}

func (j *journal) add(e event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

func (j *journal) since(first int) []event {
	j.mu.Lock()
	defer j.mu.Unlock()
	if first < 0 || first > len(j.events) {
		return []event{}
	}
	return append([]event{}, j.events[first:]...)
}

// opened is the number of a new stream.
func (j *journal) opened() int {
	j.mu.Lock()
	j.streams++
	number := j.streams
	j.mu.Unlock()
	j.add(event{Stream: number, What: "open"})
	return number
}

func (j *journal) ended(number int, err error) {
	end := status.Convert(err)
	j.add(event{Stream: number, What: "end", Code: int32(end.Code()), Message: end.Message()})
}

func (j *journal) sent(number int, m interface{}) {
	if sent, ok := m.(*mcp.Resources); ok {
		j.add(event{
			Stream: number, What: "push", Collection: sent.Collection, Nonce: sent.Nonce,
			Incremental: sent.Incremental, Resources: len(sent.Resources), Removed: sent.RemovedResources,
		})
	}
}

func (j *journal) got(number int, m interface{}) {
	if got, ok := m.(*mcp.RequestResources); ok {
		e := event{
			Stream: number, What: "ask", Collection: got.Collection, Nonce: got.ResponseNonce, Incremental: got.Incremental,
		}
		if got.ErrorDetail != nil {
			e.What, e.Code, e.Message = "nack", got.ErrorDetail.Code, got.ErrorDetail.Message
		} else if got.ResponseNonce != "" {
			e.What = "ack"
		}
		j.add(e)
	}
}

func (j *journal) intercept(srv interface{}, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	number := j.opened()
	err := next(srv, &answered{stream, j, number})
	j.ended(number, err)
	return err
}

// interceptDialled does the same for streams that this source opens. Their end is what the sink says of it.
func (j *journal) interceptDialled(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, options...)
	if err != nil {
		return nil, err
	}
	return &dialled{stream, j, j.opened()}, nil
}

// answered is a stream that a sink has opened, whose messages go to the journal.
type answered struct {
	grpc.ServerStream
	journal *journal
	stream  int
}

func (r *answered) SendMsg(m interface{}) error {
	err := r.ServerStream.SendMsg(m)
	if err == nil {
		r.journal.sent(r.stream, m)
	}
	return err
}

func (r *answered) RecvMsg(m interface{}) error {
	err := r.ServerStream.RecvMsg(m)
	if err == nil {
		r.journal.got(r.stream, m)
	}
	return err
}

// dialled is the same for a stream to a sink.
type dialled struct {
	grpc.ClientStream
	journal *journal
	stream  int
}

func (r *dialled) SendMsg(m interface{}) error {
	err := r.ClientStream.SendMsg(m)
	if err == nil {
		r.journal.sent(r.stream, m)
	}
	return err
}

func (r *dialled) RecvMsg(m interface{}) error {
	err := r.ClientStream.RecvMsg(m)
	if err == nil {
		r.journal.got(r.stream, m)
	} else if err == io.EOF {
		r.journal.ended(r.stream, nil)
	} else {
		r.journal.ended(r.stream, err)
	}
	return err
}

// pairs are the arguments of a flag that may be given several times: key=value.
type pairs []string

func (p *pairs) String() string { return strings.Join(*p, ",") }

func (p *pairs) Set(text string) error {
	if !strings.Contains(text, "=") {
		return errors.New("key=value is expected")
	}
	*p = append(*p, text)
	return nil
}

// headers are what goes out with every stream to a sink.
func (p pairs) headers() metadata.MD {
	md := metadata.MD{}
	for _, pair := range p {
		at := strings.Index(pair, "=")
		md.Append(pair[:at], pair[at+1:])
	}
	return md
}

// securityOf is how a sink is dialled.
func securityOf(cert, key, ca, serverName string) grpc.DialOption {
	if cert == "" {
		return grpc.WithInsecure()
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	authorities, err := os.ReadFile(ca)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	config := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: serverName}
	return grpc.WithTransportCredentials(credentials.NewTLS(config))
}

func control(s *served, j *journal, serve func()) http.Handler {
	mux := http.NewServeMux()
	post := func(path string, do func(*http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			err := errors.New("POST only")
			if r.Method == http.MethodPost {
				err = do(r)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	post("/apply", func(r *http.Request) error {
		var c change
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			return err
		}
		return s.apply(c)
	})
	post("/serve", func(*http.Request) error {
		serve()
		return nil
	})
	post("/cancel", func(*http.Request) error {
		s.cache.ClearStatus(groups.Default)
		return nil
	})
	mux.HandleFunc("/journal", func(w http.ResponseWriter, r *http.Request) {
		first, _ := strconv.Atoi(r.URL.Query().Get("since"))
		w.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(w).Encode(j.since(first))
	})
	return mux
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address of the MCP server, which begins with POST /serve")
	controlAddress := flag.String("control", "127.0.0.1:0", "address of the HTTP server that tells it what to serve")
	collections := flag.String("collections", "", "names of the collections that it knows, with commas between them")
	incremental := flag.Bool("incremental", false, "push changes to sinks that ask for them")
	dial := flag.String("dial", "", "address of a sink that is dialled, from POST /serve on, in place of being a server")
	var meta pairs
	flag.Var(&meta, "meta", "key=value: a header of the streams to that sink; may be given several times")
	cert := flag.String("cert", "", "certificate to show to that sink, in mutual TLS; without it, it is dialled in plaintext")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "CAs, one of which has to have signed the certificate of the sink")
	serverName := flag.String("server-name", "", "what that certificate has to be for")
	flag.Parse()

	cache := snapshot.New(groups.DefaultIndexFn)
	builder := snapshot.NewInMemoryBuilder()
	var options []source.CollectionOptions
	for _, name := range strings.Split(*collections, ",") {
		options = append(options, source.CollectionOptions{Name: name, Incremental: *incremental})
		// Without a version the cache would never speak of an empty collection; Galley gave one to each as well.
		builder.SetVersion(name, "0")
	}
	content := &served{cache: cache, now: builder.Build()}
	cache.SetSnapshot(groups.Default, content.now)

	// Galley's limiter (one request a second after the first hundred) would slow down what the tests want fast.
	unlimited := rate.NewRateLimiter(time.Nanosecond, math.MaxInt32)
	sourceOptions := &source.Options{
		Watcher:            cache,
		CollectionsOptions: options,
		Reporter:           monitoring.NewInMemoryStatsContext(),
		ConnRateLimiter:    unlimited,
	}
	mcpServer := source.NewServer(
		sourceOptions,
		&source.ServerOptions{AuthChecker: server.NewAllowAllChecker(), RateLimiter: unlimited.Create()},
	)
	events := &journal{}
	grpcServer := grpc.NewServer(grpc.StreamInterceptor(events.intercept))
	mcp.RegisterResourceSourceServer(grpcServer, mcpServer)

	// Nobody is served before the first content is there, as a server that has just started does not know it yet.
	serve := func() {
		if *dial != "" {
			security := securityOf(*cert, *key, *ca, *serverName)
			conn, err := grpc.Dial(*dial, security, grpc.WithStreamInterceptor(events.interceptDialled))
			if err != nil {
				log.Fatal(err)
			}
			client := source.NewClient(mcp.NewResourceSinkClient(conn), sourceOptions)
			go client.Run(metadata.NewOutgoingContext(context.Background(), meta.headers()))
			return
		}
		listener, err := net.Listen("tcp", *listen)
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(grpcServer.Serve(listener)) }()
	}
	log.Fatal(http.ListenAndServe(*controlAddress, control(content, events, serve)))
}
