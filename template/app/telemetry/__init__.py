"""What Prometheus reads, and traces: docs/observability.md."""
