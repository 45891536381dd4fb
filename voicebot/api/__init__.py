"""The HTTP API: batches, campaigns, cases, calls, promises, payments, permits, webhooks, under /api/v1."""
