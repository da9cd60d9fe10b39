package world

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Traffic is an exporter that tells how the live pods of namespaces serve, as the story says of their images. Each Ready
// pod gets a hundred requests a second.
type Traffic struct {
	pods    []*Pods
	address string

	mu     sync.Mutex
	served map[string]Service   // by image
	counts map[string]*count    // by pod
	told   map[string]time.Time // by image, when it was first told how the story says that its pods serve
	at     time.Time
}

// Service is how the pods of an image serve.
type Service struct {
	Errors  float64 // share of the requests that fail
	Latency float64 // seconds
	Silent  bool    // nothing is told of them
}

type count struct{ requests, errors float64 }

var (
	requestsTold = prometheus.NewDesc("shop_requests_total", "Requests by pod and status.", []string{"pod", "code"}, nil)
	latencyTold  = prometheus.NewDesc("shop_latency_seconds", "How long a request takes.", []string{"pod"}, nil)
)

// StartTraffic begins to export.
func StartTraffic(t testing.TB, pods ...*Pods) *Traffic {
	t.Helper()
	traffic := &Traffic{
		pods: pods, served: map[string]Service{}, counts: map[string]*count{}, told: map[string]time.Time{}, at: time.Now(),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(traffic)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	traffic.address = strings.TrimPrefix(server.URL, "http://")
	return traffic
}

// Serve says how the pods of an image serve from now on; nothing said is: quickly, without errors.
func (x *Traffic) Serve(image string, s Service) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.served[image] = s
}

// Told is when a pod of an image was first exported, or left out, as the story says of it. Zero: never.
func (x *Traffic) Told(image string) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.told[image]
}

// Describe implements prometheus.Collector.
func (x *Traffic) Describe(told chan<- *prometheus.Desc) { told <- requestsTold; told <- latencyTold }

// Collect implements prometheus.Collector.
func (x *Traffic) Collect(told chan<- prometheus.Metric) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	requests := 100 * now.Sub(x.at).Seconds()
	x.at = now
	serving := map[string]string{}
	for _, pods := range x.pods {
		maps.Copy(serving, pods.serving())
	}
	for name, image := range serving {
		s, said := x.served[image]
		if said && x.told[image].IsZero() {
			x.told[image] = now
		}
		if s.Silent {
			continue
		}
		n := x.counts[name]
		if n == nil {
			n = &count{}
			x.counts[name] = n
		}
		n.requests += requests * (1 - s.Errors)
		n.errors += requests * s.Errors
		latency := 0.05
		if s.Latency > 0 {
			latency = s.Latency
		}
		told <- prometheus.MustNewConstMetric(requestsTold, prometheus.CounterValue, n.requests, name, "200")
		told <- prometheus.MustNewConstMetric(requestsTold, prometheus.CounterValue, n.errors, name, "500")
		told <- prometheus.MustNewConstMetric(latencyTold, prometheus.GaugeValue, latency, name)
	}
}

// serving are the Ready pods by name, with their images.
func (p *Pods) serving() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	serving := map[string]string{}
	for _, pod := range p.live {
		if pod.ready {
			serving[pod.name] = pod.image
		}
	}
	return serving
}

// StartWeb serves a handler on loopback and returns its address.
func StartWeb(t testing.TB, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}
