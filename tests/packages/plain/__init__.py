"""Plain: no key, nothing unique, one write at a time and a look-up that lags."""
