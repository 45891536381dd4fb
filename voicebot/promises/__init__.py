"""The ledger of promises to pay, each with its evidence."""
