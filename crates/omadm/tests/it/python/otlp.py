"""Decodes what a collector of OpenTelemetry is sent, by the definitions that OpenTelemetry publishes: octets in, JSON out."""

import sys

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

print(MessageToJson(ExportTraceServiceRequest.FromString(sys.stdin.buffer.read())))
