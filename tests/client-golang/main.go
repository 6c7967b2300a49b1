// An app with client_golang: protobuf, OpenMetrics and text, exemplars, native histograms, and every metric of Go's runtime.
//
// Its argument is the address to listen on. It writes a line when it listens.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	registerOwn(registry)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		EnableOpenMetrics:                   true,
		EnableOpenMetricsTextCreatedSamples: true,
	}))
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listens on", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}

func registerOwn(registry *prometheus.Registry) {
	exemplar := prometheus.Labels{"trace_id": "0af7651916cd43dd8448eb211c80319c"}

	orders := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shop_orders_total", Help: "Orders, by \"kind\"."}, []string{"kind"})
	registry.MustRegister(orders)
	orders.WithLabelValues("new\nline \"quoted\" \\ back").Add(2)
	orders.WithLabelValues("plain").(prometheus.ExemplarAdder).AddWithExemplar(7, exemplar)

	both := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                        "shop_request_seconds",
		Help:                        "A histogram with classic and native buckets.",
		Buckets:                     []float64{0.1, 1, 10},
		NativeHistogramBucketFactor: 1.1,
	}, []string{"path"})
	registry.MustRegister(both)
	native := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:                        "shop_native_seconds",
		Help:                        "A histogram with native buckets only.",
		NativeHistogramBucketFactor: 1.1,
	})
	registry.MustRegister(native)
	summary := prometheus.NewSummary(prometheus.SummaryOpts{
		Name:       "shop_size_bytes",
		Help:       "A summary.",
		Objectives: map[float64]float64{0.5: 0.05, 0.99: 0.001},
	})
	registry.MustRegister(summary)
	for nth := 1; nth <= 100; nth++ {
		value := float64(nth) / 20
		both.WithLabelValues("/").(prometheus.ExemplarObserver).ObserveWithExemplar(value, exemplar)
		native.Observe(value)
		native.Observe(-value)
		summary.Observe(float64(nth))
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "shop_build_info", Help: "Its version.", ConstLabels: prometheus.Labels{"version": "1.2"}})
	registry.MustRegister(build)
	build.Set(1)
}
