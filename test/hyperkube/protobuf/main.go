// Command protobuf writes the fixtures of test/unit/cluster/protobuf-wire.test.ts: what the encoders of Kubernetes make
// of lists, watch events and an error, as protobuf and as JSON. From the folder above:
//
//	CGO_ENABLED=0 go run -modfile v1.37.mod -mod=readonly ./protobuf ../fixtures/protobuf/1.37
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var folder string

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protobuf FOLDER")
		os.Exit(64)
	}
	folder = os.Args[1]
	must(os.MkdirAll(folder, 0o755))
	services, slices, nodes := services(), slices(), nodes()
	write("services", services)
	write("endpointslices", slices)
	write("nodes", nodes)
	write("empty", &core.ServiceList{TypeMeta: kind("v1", "ServiceList"), ListMeta: meta.ListMeta{ResourceVersion: "7"}})
	write("status", &meta.Status{
		TypeMeta: kind("v1", "Status"), Status: "Failure", Message: "too old resource version: 1 (7)", Reason: "Expired",
		Code: 410, Details: &meta.StatusDetails{RetryAfterSeconds: 3, Name: "x", Causes: []meta.StatusCause{{Type: "t", Message: "m"}}},
	})
	events("services", len(services.Items), func(i int) runtime.Object { return with(&services.Items[i], "v1", "Service") })
	events("endpointslices", len(slices.Items), func(i int) runtime.Object {
		return with(&slices.Items[i], "discovery.k8s.io/v1", "EndpointSlice")
	})
	events("nodes", len(nodes.Items), func(i int) runtime.Object { return with(&nodes.Items[i], "v1", "Node") })
}

func kind(version, kind string) meta.TypeMeta { return meta.TypeMeta{APIVersion: version, Kind: kind} }

func with(object runtime.Object, version, kind string) runtime.Object {
	object.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
	return object
}

// Each list has an object with every field set, one with every number negative and every bool false, and an empty one.
func services() *core.ServiceList {
	list := &core.ServiceList{Items: make([]core.Service, 5)}
	fill(list.Items[:3])
	list.TypeMeta, list.ListMeta = kind("v1", "ServiceList"), listMeta()
	for i, kind := range []core.ServiceType{"LoadBalancer", "NodePort"} {
		service := &list.Items[i]
		service.Spec.Type = kind
		service.Spec.ExternalTrafficPolicy = "Local"
		service.Spec.Ports[0].Protocol, service.Spec.Ports[1].Protocol = "UDP", ""
		service.Spec.ClusterIPs = []string{"10.96.0.1", "2001:DB8::1"}
		service.Spec.ExternalIPs = []string{"198.51.100.7", "not an address"}
		service.Status.LoadBalancer.Ingress[0].IP, service.Status.LoadBalancer.Ingress[1].IP = "198.51.100.9", ""
		service.Status.Conditions[0].Type, service.Status.Conditions[0].Status = "eiproute.io/Serving", "True"
		service.Labels["umlaut"], service.Labels["empty"] = "Zürich ✓", ""
		service.Annotations["eiproute.io/pool"], service.Annotations["eiproute.io/addresses"] = "öffentlich", ""
		service.Finalizers = append(service.Finalizers, "service.kubernetes.io/load-balancer-cleanup")
	}
	list.Items[1].CreationTimestamp = meta.NewTime(time.Unix(-86_400, 0))
	list.Items[1].DeletionTimestamp = nil
	list.Items[3].Name, list.Items[3].Namespace = "empty", "default"
	return list
}

func slices() *discovery.EndpointSliceList {
	list := &discovery.EndpointSliceList{Items: make([]discovery.EndpointSlice, 5)}
	fill(list.Items[:3])
	list.TypeMeta, list.ListMeta = kind("discovery.k8s.io/v1", "EndpointSliceList"), listMeta()
	for i := range 2 {
		slice := &list.Items[i]
		slice.Labels["kubernetes.io/service-name"] = "web"
		slice.Endpoints[0].Addresses, slice.Endpoints[1].Addresses = []string{"10.1.0.1", "10.1.0.2"}, []string{"2001:DB8::2"}
		slice.Endpoints = append(slice.Endpoints, discovery.Endpoint{Addresses: []string{"10.1.0.3"}})
	}
	list.Items[2].AddressType = "FQDN"
	list.Items[3].Name, list.Items[3].Namespace = "empty", "default"
	return list
}

