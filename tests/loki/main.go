// Command loki is Grafana Loki as a program of its own module, so that go.mod pins all that it is built from. Flags and
// configuration are Loki's.
package main

import (
	"flag"
	"log"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	// The codec of Loki's own calls between its parts
	_ "google.golang.org/grpc/encoding/proto"

	"github.com/grafana/loki/v3/pkg/loki"
	"github.com/grafana/loki/v3/pkg/runtime"
	"github.com/grafana/loki/v3/pkg/util/cfg"
	lokilog "github.com/grafana/loki/v3/pkg/util/log"
	"github.com/grafana/loki/v3/pkg/validation"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run does what Loki's own command does before it starts, in its order: defaults must stand before a tenant's limits are read.
func run() error {
	var settings loki.ConfigWrapper
	if err := cfg.DynamicUnmarshal(&settings, os.Args[1:], flag.CommandLine); err != nil {
		return err
	}
	settings.LimitsConfig.SetGlobalOTLPConfig(settings.Distributor.OTLPConfig)
	validation.SetDefaultLimitsForYAMLUnmarshalling(settings.LimitsConfig)
	runtime.SetDefaultLimitsForYAMLUnmarshalling(settings.OperationalConfig)
	settings.Server.Log = lokilog.InitLogger(&settings.Server, prometheus.DefaultRegisterer, false)
	if err := settings.Validate(); err != nil {
		return err
	}
	server, err := loki.New(settings.Config)
	if err != nil {
		return err
	}
	return server.Run(loki.RunOpts{StartTime: time.Now()})
}
