"""Pages in a real browser: keyboard, phones, accessibility, and the content security policy."""
