// An app with prom-client: `node app.mjs PORT [openmetrics]` serves /metrics in text, or in OpenMetrics with exemplars.
import http from "node:http";
import client from "prom-client";

const [port, format] = process.argv.slice(2);
const registry = new client.Registry();
const enableExemplars = format === "openmetrics";
if (enableExemplars) registry.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE);
client.collectDefaultMetrics({ register: registry });

const orders = new client.Counter({
  // In OpenMetrics prom-client adds _total itself.
  name: enableExemplars ? "node_orders" : "node_orders_total",
  help: 'Orders, by "kind"',
  labelNames: ["kind"],
  enableExemplars,
  registers: [registry],
});
const seconds = new client.Histogram({
  name: "node_request_seconds",
  help: "Seconds of requests",
  labelNames: ["path"],
  buckets: [0.1, 1, 10],
  enableExemplars,
  registers: [registry],
});
const exemplarLabels = { trace_id: "0af7651916cd43dd8448eb211c80319c" };
if (enableExemplars) {
  orders.inc({ labels: { kind: "plain" }, value: 7, exemplarLabels });
} else {
  orders.inc({ kind: 'new\nline "quoted" \\ back' }, 2);
  orders.inc({ kind: "plain" }, 7);
}
for (let nth = 1; nth <= 100; nth += 1) {
  if (enableExemplars) seconds.observe({ labels: { path: "/" }, value: nth / 20, exemplarLabels });
  else seconds.observe({ path: "/" }, nth / 20);
}

http
  .createServer(async (_, answer) => {
    answer.setHeader("Content-Type", registry.contentType);
    answer.end(await registry.metrics());
  })
  .listen(Number(port), "127.0.0.1", () => console.log("listens"));
