"""Everything that is done beside the calls: webhooks, promises that come due, leases that run out."""
