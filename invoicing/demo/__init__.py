"""The demonstration: a believable practice whose invoices go to a rehearsal Xero."""
