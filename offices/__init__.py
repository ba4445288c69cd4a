"""Who we work for: practices, offices, people, and the line between one practice and the next."""
