"""What is sent: invoice settings, clients, jobs, invoices, and the life of their uploads."""
