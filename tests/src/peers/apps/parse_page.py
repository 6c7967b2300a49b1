"""Parses a page with prometheus-client: `parse_page.py text|openmetrics < PAGE` prints its families as JSON, or fails."""

import json
import sys

from prometheus_client.openmetrics.parser import text_fd_to_metric_families as openmetrics
from prometheus_client.parser import text_fd_to_metric_families as text

parse = {"text": text, "openmetrics": openmetrics}[sys.argv[1]]
# Lines end with a line feed alone: a carriage return is a part of a value.
page = open(sys.stdin.fileno(), encoding="utf-8", newline="\n")
families = [{"name": family.name, "type": family.type, "samples": len(family.samples)} for family in parse(page)]
json.dump(families, sys.stdout)