func nodes() *core.NodeList {
	list := &core.NodeList{Items: make([]core.Node, 5)}
	fill(list.Items[:3])
	list.TypeMeta, list.ListMeta = kind("v1", "NodeList"), listMeta()
	for i := range 2 {
		node := &list.Items[i]
		node.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
		node.Annotations["eiproute.io/drain"] = ""
		node.Spec.Taints[1].Key = "ToBeDeletedByClusterAutoscaler"
		node.Status.Addresses = []core.NodeAddress{{Type: "Hostname", Address: "n"}, {Type: "InternalIP", Address: "10.0.0.1"},
			{Type: "InternalIP", Address: ""}, {Type: "InternalIP", Address: "2001:DB8::3"}}
		node.Status.Conditions[0].Type, node.Status.Conditions[0].Status = "Ready", "Unknown"
		node.Status.Conditions[1].Type, node.Status.Conditions[1].Status = "NetworkUnavailable", "True"
	}
	list.Items[3].Name = "empty"
	return list
}

func listMeta() meta.ListMeta {
	left := int64(12345678901)
	return meta.ListMeta{ResourceVersion: "9007199254740993", Continue: "eyJ2IjoiLi4u", RemainingItemCount: &left, SelfLink: "/x"}
}

// fill sets every field of the first object, makes all numbers negative and all bools false in the second one, and the
// numbers of the third as large as they can be.
func fill(objects any) {
	items := reflect.ValueOf(objects)
	for i := range items.Len() {
		filler := filler{style: i}
		filler.set(items.Index(i), 0)
	}
}

type filler struct{ style, count int }

func (f *filler) set(value reflect.Value, depth int) {
	f.count++
	switch target := value.Addr().Interface().(type) {
	case *meta.Time:
		*target = meta.NewTime(time.Unix(int64(1_767_225_600+f.count), 999_000_000))
		return
	case *resource.Quantity:
		*target = resource.MustParse(fmt.Sprintf("%dMi", f.count))
		return
	case *intstr.IntOrString:
		*target = intstr.FromInt32(int32(f.count))
		if f.count%2 == 0 {
			*target = intstr.FromString("named")
		}
		return
	case *meta.FieldsV1:
		target.Raw = []byte(`{"f:spec":{}}`)
		return
	case *meta.TypeMeta:
		return // an item of a list has none
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(fmt.Sprintf("text-%d", f.count))
	case reflect.Bool:
		value.SetBool(f.style != 1)
	case reflect.Int32, reflect.Int64, reflect.Int:
		number := int64(f.count)
		if f.style == 1 {
			number = -number
		} else if f.style == 2 {
			number = 1<<(value.Type().Bits()-1) - 1
		}
		value.SetInt(number)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		f.set(value.Elem(), depth+1)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		for i := range 2 {
			f.set(value.Index(i), depth+1)
		}
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		for range 2 {
			key, item := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
			f.set(key, depth+1)
			f.set(item, depth+1)
			value.SetMapIndex(key, item)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			f.set(value.Field(i), depth+1)
		}
	case reflect.Uint8:
		value.SetUint(uint64(f.count % 256))
	default:
		panic(fmt.Sprintf("no value for a %s", value.Type()))
	}
}

var (
	scheme  = runtime.NewScheme()
	toProto = protobuf.NewSerializer(scheme, scheme)
	toRaw   = protobuf.NewRawSerializer(scheme, scheme)
	toJSON  = json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{})
)

func init() {
	must(core.AddToScheme(scheme))
	must(discovery.AddToScheme(scheme))
	meta.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
}

func write(name string, object runtime.Object) {
	must(os.WriteFile(filepath.Join(folder, name+".pb"), encode(toProto, object), 0o644))
	must(os.WriteFile(filepath.Join(folder, name+".jsonl"), encode(toJSON, object), 0o644))
}

// events writes a watch as an API server does: in protobuf each event has its length before it, and the object in it is
// in an envelope of its own; in JSON each is a line.
func events(name string, count int, object func(int) runtime.Object) {
	var frames, lines bytes.Buffer
	writer := protobuf.LengthDelimitedFramer.NewFrameWriter(&frames)
	for i := range count {
		kind := []string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}[i%4]
		binary := &meta.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: encode(toProto, object(i))}}
		_, err := writer.Write(encode(toRaw, binary))
		must(err)
		text := &meta.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: encode(toJSON, object(i))}}
		must(toJSON.Encode(text, &lines))
	}
	must(os.WriteFile(filepath.Join(folder, name+"-watch.pb"), frames.Bytes(), 0o644))
	must(os.WriteFile(filepath.Join(folder, name+"-watch.jsonl"), lines.Bytes(), 0o644))
}

func encode(encoder runtime.Encoder, object runtime.Object) []byte {
	var buffer bytes.Buffer
	must(encoder.Encode(object, &buffer))
	return buffer.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
