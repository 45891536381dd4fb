"""Messages beside the calls: SMS, e-mail, app push, letters; templates, senders, receipts, opting out."""
