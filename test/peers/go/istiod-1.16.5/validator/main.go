// Validator says what Istio's own validation has to say of resources, as istiod's store asks it before it takes one.
// Each line of the input is a resource, each line of the output the answer to it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
	"istio.io/pkg/log"
)

// question is a resource; its body is in base64.
type question struct {
	Kind        string            `json:"kind"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations"`
	Body        []byte            `json:"body"`
}

// answer has an error where istiod refuses the resource; warnings are for people only.
type answer struct {
	Error    *string `json:"error"`
	Warnings *string `json:"warnings"`
}

func text(err error) *string {
	if err == nil {
		return nil
	}
	said := err.Error()
	return &said
}

func validate(schemas map[string]resource.Schema, q question) (answer, error) {
	schema, found := schemas[q.Kind]
	if !found {
		return answer{}, fmt.Errorf("istiod does not ask for %s", q.Kind)
	}
	spec, err := schema.NewInstance()
	if err != nil {
		return answer{}, err
	}
	if err := proto.Unmarshal(q.Body, spec.(proto.Message)); err != nil {
		return answer{}, err
	}
	warnings, refusal := schema.ValidateConfig(config.Config{
		Meta: config.Meta{
			GroupVersionKind: schema.GroupVersionKind(),
			Namespace:        q.Namespace,
			Name:             q.Name,
			Annotations:      q.Annotations,
		},
		Spec: spec,
	})
	return answer{Error: text(refusal), Warnings: text(warnings)}, nil
}

func main() {
	// Istio logs to the standard output, which is for answers here.
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	if err := log.Configure(options); err != nil {
		panic(err)
	}
	schemas := map[string]resource.Schema{}
	for _, schema := range collections.Pilot.All() {
		schemas[schema.Resource().Kind()] = schema.Resource()
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			log.Fatal(err)
		}
		a, err := validate(schemas, q)
		if err != nil {
			log.Fatalf("%s %s/%s: %v", q.Kind, q.Namespace, q.Name, err)
		}
		if err := answers.Encode(a); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
