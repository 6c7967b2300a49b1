// The small Go program that metrics-exporter is measured beside: it fetches all sources at once, parses their text with expfmt, merges their families
// by name, and writes text with expfmt, compressed where the scraper accepts gzip.
//
// usage: merger ADDRESS URL...
package main

import (
	"compress/gzip"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func main() {
	sources := os.Args[2:]
	http.HandleFunc("/metrics", func(answer http.ResponseWriter, request *http.Request) { serve(answer, request, sources) })
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func serve(answer http.ResponseWriter, request *http.Request, sources []string) {
	format := expfmt.Negotiate(request.Header)
	answer.Header().Set("Content-Type", string(format))
	var body io.Writer = answer
	if strings.Contains(request.Header.Get("Accept-Encoding"), "gzip") {
		answer.Header().Set("Content-Encoding", "gzip")
		compressed := gzip.NewWriter(answer)
		defer compressed.Close()
		body = compressed
	}
	encoder := expfmt.NewEncoder(body, format)
	for _, family := range merge(fetch(sources)) {
		if err := encoder.Encode(family); err != nil {
			log.Print(err)
			return
		}
	}
}

func fetch(sources []string) []map[string]*dto.MetricFamily {
	pages := make([]map[string]*dto.MetricFamily, len(sources))
	var group sync.WaitGroup
	for nth, source := range sources {
		group.Add(1)
		go func() {
			defer group.Done()
			answer, err := http.Get(source)
			if err != nil {
				log.Print(err)
				return
			}
			defer answer.Body.Close()
			parser := expfmt.NewTextParser(model.UTF8Validation)
			if pages[nth], err = parser.TextToMetricFamilies(answer.Body); err != nil {
				log.Print(err)
			}
		}()
	}
	group.Wait()
	return pages
}

func merge(pages []map[string]*dto.MetricFamily) []*dto.MetricFamily {
	merged := make(map[string]*dto.MetricFamily)
	for _, page := range pages {
		for name, family := range page {
			if known := merged[name]; known == nil {
				merged[name] = family
			} else if known.GetType() == family.GetType() {
				known.Metric = append(known.Metric, family.Metric...)
			}
		}
	}
	families := make([]*dto.MetricFamily, 0, len(merged))
	for _, family := range merged {
		families = append(families, family)
	}
	sort.Slice(families, func(a, b int) bool { return families[a].GetName() < families[b].GetName() })
	return families
}
